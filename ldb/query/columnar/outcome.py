"""What evaluating an expression on a column gives: values or truths, each with a status.

Inside the evaluator a status of None stands for "all OK", which is nearly always so; what
a value is where its status is not OK means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import Column, Ints, Kind, Mask

Statuses: TypeAlias = NDArray[np.uint8]
Problems: TypeAlias = Union[Statuses, None]
"""A status for each value; None where all are OK."""


class Status(IntEnum):
    """How the evaluation of one document ended: by the first problem, in order."""

    OK = 0
    LACKS = 1
    """A key is not there, in a query that skips."""
    FAILED = 2
    """The row evaluator would raise one of its `FAILURES`."""
    REDO = 3
    """Columns cannot tell: ask the row evaluator."""


@dataclass(frozen=True)
class Outcome:
    """The value of an expression for each of n documents."""

    values: Column
    status: Statuses
    """Shape (n,), of `Status`; where it is not OK the value means nothing."""


@dataclass(frozen=True)
class Tested:
    """Whether an expression is true of each of n documents."""

    mask: Mask
    """Shape (n,); False where `status` is not OK."""
    status: Statuses


@dataclass
class Step:
    """How one sub-expression is evaluated."""

    expression: str
    how: str = "column-wise"
    """Or "row by row", once `rows` is not 0 or where it is known before."""
    why: str = ""
    rows: int = 0
    """Values handed to Python one by one, as far as the program has run."""

    def one_by_one(self, rows: int, why: str) -> None:
        """Note that `rows` values went one by one."""
        if rows:
            self.how, self.why = "row by row", why
            self.rows += rows


@dataclass(frozen=True)
class Found:
    """Values of a step."""

    column: Column
    problems: Problems = None


@dataclass(frozen=True)
class Truth:
    """Truths of a step; the mask means nothing where there is a problem."""

    mask: Mask
    problems: Problems = None


def first_of(earlier: Problems, later: Problems) -> Problems:
    """The first problem of each value."""
    if earlier is None:
        return later
    if later is None:
        return earlier
    return np.where(earlier != Status.OK, earlier, later)


def where(rows: Mask, status: Status) -> Problems:
    """`status` for these rows."""
    return rows * np.uint8(status) if rows.any() else None


def unless(column: Column, *kinds: Kind) -> Problems:
    """FAILED for values of other kinds, REDO for the opaque."""
    if column.present.issubset(kinds):
        return None
    of_kind = np.full(len(Kind), Status.FAILED, np.uint8)
    of_kind[list(kinds)] = Status.OK
    of_kind[Kind.OPAQUE] = Status.REDO
    found: Statuses = of_kind[column.kinds]
    return found if found.any() else None


def unknown(column: Column) -> Problems:
    """REDO for opaque values."""
    if Kind.OPAQUE not in column.present:
        return None
    return where(column.are(Kind.OPAQUE), Status.REDO)


def of_lists(problems: Problems, offsets: Ints) -> Problems:
    """For each list the problem of its first item that has one."""
    if problems is None:
        return None
    places = np.flatnonzero(problems)
    if not len(places):
        return None
    found = np.zeros(len(offsets) - 1, np.uint8)
    lists = np.searchsorted(offsets, places, side="right") - 1
    first = np.concatenate((np.ones(1, np.bool_), lists[1:] != lists[:-1]))
    found[lists[first]] = problems[places[first]]
    return found


def counts(mask: Mask, offsets: Ints) -> Ints:
    """How many items of each list are in `mask`."""
    if mask.all():
        return np.diff(offsets)
    # Fewer bits are faster to add up; no column has 2^31 items or nothing would fit in memory.
    before = np.zeros(len(mask) + 1, np.int32 if len(mask) < 1 << 31 else np.int64)
    np.cumsum(mask, out=before[1:])
    return np.diff(before[offsets]).astype(np.int64)
