"""The functions that need no Python call per value.

Each takes the cases that numpy computes exactly as Python does (ints that cannot leave 64
bits, no sums of floats, whose order and rounding are Python's own affair) and hands all
else to `Call`, which asks the row evaluator's closure.
"""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import JSON_TYPES, Column, Ints, Kind, Mask, Words
from ldb.query.columnar import compare, lists, shapes
from ldb.query.columnar.apply import Call
from ldb.query.columnar.outcome import (
    Found,
    Problems,
    Status,
    counts,
    first_of,
    of_lists,
    unknown,
    unless,
    where,
)
from ldb.query.own_functions import key_path
from ldb.query.values import Value

SAFE = 1 << 62
"""Ints whose bounds stay below this do not overflow."""

NUMBER = (Kind.INT, Kind.FLOAT)


def _largest(ints: NDArray[Any]) -> int:
    """The largest absolute value."""
    return max(-int(ints.min()), int(ints.max())) if len(ints) else 0


class Native(Call):
    """A function that may decline: then it is called as any other."""

    def compute(self, columns: Sequence[Column], size: int, problems: Problems) -> Found:
        """The function of its arguments' values."""
        found = self.native(columns, size) if columns else None
        return super().compute(columns, size, problems) if found is None else found

    @abstractmethod
    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        """The same if it can; `columns` are the arguments that are no literals."""

    def column(self, place: int, columns: Sequence[Column], size: int) -> Column:
        """The argument at `place`."""
        if place in self.literals:
            return shapes.repeat(shapes.from_results([self.literals[place]]), size)
        return columns[self.varying.index(place)]


# --- any value


class Length(Native):
    def native(self, columns: Sequence[Column], size: int) -> Found:
        column = columns[0]
        wrong = unless(column, Kind.TEXT, Kind.LIST, Kind.OBJECT)
        lengths = column.lengths if Kind.LIST in column.present else np.zeros(size, np.int64)
        if Kind.TEXT in column.present:
            lengths = np.where(column.are(Kind.TEXT), _characters(column), lengths)
        if Kind.OBJECT in column.present:
            keys = np.zeros(size, np.int64)
            for below in column.fields.values():
                keys += ~below.are(Kind.MISSING)
            lengths = np.where(column.are(Kind.OBJECT), keys, lengths)
        return Found(shapes.integers(lengths), wrong)


def _characters(column: Column) -> Ints:
    """How many characters each text has: UTF-8 bytes that do not continue one."""
    words = column.words
    if not len(words):
        return np.zeros(column.size, np.int64)
    starts = np.zeros(len(words.data) + 1, np.int64)
    np.cumsum((words.data & 0xC0) != 0x80, out=starts[1:])
    lengths: Ints = np.diff(starts[words.offsets])[column.codes]
    return lengths


class TypeName(Native):
    def native(self, columns: Sequence[Column], size: int) -> Found:
        names = sorted(set(JSON_TYPES.values()))
        codes = np.zeros(len(Kind), np.int8)
        for kind, name in JSON_TYPES.items():
            codes[kind] = names.index(name)
        words = Words.of(names, distinct=True)
        found = Column(size, Kind.TEXT, codes=codes[columns[0].kinds], words=words)
        return Found(found, unknown(columns[0]))


class NotNull(Native):
    def native(self, columns: Sequence[Column], size: int) -> Found:
        result = shapes.settled(self.column(0, columns, size))
        for place in range(1, len(self.arguments)):
            null = result.are(Kind.NULL)
            if not null.any():
                break
            result = shapes.choose(null, shapes.settled(self.column(place, columns, size)), result)
        return Found(result)


class Passing(Native):
    """A function that gives values of some kinds back as they are."""

    passes: tuple[Kind, ...]

    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        column = columns[0]
        same = column.are(*self.passes)
        if same.all():
            return Found(column)
        if not same.any():
            return None
        rows, rest = np.flatnonzero(same), np.flatnonzero(~same)
        called = Call.compute(self, [column.take(rest)], len(rest), None)
        result = shapes.gather([(rows, column.take(rows)), (rest, called.column)], size)
        if called.problems is None:
            return Found(result)
        problems = np.zeros(size, np.uint8)
        problems[rest] = called.problems
        return Found(result, problems)


