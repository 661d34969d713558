"""Any function on columns, through the closure that the row evaluator itself would call.

A function of one argument that varies is called once per distinct text and once for each
of null, false and true; numbers, arrays and objects go one by one, as does all with
several arguments that vary. So it is exact whatever the function does, as long as equal
arguments give equal results.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import Column, Kind, Positions
from ldb.query.closures import Step as Closure
from ldb.query.columnar import compare, shapes
from ldb.query.columnar.outcome import Found, Problems, Status, Step, first_of, of_lists, where
from ldb.query.columnar.parts import Literal, Part
from ldb.query.rowwise import FAILURES
from ldb.query.signature import Function
from ldb.query.values import Value

EACH = "it is called for each value"
MANY = "it is called for each value: several of its arguments vary"
LISTS = "arrays and objects are handed to it one by one"


def run_each(closure: Closure, values: Sequence[Value]) -> tuple[list[Value], Problems]:
    """The closure's result for each value."""
    results: list[Value] = []
    status = np.zeros(len(values), np.uint8)
    for place, value in enumerate(values):
        try:
            results.append(closure(value))
            continue
        except RecursionError:  # the row evaluator may have had more of the stack left
            status[place] = Status.REDO
        except KeyError:
            status[place] = Status.LACKS
        except FAILURES:
            status[place] = Status.FAILED
        results.append(None)
    return results, status if status.any() else None


def apply_to_one(closure: Closure, column: Column, step: Step) -> Found:
    """The closure on every value of a column."""
    opaque = _holding_opaque(column)
    problems = None if opaque is None else where(opaque, Status.REDO)
    if opaque is not None:
        column = shapes.replaced(column, opaque, Kind.NULL)
    values: list[Value] = []
    which = np.zeros(column.size, np.intp)
    for kind in column.present:
        rows = np.flatnonzero(column.are(kind))
        if not len(rows):
            continue
        codes, distinct = _distinct(kind, column.take(rows))
        which[rows] = codes + len(values)
        values += distinct
        if kind in (Kind.INT, Kind.FLOAT):
            step.one_by_one(len(rows), EACH)
        elif kind in shapes.CONTAINERS:
            step.one_by_one(len(rows), LISTS)
    results, failed = run_each(closure, values)
    if failed is not None:
        problems = first_of(problems, failed[which])
    return Found(shapes.from_results(results).take(which), problems)


def _distinct(kind: Kind, column: Column) -> tuple[Any, list[Value]]:
    """For each value its place among values that are enough to call a function with."""
    if kind < Kind.INT:
        return 0, column.values()[:1]
    if kind is not Kind.TEXT:
        return np.arange(column.size), column.values()
    if len(column.words) <= column.size:
        return column.codes, column.words.strings
    used, codes = np.unique(column.codes, return_inverse=True)
    return codes.ravel(), column.words.some(used.tolist())


def _holding_opaque(column: Column) -> Any:
    """Which values cannot be made Python values; None if all can."""
    if not can_be_opaque(column):
        return None
    mask = column.opaque()
    return mask if mask.any() else None


def can_be_opaque(column: Column) -> bool:
    """Whether something opaque may be in it, at any depth; reads no more than kinds."""
    if Kind.OPAQUE in column.present:
        return True
    if Kind.LIST in column.present and can_be_opaque(column.items):
        return True
    return Kind.OBJECT in column.present and any(map(can_be_opaque, column.fields.values()))


def plain_values(column: Column, rows: Positions) -> list[Value]:
    """Python values of these rows, none of which is opaque."""
    return column.take(rows).values()


