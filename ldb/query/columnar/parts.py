"""What each kind of node makes of a column: keys, literals, logic, comparisons.

A `Part` maps a column of current values to as many results. It may be asked about more
values than the row evaluator would look at (the right side of `&&`): who asks leaves out
the statuses of those, and parts that are not `cheap` are asked about no more than need be.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from ldb.columns.model import Column, Kind, Mask, Positions
from ldb.query.columnar import compare, shapes
from ldb.query.columnar.outcome import Found, Problems, Status, Truth, first_of, unknown, where
from ldb.query.values import Value


class Part(ABC):
    """A compiled node."""

    cheap = False
    """Whether evaluating it everywhere costs less than picking the values that need it."""

    @abstractmethod
    def value(self, column: Column) -> Found:
        """Its value for each value of `column`."""

    def test(self, column: Column) -> Truth:
        """Whether that is true."""
        found = self.value(column)
        truth = compare.truth(found.column)
        return Truth(truth.mask, first_of(found.problems, truth.problems))


class Current(Part):
    """`@`"""

    cheap = True

    def value(self, column: Column) -> Found:
        return Found(column)


class Literal(Part):
    cheap = True

    def __init__(self, literal: Value) -> None:
        self.literal = literal
        self._one = shapes.from_results([literal])

    def value(self, column: Column) -> Found:
        return Found(shapes.repeat(self._one, column.size))


class Field(Part):
    """A key: if it is not there the document lacks it (`strict`), or it is null."""

    cheap = True

    def __init__(self, key: str, strict: bool) -> None:
        self.key = key
        self.strict = strict

    def value(self, column: Column) -> Found:
        below = column.fields.get(self.key) if Kind.OBJECT in column.present else None
        if below is None:
            below = Column(column.size, Kind.MISSING)
        problems = unknown(column)
        if Kind.MISSING not in below.present:
            return Found(below, problems)
        if self.strict:
            missing = where(below.are(Kind.MISSING), Status.LACKS)
            return Found(below, first_of(problems, missing))
        return Found(shapes.settled(below), problems)


class InOrder(Part):
    """Parts one after the other: sub-expressions, pipes."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.cheap = all(part.cheap for part in parts)

    def value(self, column: Column) -> Found:
        return self._last(column, self.parts)

    def test(self, column: Column) -> Truth:
        found = self._last(column, self.parts[:-1])
        truth = self.parts[-1].test(found.column)
        return Truth(truth.mask, first_of(found.problems, truth.problems))

    @staticmethod
    def _last(column: Column, parts: Sequence[Part]) -> Found:
        problems: Problems = None
        for part in parts:
            found = part.value(column)
            column, problems = found.column, first_of(problems, found.problems)
        return Found(column, problems)


# --- logic


class Chain(Part):
    """`a || b || …` and `a && b && …`: the first operand that decides, else the last."""

    def __init__(self, parts: Sequence[Part], stops_at: bool) -> None:
        self.parts = parts
        self.stops_at = stops_at
        self.cheap = all(part.cheap for part in parts)

    def test(self, column: Column) -> Truth:
        first = self.parts[0].test(column)
        mask, problems = first.mask, first.problems
        for part in self.parts[1:]:
            open_ = self._open(mask, problems)
            if not open_.any():
                break
            if part.cheap or open_.all():
                found = part.test(column)
                mask = mask | found.mask if self.stops_at else mask & found.mask
                problems = _reached(problems, open_, found.problems)
                continue
            rows = np.flatnonzero(open_)
            found = part.test(column.take(rows))
            mask = mask.copy()
            mask[rows] = found.mask
            problems = _spread(problems, rows, found.problems, column.size)
        return Truth(mask, problems)

    def value(self, column: Column) -> Found:
        first = self.parts[0].value(column)
        result, problems = first.column, first.problems
        for part in self.parts[1:]:
            truth = compare.truth(result)
            problems = first_of(problems, truth.problems)
            open_ = self._open(truth.mask, problems)
            if not open_.any():
                break
            if part.cheap or open_.all():
                found = part.value(column)
                result = shapes.choose(open_, found.column, result)
                problems = _reached(problems, open_, found.problems)
                continue
            rows, others = np.flatnonzero(open_), np.flatnonzero(~open_)
            found = part.value(column.take(rows))
            parts = [(others, result.take(others)), (rows, found.column)]
            result = shapes.gather(parts, column.size)
            problems = _spread(problems, rows, found.problems, column.size)
        return Found(result, problems)

    def _open(self, mask: Mask, problems: Problems) -> Mask:
        """Which documents the next operand decides."""
        undecided = ~mask if self.stops_at else mask
        return undecided if problems is None else undecided & (problems == Status.OK)


def _reached(problems: Problems, rows: Mask, later: Problems) -> Problems:
    """With the problems that a part had with `rows`, of all values that it saw."""
    return problems if later is None else first_of(problems, later * rows)


def _spread(problems: Problems, rows: Positions, later: Problems, size: int) -> Problems:
    """The same of a part that saw `rows` only."""
    if later is None:
        return problems
    everywhere = np.zeros(size, np.uint8)
    everywhere[rows] = later
    return first_of(problems, everywhere)


class Not(Part):
    def __init__(self, part: Part) -> None:
        self.part = part
        self.cheap = part.cheap

    def test(self, column: Column) -> Truth:
        found = self.part.test(column)
        return Truth(~found.mask, found.problems)

    def value(self, column: Column) -> Found:
        found = self.test(column)
        return Found(shapes.booleans(found.mask), found.problems)


# --- comparisons


class Equality(Part):
    """`==`, `!=`"""

    def __init__(self, left: Part, right: Part, differs: bool) -> None:
        self.left = left
        self.right = right
        self.differs = differs
        self.cheap = left.cheap and right.cheap

    def test(self, column: Column) -> Truth:
        left = self.left.value(column)
        if isinstance(self.right, Literal):
            found = compare.equals_literal(left.column, self.right.literal)
            problems = left.problems
        else:
            right = self.right.value(column)
            found = compare.equals(left.column, right.column)
            problems = first_of(left.problems, right.problems)
        mask = ~found.mask if self.differs else found.mask
        return Truth(mask, first_of(problems, found.problems))

    def value(self, column: Column) -> Found:
        found = self.test(column)
        return Found(shapes.booleans(found.mask), found.problems)


class Order(Part):
    """`<` and its like: null where the two cannot be compared."""

    def __init__(self, left: Part, right: Part, name: str) -> None:
        self.left = left
        self.right = right
        self.name = name
        self.cheap = left.cheap and right.cheap

    def _compare(self, column: Column) -> tuple[Truth, Mask]:
        left = self.left.value(column)
        if isinstance(self.right, Literal):
            found, able = compare.ordered_literal(left.column, self.name, self.right.literal)
            problems = left.problems
        else:
            right = self.right.value(column)
            found, able = compare.ordered(left.column, right.column, self.name)
            problems = first_of(left.problems, right.problems)
        return Truth(found.mask, first_of(problems, found.problems)), able

    def test(self, column: Column) -> Truth:
        return self._compare(column)[0]

    def value(self, column: Column) -> Found:
        found, able = self._compare(column)
        return Found(shapes.replaced(shapes.booleans(found.mask), ~able, Kind.NULL), found.problems)