class ToNumber(Passing):
    passes = NUMBER


class ToString(Passing):
    passes = (Kind.TEXT,)


class ToArray(Passing):
    passes = (Kind.LIST,)


# --- numbers


class Unary(Native):
    """`abs`, `neg`, `ceil`, `floor` of numbers."""

    of_ints: Callable[[Any], Any] = staticmethod(operator.pos)
    of_floats: Callable[[Any], Any]
    whole = False
    """Whether a float becomes an int."""

    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        column = columns[0]
        if Kind.LIST in column.present:  # neg() takes them, too
            return None
        ints = column.ints.astype(np.int64)
        if _largest(ints) >= SAFE:
            return None
        ints = self.of_ints(ints)
        problems = unless(column, *NUMBER)
        if Kind.FLOAT not in column.present:
            return Found(shapes.integers(ints), problems)
        floats = self.of_floats(column.floats)
        of_float = column.are(Kind.FLOAT)
        if not self.whole:
            return Found(_numbers(ints, floats, of_float), problems)
        if not (np.abs(floats) < SAFE).all():
            return None
        return Found(shapes.integers(np.where(of_float, floats.astype(np.int64), ints)), problems)


def _numbers(ints: Ints, floats: NDArray[np.float64], of_float: Mask) -> Column:
    """Floats where `of_float` is True, else ints."""
    if of_float.all():
        return Column(len(ints), Kind.FLOAT, floats=floats)
    kinds = np.where(of_float, np.uint8(Kind.FLOAT), np.uint8(Kind.INT))
    return Column(len(ints), kinds=kinds, present=frozenset(NUMBER), ints=ints, floats=floats)


def _finite(floats: NDArray[np.float64], rows: Mask) -> tuple[NDArray[np.float64], Problems]:
    """The floats, 0 for those of `rows` that are no number of JSON, which failed."""
    wrong = ~np.isfinite(floats)
    if not wrong.any():
        return floats, None
    return np.where(wrong, 0.0, floats), where(wrong & rows, Status.FAILED)


class Abs(Unary):
    of_ints = staticmethod(np.abs)
    of_floats = staticmethod(np.abs)


class Neg(Unary):
    of_ints = staticmethod(operator.neg)
    of_floats = staticmethod(operator.neg)


class Ceil(Unary):
    of_floats = staticmethod(np.ceil)
    whole = True


class Floor(Unary):
    of_floats = staticmethod(np.floor)
    whole = True


class Arithmetic(Native):
    """`add` and its like, of two numbers."""

    compute_pair: Callable[[Any, Any], Any]

    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        left, right = (self.column(place, columns, size) for place in (0, 1))
        if Kind.LIST in left.present | right.present or not size:
            return None
        problems = first_of(unless(left, *NUMBER), unless(right, *NUMBER))
        whole = left.are(Kind.INT), right.are(Kind.INT)
        both = whole[0] & whole[1]
        ints = np.zeros(size, np.int64)
        if both.any():
            one, other = left.ints.astype(np.int64), right.ints.astype(np.int64)
            if not self.fits(_largest(one), _largest(other)):
                return None
            ints = self.compute_pair(one, other)
        if both.all():
            return Found(shapes.integers(ints), problems)
        with np.errstate(all="ignore"):
            floats = self.compute_pair(
                compare.as_floats(left, whole[0]), compare.as_floats(right, whole[1])
            )
        floats, too_large = _finite(floats, ~both)
        return Found(_numbers(ints, floats, ~both), first_of(problems, too_large))

    def fits(self, one: int, other: int) -> bool:
        """Whether ints up to these bounds are computed exactly."""
        return one + other < SAFE


class Add(Arithmetic):
    compute_pair = staticmethod(operator.add)


class Sub(Arithmetic):
    compute_pair = staticmethod(operator.sub)


class Mul(Arithmetic):
    compute_pair = staticmethod(operator.mul)

    def fits(self, one: int, other: int) -> bool:
        return one * other < SAFE


