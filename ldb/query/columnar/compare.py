"""Truth, equality and order of columns, as `ldb.query.values` and Python define them.

Python compares an int with a float exactly; numpy makes the int a float first. So a
literal is moved to the next number of the column's type, and of two columns those pairs
that a float cannot hold are compared by Python. Texts are compared once per distinct pair
of words or by rank.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import Column, Kind, Mask, Positions, spread
from ldb.query.columnar import shapes
from ldb.query.columnar.outcome import (
    Problems,
    Truth,
    counts,
    first_of,
    of_lists,
    unknown,
)
from ldb.query.values import NUMBERS, Value

EXACT = 1 << 53
"""Up to here every int is a float."""

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_CONSTANT = {None: Kind.NULL, False: Kind.FALSE, True: Kind.TRUE}


def truth(column: Column) -> Truth:
    """JMESPath's truth: of numbers always, of the rest unless null, false or empty."""
    kinds = column.present
    mask = column.are(Kind.TRUE, Kind.INT, Kind.FLOAT)
    if Kind.TEXT in kinds:
        mask |= of_words(column, ~column.words.equal_to(""))
    if Kind.LIST in kinds:
        mask |= column.lengths > 0
    if Kind.OBJECT in kinds:
        mask |= _has_keys(column)
    return Truth(mask, unknown(column))


def _has_keys(column: Column) -> Mask:
    """Which values are objects with a key."""
    mask: Mask = np.zeros(column.size, np.bool_)
    for below in column.fields.values():
        mask |= ~below.are(Kind.MISSING)
        if mask.all():
            break
    return mask & column.are(Kind.OBJECT)


def of_words(column: Column, wanted: Mask) -> Mask:
    """Which values are texts whose words are `wanted`."""
    found = np.flatnonzero(wanted)
    if not len(found):
        return np.zeros(column.size, np.bool_)
    mask: Mask = column.codes == found[0] if len(found) == 1 else wanted[column.codes]
    return mask if column.kind is Kind.TEXT else mask & column.are(Kind.TEXT)


# --- with a literal


def equals_literal(column: Column, literal: Value) -> Truth:
    """`column == literal`."""
    if literal is None or literal.__class__ is bool:
        return Truth(column.are(_CONSTANT[literal]), unknown(column))
    if literal.__class__ is str:
        if Kind.TEXT not in column.present:
            return Truth(np.zeros(column.size, np.bool_), unknown(column))
        return Truth(of_words(column, column.words.equal_to(literal)), unknown(column))
    if literal.__class__ in NUMBERS:
        return Truth(_numbers(column, "eq", literal), unknown(column))
    return equals(column, shapes.repeat(shapes.from_results([literal]), column.size))


def ordered_literal(column: Column, name: str, literal: Value) -> tuple[Truth, Mask]:
    """`column < literal` and its like; and where the two can be compared."""
    if literal.__class__ in NUMBERS:
        return (
            Truth(_numbers(column, name, literal), unknown(column)),
            column.are(Kind.INT, Kind.FLOAT),
        )
    if literal.__class__ is not str or Kind.TEXT not in column.present:
        never = np.zeros(column.size, np.bool_)
        return Truth(never, unknown(column)), never
    compare = _OPERATORS[name]
    used, texts = used_words(column, slice(None))
    wanted = np.zeros(len(column.words), np.bool_)
    wanted[used] = [compare(text, literal) for text in texts]
    return Truth(of_words(column, wanted), unknown(column)), column.are(Kind.TEXT)


def _numbers(column: Column, name: str, literal: Value) -> Mask:
    """Which numbers stand so to `literal`."""
    mask: Mask = np.zeros(column.size, np.bool_)
    for kind, part in ((Kind.INT, _ints), (Kind.FLOAT, _floats)):
        if kind in column.present:
            found = part(column, name, literal)
            mask = found if column.kind is kind else mask | (found & column.are(kind))
    return mask


def _ints(column: Column, name: str, literal: Value) -> Mask:
    ints = column.ints
    if literal.__class__ is float:
        whole = math.ceil(literal) if name in ("lt", "gte") else math.floor(literal)
        if name == "eq" and whole != literal:
            return np.zeros(column.size, np.bool_)
        literal = whole
    limits = np.iinfo(ints.dtype)
    if not limits.min <= literal <= limits.max:
        # Every value of this type is on the same side of it: 0 stands for any of them.
        return np.full(column.size, _OPERATORS[name](0, literal), np.bool_)
    found: Mask = _OPERATORS[name](ints, literal)
    return found


def _floats(column: Column, name: str, literal: Value) -> Mask:
    floats = column.floats
    try:
        near = float(literal)
    except OverflowError:  # beyond all floats
        return np.full(column.size, _OPERATORS[name](0.0, literal), np.bool_)
    if near != literal:
        # No float lies between the literal and `near`, so it can stand in for it.
        if name == "eq":
            return np.zeros(column.size, np.bool_)
        less = name in ("lt", "lte")
        strict = {True: "lt", False: "lte"} if less else {True: "gte", False: "gt"}
        name = strict[near > literal]
    found: Mask = _OPERATORS[name](floats, near)
    return found


# --- with another column