class Call(Part):
    """A function none of whose arguments is an expression with `&`."""

    def __init__(self, function: Function, arguments: Sequence[Part], step: Step) -> None:
        self.function = function
        self.arguments = arguments
        self.step = step
        self.literals = {
            place: part.literal for place, part in enumerate(arguments) if isinstance(part, Literal)
        }
        self.varying = [place for place in range(len(arguments)) if place not in self.literals]
        self.closure = function.closure(self._readers(self.literals), self.literals)

    def _readers(self, literals: Mapping[int, Value]) -> list[Closure]:
        """Steps that find the arguments: the value itself, or its parts if several vary."""

        def of(place: int) -> Closure:
            if place in literals:
                literal = literals[place]
                return lambda _: literal
            if len(self.varying) == 1:
                return lambda value: value
            return operator.itemgetter(self.varying.index(place))

        return [of(place) for place in range(len(self.arguments))]

    def value(self, column: Column) -> Found:
        problems: Problems = None
        columns = []
        for place in self.varying:
            found = self.arguments[place].value(column)
            columns.append(found.column)
            problems = first_of(problems, found.problems)
        result = self.compute(columns, column.size, problems)
        return Found(result.column, first_of(problems, result.problems))

    def compute(self, columns: Sequence[Column], size: int, problems: Problems) -> Found:
        """The function of its arguments' values."""
        if len(columns) == 1:
            column = columns[0]
            if problems is not None:  # nothing that means nothing is handed to a function
                column = shapes.replaced(column, problems != Status.OK, Kind.NULL)
            return apply_to_one(self.closure, column, self.step)
        if not columns:
            results, failed = run_each(self.closure, [None])
            one = shapes.repeat(shapes.from_results(results), size)
            return Found(one, None if failed is None else np.repeat(failed, size))
        return self._zipped(columns, size, problems)

    def _zipped(self, columns: Sequence[Column], size: int, problems: Problems) -> Found:
        opaque = np.zeros(size, np.bool_)
        for column in columns:
            if can_be_opaque(column):
                opaque |= column.opaque()
        able = ~opaque if problems is None else ~opaque & (problems == Status.OK)
        rows = np.flatnonzero(able)
        self.step.one_by_one(len(rows), MANY)
        given = zip(*(plain_values(column, rows) for column in columns))
        results, failed = run_each(self.closure, list(given))
        status = where(opaque, Status.REDO)
        if failed is not None:
            status = np.zeros(size, np.uint8) if status is None else status
            status[rows] = failed
        if len(rows) == size:
            return Found(shapes.from_results(results), status)
        which = np.zeros(size, np.intp)
        which[rows] = np.arange(len(rows))
        results = results or [None]
        return Found(shapes.from_results(results).take(which), status)


# --- functions that take an expression


class Map(Part):
    """`map(&result, array)`"""

    def __init__(self, result: Part, array: Part) -> None:
        self.result = result
        self.array = array

    def value(self, column: Column) -> Found:
        base, problems = items_of(self.array, column)
        results = self.result.value(base.items)
        problems = first_of(problems, of_lists(results.problems, base.offsets))
        return Found(shapes.lists(base.offsets, shapes.settled(results.column)), problems)


def items_of(array: Part, column: Column) -> tuple[Column, Problems]:
    """Lists that a function takes, and what is wrong where it was given something else."""
    found = array.value(column)
    base = found.column
    status = np.full(base.size, Status.FAILED, np.uint8)
    status[base.are(Kind.LIST)] = Status.OK
    status[base.are(Kind.OPAQUE)] = Status.REDO
    problems = first_of(found.problems, status if status.any() else None)
    return shapes.lists(base.offsets, lambda: base.items), problems


