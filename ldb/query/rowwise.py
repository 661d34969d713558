"""Compile an `Expression` once into nested closures that run on every row.

Two ways to read a key that is not there:

    missing="skip"   the whole evaluation is `Missing`, unless `||` or `&&` stopped before
    missing="null"   standard JMESPath

Unknown functions and wrong numbers of arguments are found here, before any row is read;
what depends on a row raises `QueryFailed` there. Semantics: docs/query.md; the oracle of
the tests is the jmespath library's own interpreter.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ldb.query import closures
from ldb.query.closures import Step
from ldb.query.functions import FUNCTIONS, Function
from ldb.query.parse import Expression
from ldb.query.syntax import Node, chain
from ldb.query.values import NUMBERS, QueryFailed, Value

FAILURES = (QueryFailed, ArithmeticError, RecursionError)
"""What a `Step` may raise on a value it cannot handle."""

NO_FURTHER = ("identity", "current")


class Missing(QueryFailed):
    """The value lacks a key that the query names; only of queries that skip."""


@dataclass(frozen=True)
class Query:
    """A compiled expression. `run` and `test` are for loops: they raise KeyError for a
    missing key (skip only) and any of `FAILURES`; calling the query raises `Missing`
    and `QueryFailed` instead."""

    expression: Expression
    run: Step
    test: Step
    """As `run`, but what it returns is true for Python exactly if it is for JMESPath."""
    functions: Mapping[str, Function] = field(default_factory=lambda: FUNCTIONS, compare=False)
    """Those that it was compiled with."""

    def __call__(self, value: Value) -> Value:
        try:
            return self.run(value)
        except KeyError as error:
            raise Missing(self.expression.where, f"no key `{error.args[0]}`") from None
        except (ArithmeticError, RecursionError) as error:
            raise QueryFailed(self.expression.where, str(error)) from None

    def matches(self, value: Value) -> bool:
        """Whether `value` is let through; failing and missing are no match."""
        try:
            return bool(self.test(value))
        except (KeyError, *FAILURES):
            return False


def compile_query(
    expression: Expression,
    missing: Literal["skip", "null"] = "null",
    functions: Mapping[str, Function] = FUNCTIONS,
) -> Query:
    """Compile; `BadInput` for an unknown function or a wrong number of arguments."""
    compiler = _Compiler(expression, missing == "skip", functions)
    tree = expression.ast
    return Query(expression, compiler.value(tree), compiler.test(tree), functions)


class _Compiler:
    def __init__(
        self, expression: Expression, strict: bool, functions: Mapping[str, Function]
    ) -> None:
        self.expression = expression
        self.strict = strict
        self.functions = functions

    def value(self, node: Node) -> Step:
        """The step that computes `node`."""
        make: Callable[[Node], Step] = getattr(self, f"_{node['type']}")
        return make(node)

    def test(self, node: Node) -> Step:
        """The step whose result has Python's truth: for conditions."""
        kind = node["type"]
        if kind == "or_expression":
            return closures.any_of([self.test(one) for one in chain(node)])
        if kind == "and_expression":
            return closures.all_of([self.test(one) for one in chain(node)])
        step = self.value(node)
        return step if self._is_boolean(node) else closures.truth_of(step)

    def _is_boolean(self, node: Node) -> bool:
        """Whether `node` gives true, false or null only."""
        kind = node["type"]
        if kind in ("or_expression", "and_expression"):
            return all(self._is_boolean(one) for one in chain(node))
        if kind == "function_expression":
            known = self.functions.get(node["value"])  # an unknown one is refused by `value`
            return known is not None and known.boolean
        return kind in ("comparator", "not_expression")

    # --- values and places

    def _field(self, node: Node) -> Step:
        return self._path([node["value"]])

    def _path(self, keys: list[str]) -> Step:
        return closures.strict_path(keys) if self.strict else closures.lenient_path(keys)

    def _current(self, node: Node) -> Step:
        return closures.identity

    _identity = _current

    def _literal(self, node: Node) -> Step:
        return closures.constant(node["value"])

    def _index(self, node: Node) -> Step:
        return closures.index(node["value"])

    def _slice(self, node: Node) -> Step:
        return closures.cut(node["children"])

    def _subexpression(self, node: Node) -> Step:
        """Steps in a row; keys that follow each other become one step."""
        steps: list[Step] = []
        keys: list[str] = []
        for part in self._parts(node):
            if part["type"] == "field":
                keys.append(part["value"])
                continue
            if keys:
                steps.append(self._path(keys))
                keys = []
            if part["type"] not in NO_FURTHER:
                steps.append(self.value(part))
        if keys:
            steps.append(self._path(keys))
        return closures.compose(steps)

    _pipe = _index_expression = _subexpression

    def _parts(self, node: Node) -> list[Node]:
        parts: list[Node] = []
        for part in chain(node):
            sequence = part["type"] in ("pipe", "index_expression", "subexpression")
            parts += self._parts(part) if sequence else [part]
        return parts

    # --- truth

    def _or_expression(self, node: Node) -> Step:
        if self._is_boolean(node):
            return self.test(node)
        return closures.first_true([self.value(one) for one in chain(node)])

    def _and_expression(self, node: Node) -> Step:
        if self._is_boolean(node):
            return self.test(node)
        return closures.first_false([self.value(one) for one in chain(node)])

    def _not_expression(self, node: Node) -> Step:
        return closures.negate(self.test(node["children"][0]))

    def _comparator(self, node: Node) -> Step:
        left, right = node["children"]
        name = node["value"]
        if left["type"] == "literal" and right["type"] != "literal":
            left, right, name = right, left, closures.mirrored(name)
        if name in ("eq", "ne"):
            return self._equality(name, left, right)
        if right["type"] == "literal" and right["value"].__class__ in NUMBERS:
            return closures.ordered_number(name, self.value(left), right["value"])
        return closures.ordered(name, self.value(left), self.value(right))

    def _equality(self, name: str, left: Node, right: Node) -> Step:
        step = self.value(left)
        if right["type"] != "literal":
            make = closures.equals if name == "eq" else closures.differs
            return make(step, self.value(right))
        literal = right["value"]
        common = self.strict and left["type"] == "field" and literal.__class__ is str
        if common and name == "eq":
            return closures.strict_key_equals(left["value"], literal)
        if name == "eq":
            return closures.equals_literal(step, literal)
        return closures.differs_literal(step, literal)

    # --- arrays and objects

    def _optional(self, node: Node) -> Step | None:
        return None if node["type"] in NO_FURTHER else self.value(node)

    def _projection(self, node: Node) -> Step:
        source, result = node["children"]
        return closures.project(self.value(source), self._optional(result))

    def _value_projection(self, node: Node) -> Step:
        source, result = node["children"]
        return closures.project_values(self.value(source), self._optional(result))

    def _filter_projection(self, node: Node) -> Step:
        source, result, condition = node["children"]
        return closures.select(self.value(source), self.test(condition), self._optional(result))

    def _flatten(self, node: Node) -> Step:
        return closures.flatten(self.value(node["children"][0]))

    def _multi_select_list(self, node: Node) -> Step:
        return closures.make_list([self.value(one) for one in node["children"]])

    def _multi_select_dict(self, node: Node) -> Step:
        pairs = node["children"]
        return closures.make_object(
            [(one["value"], self.value(one["children"][0])) for one in pairs]
        )

    # --- functions

    def _function_expression(self, node: Node) -> Step:
        name, arguments = node["value"], node["children"]
        function = self.functions.get(name)
        if function is None:
            close = difflib.get_close_matches(name, self.functions, n=1)
            hint = f"did you mean {close[0]}()?" if close else ""
            raise self.expression.error(f"unknown function {name}()", node, hint)
        if not function.takes(len(arguments)):
            why = f"{name}() takes {function.arity}, not {len(arguments)}"
            raise self.expression.error(why, node, f"it is {function.usage}")
        for place, argument in enumerate(arguments):
            self._check_reference(function, place, argument, node)
        literals = {
            place: argument["value"]
            for place, argument in enumerate(arguments)
            if argument["type"] == "literal"
        }
        try:
            return function.closure([self._argument(one) for one in arguments], literals)
        except QueryFailed as error:  # a regular expression that is none …
            raise self.expression.error(f"{name}(): {error.why}", node) from None

    def _check_reference(self, function: Function, place: int, argument: Node, node: Node) -> None:
        """`&x` stands exactly where the function takes one."""
        wanted = function.kind(place).is_reference
        if wanted is (argument["type"] == "expref"):
            return
        need = "must be an expression with & before it" if wanted else "takes no &"
        why = f"argument {place + 1} of {function.name}() {need}"
        raise self.expression.error(why, node, f"it is {function.usage}")

    def _argument(self, node: Node) -> Step:
        if node["type"] == "expref":
            return closures.constant(self.value(node["children"][0]))
        return self.value(node)