class Div(Native):
    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        left, right = (self.column(place, columns, size) for place in (0, 1))
        if Kind.LIST in left.present | right.present:
            return None
        whole = left.are(Kind.INT), right.are(Kind.INT)
        # Python rounds the true quotient of two ints; of floats, only once they are exact.
        if any(_largest(side.ints.astype(np.int64)) > compare.EXACT for side in (left, right)):
            return None
        problems = first_of(unless(left, *NUMBER), unless(right, *NUMBER))
        with np.errstate(all="ignore"):
            floats = compare.as_floats(left, whole[0]) / compare.as_floats(right, whole[1])
        floats, wrong = _finite(floats, np.ones(size, np.bool_))  # by zero, or too large
        return Found(Column(size, Kind.FLOAT, floats=floats), first_of(problems, wrong))


# --- arrays


class Reduction(Native):
    """A function of an array of numbers, for the kinds of items it can do."""

    kinds: tuple[Kind, ...] = (Kind.INT,)

    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        column = columns[0]
        occurring = shapes.occurring(column.items) if Kind.LIST in column.present else frozenset()
        if len(occurring) != 1 or not occurring.issubset(self.kinds):
            return None
        result = self.reduce(column)
        return result if result is None else Found(result, unless(column, Kind.LIST))

    @abstractmethod
    def reduce(self, column: Column) -> Column | None:
        """The results for all lists."""


def _sums(column: Column) -> Ints | None:
    """The sums of ints, unless they might overflow."""
    ints = column.items.ints.astype(np.int64)
    if _largest(ints) * len(ints) >= SAFE:
        return None
    before = shapes.ends_of(ints)
    return np.diff(before[column.offsets])


class Sum(Reduction):
    def reduce(self, column: Column) -> Column | None:
        sums = _sums(column)
        return None if sums is None else shapes.integers(sums)


class Average(Reduction):
    def reduce(self, column: Column) -> Column | None:
        sums = _sums(column)
        if sums is None or _largest(sums) > compare.EXACT:
            return None
        lengths = column.lengths
        averages = sums.astype(np.float64) / np.maximum(lengths, 1)
        made = Column(column.size, Kind.FLOAT, floats=averages)
        return shapes.replaced(made, lengths == 0, Kind.NULL)


class Extreme(Reduction):
    """`min` and `max`."""

    kinds = NUMBER
    pick: np.ufunc

    def reduce(self, column: Column) -> Column | None:
        items, filled = column.items, column.lengths > 0
        kind = Kind.INT if Kind.INT in shapes.occurring(items) else Kind.FLOAT
        numbers = items.ints if kind is Kind.INT else items.floats
        if kind is Kind.FLOAT and (np.isnan(numbers) | (numbers == 0) & np.signbit(numbers)).any():
            return None  # of 0.0 and -0.0 Python takes the first
        found = np.zeros(column.size, numbers.dtype)
        if filled.any():
            found[filled] = self.pick.reduceat(numbers, column.offsets[:-1][filled])
        if kind is Kind.INT:
            made = shapes.integers(found)
        else:
            made = Column(column.size, kind, floats=found)
        return shapes.replaced(made, ~filled, Kind.NULL)


class Max(Extreme):
    pick = np.maximum


class Min(Extreme):
    pick = np.minimum


class Reverse(Native):
    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        column = columns[0]
        if Kind.TEXT in column.present or Kind.LIST not in column.present:
            return None
        return Found(lists.cut(column, slice(None, None, -1)), unless(column, Kind.LIST))