class By(Part):
    """`sort_by`, `max_by`, `min_by`: the function itself decides, over places and keys."""

    def __init__(self, function: Function, array: Part, key: Part, step: Step) -> None:
        self.function = function
        self.array = array
        self.key = key
        self.step = step

    def value(self, column: Column) -> Found:
        base, problems = items_of(self.array, column)
        keys = self.key.value(base.items)
        problems = first_of(problems, of_lists(keys.problems, base.offsets))
        by = keys.column
        if can_be_opaque(by):
            opaque = by.opaque()
            problems = first_of(problems, of_lists(where(opaque, Status.REDO), base.offsets))
            by = shapes.replaced(by, opaque, Kind.NULL)
        by = shapes.settled(by)
        ranks = sortable(by)
        if ranks is not None:
            return Found(self._sorted(base, ranks), problems)
        return self._each(base, by, problems)

    def _sorted(self, base: Column, keys: NDArray[Any]) -> Column:
        """By numpy: its sort is stable, as Python's is."""
        lists = np.repeat(np.arange(base.size), base.lengths)
        if self.function.name == "max_by":  # the first of the largest
            keys = -keys
        places = np.lexsort((keys, lists))
        if self.function.name == "sort_by":
            return shapes.lists(base.offsets, lambda: base.items.take(places))
        filled = base.lengths > 0
        firsts = np.zeros(base.size, np.intp)
        firsts[filled] = places[base.offsets[:-1][filled]]
        return shapes.take_or_null(base.items, firsts, filled)

    def _each(self, base: Column, by: Column, problems: Problems) -> Found:
        able = np.ones(base.size, np.bool_) if problems is None else problems == Status.OK
        rows = np.flatnonzero(able)
        self.step.one_by_one(len(rows), "arrays are ordered one by one")
        read = by.values().__getitem__
        starts, stops = base.offsets[:-1][rows].tolist(), base.offsets[1:][rows].tolist()
        call = self.function.call
        results, failed = run_each(
            lambda ends: call([*range(*ends)], read), list(zip(starts, stops))
        )
        if failed is not None:
            everywhere = np.zeros(base.size, np.uint8)
            everywhere[rows] = failed
            problems = first_of(problems, everywhere)
        return Found(self._taken(base, rows, results), problems)

    def _taken(self, base: Column, rows: Positions, results: list[Value]) -> Column:
        """The items at the places that the function gave back."""
        if self.function.name == "sort_by":
            lengths = np.zeros(base.size, np.int64)
            lengths[rows] = [len(each or ()) for each in results]
            places = np.array([at for each in results for at in each or ()], np.intp)
            return shapes.lists(shapes.ends_of(lengths), lambda: base.items.take(places))
        found = np.zeros(base.size, np.bool_)
        found[rows] = [each is not None for each in results]
        at = np.zeros(base.size, np.intp)
        at[rows] = [each or 0 for each in results]
        return shapes.take_or_null(base.items, at, found)


def sortable(column: Column) -> NDArray[Any] | None:
    """Numbers that are in order as the values are, if these are all numbers or all texts."""
    kinds = shapes.occurring(column)
    if kinds == {Kind.TEXT}:
        used, words = compare.used_words(column, slice(None))
        ranks = np.zeros(len(column.words), np.int64)
        # Words may be the same text twice: equal texts have one rank.
        place = {text: rank for rank, text in enumerate(sorted(set(words)))}
        ranks[used] = [place[text] for text in words]
        found: NDArray[Any] = ranks[column.codes]
        return found
    if not kinds <= {Kind.INT, Kind.FLOAT} or not column.size:
        return None
    ints = column.ints.astype(np.int64)
    if max(-int(ints.min()), int(ints.max())) > compare.EXACT:
        return None
    floats = compare.as_floats(column, column.are(Kind.INT))
    return None if np.isnan(floats).any() else floats


class Rows(Part):
    """Whatever columns have no way for: the closure of the whole sub-expression."""

    def __init__(self, closure: Closure, roots: frozenset[str] | None, step: Step) -> None:
        self.closure = closure
        self.roots = roots
        self.step = step

    def value(self, column: Column) -> Found:
        if self.roots is not None and column.kind is Kind.OBJECT:
            fields = {key: below for key, below in column.fields.items() if key in self.roots}
            column = Column(column.size, Kind.OBJECT, fields=fields)
        return apply_to_one(self.closure, column, self.step)
