"""Compile a `Query` once more, into parts that work on columns.

The syntax tree is the query's own and the closures of `ldb.query` serve where there is
nothing faster. A query that compiled row by row compiles here: nothing is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal as OneOf

import numpy as np

from ldb.columns.model import Column
from ldb.query import closures
from ldb.query.columnar import lists, parts, shapes
from ldb.query.columnar.apply import By, Call, Map, Rows, can_be_opaque
from ldb.query.columnar.native import NATIVE
from ldb.query.columnar.outcome import Outcome, Problems, Status, Step, Tested, first_of, where
from ldb.query.columnar.parts import Part
from ldb.query.columnar.written import written
from ldb.query.functions import FUNCTIONS, Function
from ldb.query.keys import names_in
from ldb.query.parse import Expression
from ldb.query.rowwise import NO_FURTHER, Query, compile_query
from ldb.query.syntax import Node, chain

Order = OneOf["sorted", "given"]


class Program:
    """An expression that is evaluated on columns. Safe to run on many, one after the other."""

    def __init__(self, query: Query, part: Part, plan: list[Step], order: Order) -> None:
        self.query = query
        self.plan = plan
        """How each part that is more than a key or a literal is evaluated."""
        self._part = part
        self._order = order

    def run(self, column: Column) -> Outcome:
        """The value of the expression for each document of `column`."""
        try:
            found = self._part.value(self._arranged(column))
            problems = found.problems
            if can_be_opaque(found.column):
                problems = first_of(problems, where(found.column.opaque(), Status.REDO))
        except RecursionError:
            status = np.full(column.size, Status.REDO, np.uint8)
            return Outcome(shapes.nulls(column.size), status)
        return Outcome(found.column, _given(problems, column.size))

    def test(self, column: Column) -> Tested:
        """Whether the expression is true of each document of `column`."""
        try:
            found = self._part.test(self._arranged(column))
        except RecursionError:
            status = np.full(column.size, Status.REDO, np.uint8)
            return Tested(np.zeros(column.size, np.bool_), status)
        if found.problems is None:
            return Tested(found.mask, np.zeros(column.size, np.uint8))
        return Tested(found.mask & (found.problems == Status.OK), found.problems)

    def _arranged(self, column: Column) -> Column:
        return shapes.arranged(column) if self._order == "sorted" else column


def _given(problems: Problems, size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.zeros(size, np.uint8) if problems is None else problems


def compile_columns(
    query: Query,
    missing: OneOf["skip", "null"],
    *,
    order: Order = "sorted",
) -> Program:
    """The program of a query that was compiled with the same `missing`.

    The row evaluator sees the keys of objects in an order, and so do `*`, `keys()` and their
    like: `sorted` is that of decoded payloads, `given` that of the columns' `fields`.
    """
    compiler = _Compiler(query.expression, missing, query.functions)
    part = compiler.part(query.expression.ast)
    return Program(query, part, compiler.plan[::-1], order)


class _Compiler:
    def __init__(
        self,
        expression: Expression,
        missing: OneOf["skip", "null"],
        functions: Mapping[str, Function],
    ) -> None:
        self.expression = expression
        self.missing: OneOf["skip", "null"] = missing
        self.functions = functions
        self.plan: list[Step] = []

    def part(self, node: Node) -> Part:
        make: Callable[[Node], Part] = getattr(self, f"_{node['type']}")
        return make(node)

    def _step(self, node: Node) -> Step:
        step = Step(written(node))
        self.plan.append(step)
        return step

    # --- values and places

    def _field(self, node: Node) -> Part:
        return parts.Field(node["value"], self.missing == "skip")

    def _current(self, node: Node) -> Part:
        return parts.Current()

    _identity = _current

    def _literal(self, node: Node) -> Part:
        return parts.Literal(node["value"])

    def _index(self, node: Node) -> Part:
        return lists.Index(node["value"])

    def _slice(self, node: Node) -> Part:
        return lists.Slice(node["children"])

    def _subexpression(self, node: Node) -> Part:
        steps = [self.part(one) for one in chain(node) if one["type"] not in NO_FURTHER]
        if not steps:
            return parts.Current()
        return steps[0] if len(steps) == 1 else parts.InOrder(steps)

    _pipe = _index_expression = _subexpression

    # --- truth

    def _or_expression(self, node: Node) -> Part:
        return parts.Chain([self.part(one) for one in chain(node)], stops_at=True)

    def _and_expression(self, node: Node) -> Part:
        return parts.Chain([self.part(one) for one in chain(node)], stops_at=False)

    def _not_expression(self, node: Node) -> Part:
        return parts.Not(self.part(node["children"][0]))

    def _comparator(self, node: Node) -> Part:
        self._step(node)
        left, right = node["children"]
        name = node["value"]
        if left["type"] == "literal" and right["type"] != "literal":
            left, right, name = right, left, closures.mirrored(name)
        one, other = self.part(left), self.part(right)
        if name in ("eq", "ne"):
            return parts.Equality(one, other, name == "ne")
        return parts.Order(one, other, name)

    # --- arrays and objects

    def _optional(self, node: Node) -> Part | None:
        return None if node["type"] in NO_FURTHER else self.part(node)

    def _projection(self, node: Node) -> Part:
        self._step(node)
        source, result = node["children"]
        return lists.Project(self.part(source), self._optional(result))

    def _value_projection(self, node: Node) -> Part:
        self._step(node)
        source, result = node["children"]
        return lists.ProjectValues(self.part(source), self._optional(result))

    def _filter_projection(self, node: Node) -> Part:
        self._step(node)
        source, result, condition = node["children"]
        return lists.Select(self.part(source), self.part(condition), self._optional(result))

    def _flatten(self, node: Node) -> Part:
        return lists.Flatten(self.part(node["children"][0]))

    def _multi_select_list(self, node: Node) -> Part:
        self._step(node)
        return lists.MakeList([self.part(one) for one in node["children"]])

    def _multi_select_dict(self, node: Node) -> Part:
        self._step(node)
        pairs = node["children"]
        keys = [one["value"] for one in pairs]
        return lists.MakeObject(keys, [self.part(one["children"][0]) for one in pairs])

    # --- functions

    def _function_expression(self, node: Node) -> Part:
        step = self._step(node)
        function, below = self.functions[node["value"]], node["children"]
        if any(one["type"] == "expref" for one in below):
            return self._with_reference(function, node, step)
        arguments = [self.part(one) for one in below]
        own = FUNCTIONS.get(function.name) is function
        call = NATIVE.get(function.name, Call) if own else Call
        return call(function, arguments, step)

    def _with_reference(self, function: Function, node: Node, step: Step) -> Part:
        below = node["children"]
        if FUNCTIONS.get(function.name) is not function:
            step.how, step.why = "row by row", "a function of the user's that takes an expression"
            inner = Expression(self.expression.text, self.expression.where, node)
            closure = compile_query(inner, self.missing, self.functions).run
            return Rows(closure, names_in(node).roots, step)
        if function.name == "map":
            return Map(self.part(below[0]["children"][0]), self.part(below[1]))
        return By(function, self.part(below[0]), self.part(below[1]["children"][0]), step)