class Contains(Native):
    """Arrays; texts are left to `Call`, which looks at each word once."""

    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        if 0 in self.literals:
            return None
        column = columns[0]
        if Kind.TEXT in column.present or Kind.LIST not in column.present:
            return None
        mask, problems = self.holds(column, columns)
        problems = first_of(unless(column, Kind.LIST), problems)
        return Found(shapes.booleans(mask), problems)

    def holds(self, column: Column, columns: Sequence[Column]) -> tuple[Mask, Problems]:
        """Which lists hold what is wanted."""
        if 1 in self.literals:
            return self.holding(column, self.literals[1])
        wanted = columns[1].take(np.repeat(np.arange(column.size), column.lengths))
        found = compare.equals(column.items, wanted)
        mask = counts(found.mask, column.offsets) > 0
        return mask, first_of(of_lists(found.problems, column.offsets), unknown(columns[1]))

    @staticmethod
    def holding(column: Column, literal: Value) -> tuple[Mask, Problems]:
        """Which lists hold `literal`."""
        found = compare.equals_literal(column.items, literal)
        mask = counts(found.mask, column.offsets) > 0
        return mask, of_lists(found.problems, column.offsets)


class ContainsMany(Contains):
    """`contains_any` and `contains_all`, of a literal array."""

    every: bool

    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        return super().native(columns, size) if self.literals.get(1).__class__ is list else None

    def holds(self, column: Column, columns: Sequence[Column]) -> tuple[Mask, Problems]:
        mask = np.full(column.size, self.every, np.bool_)
        problems: Problems = None
        for wanted in self.literals[1]:
            found, more = self.holding(column, wanted)
            mask = mask & found if self.every else mask | found
            problems = first_of(problems, more)
        return mask, problems


class ContainsAny(ContainsMany):
    every = False


class ContainsAll(ContainsMany):
    every = True


# --- objects


class Keys(Native):
    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        column = columns[0]
        if Kind.OBJECT not in column.present:
            return None
        ends, codes, _ = lists.members(column)
        words = Words.of(list(column.fields), distinct=True)
        names = Column(len(codes), Kind.TEXT, codes=codes, words=words)
        return Found(shapes.lists(ends, names), unless(column, Kind.OBJECT))


class Values(Native):
    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        column = columns[0]
        if Kind.OBJECT not in column.present:
            return None
        ends, _, items = lists.members(column)
        return Found(shapes.lists(ends, items), unless(column, Kind.OBJECT))


def _follow(column: Column, path: str) -> tuple[Column, Problems]:
    """What the path leads to, missing where it leads nowhere."""
    problems: Problems = None
    for key in key_path(path):
        problems = first_of(problems, unknown(column))
        below = column.fields.get(key) if Kind.OBJECT in column.present else None
        column = Column(column.size, Kind.MISSING) if below is None else below
    return column, problems


class HasKeys(Native):
    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        paths = [self.literals.get(place) for place in range(1, len(self.arguments))]
        if not all(path.__class__ is str for path in paths):
            return None
        mask = np.ones(size, np.bool_)
        problems: Problems = None
        for path in paths:
            found, more = _follow(columns[0], str(path))
            mask &= ~found.are(Kind.MISSING)
            problems = first_of(problems, more)
        return Found(shapes.booleans(mask), problems)


class Get(Native):
    def native(self, columns: Sequence[Column], size: int) -> Found | None:
        if 0 in self.literals or self.literals.get(1).__class__ is not str:
            return None
        found, problems = _follow(columns[0], self.literals[1])
        if Kind.MISSING not in found.present:
            return Found(found, problems)
        default = shapes.nulls(size)
        if len(self.arguments) == 3:
            default = shapes.settled(self.column(2, columns, size))
        return Found(shapes.choose(found.are(Kind.MISSING), default, found), problems)


NATIVE: dict[str, type[Call]] = {
    "abs": Abs,
    "add": Add,
    "avg": Average,
    "ceil": Ceil,
    "contains": Contains,
    "contains_all": ContainsAll,
    "contains_any": ContainsAny,
    "div": Div,
    "floor": Floor,
    "get": Get,
    "has_keys": HasKeys,
    "keys": Keys,
    "length": Length,
    "max": Max,
    "min": Min,
    "mul": Mul,
    "neg": Neg,
    "not_null": NotNull,
    "prod": Mul,
    "reverse": Reverse,
    "sub": Sub,
    "sum": Sum,
    "to_array": ToArray,
    "to_number": ToNumber,
    "to_string": ToString,
    "type": TypeName,
    "values": Values,
}