def equals(left: Column, right: Column) -> Truth:
    """`left == right` at every depth; a missing value equals a missing one."""
    problems = first_of(unknown(left), unknown(right))
    both = left.present & right.present
    mask: Mask = np.zeros(left.size, np.bool_)
    for kind in both & {Kind.MISSING, Kind.NULL, Kind.FALSE, Kind.TRUE}:
        mask |= left.are(kind) & right.are(kind)
    numbers = {Kind.INT, Kind.FLOAT}
    if left.present & numbers and right.present & numbers:
        mask |= _compare_numbers("eq", left, right)
    if Kind.TEXT in both:
        mask |= _compare_texts("eq", left, right)
    for kind, compare in ((Kind.LIST, _equal_lists), (Kind.OBJECT, _equal_objects)):
        if kind in both:
            rows = np.flatnonzero(left.are(kind) & right.are(kind))
            found = compare(left.take(rows), right.take(rows))
            mask[rows] = found.mask
            if found.problems is not None:
                below = np.zeros(left.size, np.uint8)
                below[rows] = found.problems
                problems = first_of(problems, below)
    return Truth(mask, problems)


def _equal_lists(left: Column, right: Column) -> Truth:
    alike = left.lengths == right.lengths
    lengths = np.where(alike, left.lengths, 0)
    ends = shapes.ends_of(lengths)
    if not ends[-1]:
        return Truth(alike)
    found = equals(
        left.items.take(spread(left.offsets[:-1], lengths)),
        right.items.take(spread(right.offsets[:-1], lengths)),
    )
    return Truth(alike & (counts(found.mask, ends) == lengths), of_lists(found.problems, ends))


def _equal_objects(left: Column, right: Column) -> Truth:
    mask: Mask = np.ones(left.size, np.bool_)
    problems: Problems = None
    lacking = Column(left.size, Kind.MISSING)
    one, other = left.fields, right.fields
    for key in {**one, **other}:
        found = equals(one.get(key, lacking), other.get(key, lacking))
        mask &= found.mask
        problems = first_of(problems, found.problems)
    return Truth(mask, problems)


def ordered(left: Column, right: Column, name: str) -> tuple[Truth, Mask]:
    """`left < right` and its like; and where the two can be compared."""
    problems = first_of(unknown(left), unknown(right))
    numbers = left.are(Kind.INT, Kind.FLOAT) & right.are(Kind.INT, Kind.FLOAT)
    mask: Mask = np.zeros(left.size, np.bool_)
    if numbers.any():
        mask |= _compare_numbers(name, left, right)
    texts = left.are(Kind.TEXT) & right.are(Kind.TEXT)
    if texts.any():
        mask |= _compare_texts(name, left, right)
    return Truth(mask, problems), numbers | texts


def _compare_numbers(name: str, left: Column, right: Column) -> Mask:
    compare = _OPERATORS[name]
    ints = left.are(Kind.INT), right.are(Kind.INT)
    both = ints[0] & ints[1]
    mask: Mask = compare(left.ints, right.ints) & both
    floats = left.are(Kind.FLOAT), right.are(Kind.FLOAT)
    rest = ((ints[0] | floats[0]) & (ints[1] | floats[1])) & ~both
    if not rest.any():
        return mask
    one, other = as_floats(left, ints[0]), as_floats(right, ints[1])
    mask |= compare(one, other) & rest
    large = rest & ((ints[0] & (np.abs(one) >= EXACT)) | (ints[1] & (np.abs(other) >= EXACT)))
    for row in np.flatnonzero(large).tolist():
        pair = [
            int(side.ints[row]) if of_ints[row] else float(side.floats[row])
            for side, of_ints in zip((left, right), ints)
        ]
        mask[row] = compare(*pair)
    return mask


def as_floats(column: Column, ints: Mask) -> NDArray[np.float64]:
    """The numbers as Python's float() makes them; anything for values that are none."""
    if column.kind is Kind.FLOAT:
        return column.floats
    if column.kind is Kind.INT:
        return column.ints.astype(np.float64)
    return np.where(ints, column.ints.astype(np.float64), column.floats)


def _compare_texts(name: str, left: Column, right: Column) -> Mask:
    rows = np.flatnonzero(left.are(Kind.TEXT) & right.are(Kind.TEXT))
    mask: Mask = np.zeros(left.size, np.bool_)
    if name == "eq" and left.words is right.words and left.words.distinct:
        mask[rows] = left.codes[rows] == right.codes[rows]
        return mask
    one, other = used_words(left, rows), used_words(right, rows)
    texts = {*one[1], *other[1]}
    rank = {text: place for place, text in enumerate(texts if name == "eq" else sorted(texts))}
    sides = []
    for column, (used, words) in ((left, one), (right, other)):
        ranks = np.zeros(len(column.words), np.int64)
        ranks[used] = [rank[word] for word in words]
        sides.append(ranks[column.codes[rows]])
    mask[rows] = _OPERATORS[name](*sides)
    return mask


def used_words(column: Column, rows: Positions | slice) -> tuple[Any, list[str]]:
    """Codes of words, at least all that the texts of these rows have, and the words."""
    words = column.words
    if len(words) <= column.size:
        return slice(None), words.strings
    codes = column.codes[rows]
    if isinstance(rows, slice):
        codes = codes[column.are(Kind.TEXT)]
    used = np.unique(codes)
    return used, words.some(used.tolist())
