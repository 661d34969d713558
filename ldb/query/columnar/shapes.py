"""Columns cut, joined and filled for the evaluator.

All of a column's objects have their keys in one order, that of `fields`, in the row
evaluator every object has its own. Annotations are sorted and agree; objects that a query
makes may not. Where no one order fits all, objects become opaque and are evaluated again
row by row: rare, and never wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ldb.columns.build import concat, from_values
from ldb.columns.model import Column, Ints, Kind, Mask, Positions, spread

CONTAINERS = frozenset((Kind.LIST, Kind.OBJECT))
_OPAQUE = b""
"""A value no column holds."""

Keys = tuple[str, ...]
Rank = Callable[[str], Any]


def nulls(size: int) -> Column:
    return Column(size, Kind.NULL)


def booleans(mask: Mask) -> Column:
    """true where the mask is True, else false."""
    kinds = mask.view(np.uint8) + np.uint8(Kind.FALSE)
    return Column(len(mask), kinds=kinds, present=frozenset((Kind.FALSE, Kind.TRUE)))


def integers(numbers: Ints) -> Column:
    return Column(len(numbers), Kind.INT, ints=numbers)


def repeat(value: Column, size: int) -> Column:
    """The only value of a column, `size` times."""
    return value.take(np.zeros(size, np.intp))


def lists(offsets: Ints, items: Column | Callable[[], Column], of: Mask | None = None) -> Column:
    """Lists; null where `of` is False, where they must be empty."""
    size = len(offsets) - 1
    if of is None:
        return Column(size, Kind.LIST, offsets=offsets, items=items)
    kinds = np.where(of, np.uint8(Kind.LIST), np.uint8(Kind.NULL))
    present = frozenset((Kind.LIST, Kind.NULL))
    return Column(size, kinds=kinds, present=present, offsets=offsets, items=items)


def ends_of(lengths: Ints) -> Ints:
    """Offsets of lists of these lengths."""
    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    return ends


def occurring(column: Column) -> frozenset[Kind]:
    """The kinds that occur, and no others."""
    if column.kind is not None or len(column.present) == 1:
        return column.present
    return frozenset(kind for kind in column.present if column.are(kind).any())


def replaced(column: Column, rows: Mask, kind: Kind) -> Column:
    """The column with these values made `kind`, one that needs no parts."""
    if not rows.any():
        return column
    if rows.all():
        return Column(column.size, kind)
    present = column.present

    def lengths() -> Ints:
        return np.where(rows, 0, column.lengths)

    return Column(
        column.size,
        kinds=lambda: np.where(rows, np.uint8(kind), column.kinds),
        present=present | {kind},
        ints=(lambda: column.ints) if Kind.INT in present else None,
        floats=(lambda: column.floats) if Kind.FLOAT in present else None,
        codes=(lambda: column.codes) if Kind.TEXT in present else None,
        words=(lambda: column.words) if Kind.TEXT in present else None,
        offsets=(lambda: ends_of(lengths())) if Kind.LIST in present else None,
        items=(lambda: column.items.take(spread(column.offsets[:-1], lengths())))
        if Kind.LIST in present
        else None,
        fields=(
            lambda: {
                key: replaced(below, rows, Kind.MISSING) for key, below in column.fields.items()
            }
        )
        if Kind.OBJECT in present
        else None,
    )


def settled(column: Column) -> Column:
    """The column with null for what is not there."""
    if Kind.MISSING not in column.present:
        return column
    return replaced(column, column.are(Kind.MISSING), Kind.NULL)


def take_or_null(column: Column, places: Positions, there: Mask) -> Column:
    """The values at `places`, null where they are not `there`."""
    if there.all():
        return column.take(places)
    if not there.any():
        return nulls(len(places))
    return replaced(column.take(np.where(there, places, 0)), ~there, Kind.NULL)


def choose(first: Mask, one: Column, other: Column) -> Column:
    """`one` where `first` is True, else `other`."""
    if first.all():
        return one
    if not first.any():
        return other
    for kept, dropped, rows in ((one, other, ~first), (other, one, first)):
        if dropped.kind is not None and dropped.kind < Kind.INT:
            return replaced(kept, rows, dropped.kind)
    places = np.arange(len(first))
    return join([one, other]).take(np.where(first, places, places + len(first)))


def gather(parts: Sequence[tuple[Positions, Column]], size: int) -> Column:
    """Columns of which each has the values of its own rows, together of all `size` rows."""
    if len(parts) == 1:
        return parts[0][1]
    places = np.empty(size, np.intp)
    places[np.concatenate([rows for rows, _ in parts])] = np.arange(size)
    return join([column for _, column in parts]).take(places)


# --- the order of keys


def arranged(column: Column, rank: Rank | None = None) -> Column:
    """The same values, the keys of all objects sorted (by `rank`), at every depth."""
    present = column._present if column.kind is None else frozenset((column.kind,))
    if present is not None and not present & CONTAINERS:
        return column

    def fields() -> dict[str, Column]:
        below = column.fields
        return {key: arranged(below[key], rank) for key in sorted(below, key=rank)}

    def has(name: str) -> bool:
        return getattr(column, "_" + name) is not None

    return Column(
        column.size,
        column.kind,
        kinds=(lambda: column.kinds) if column.kind is None else None,
        present=column._present,
        ints=(lambda: column.ints) if has("ints") else None,
        floats=(lambda: column.floats) if has("floats") else None,
        codes=(lambda: column.codes) if has("codes") else None,
        words=(lambda: column.words) if has("words") else None,
        offsets=(lambda: column.offsets) if has("offsets") else None,
        items=(lambda: arranged(column.items, rank)) if has("items") else None,
        fields=fields if has("fields") else None,
    )


def common_rank(orders: Iterable[Keys]) -> tuple[bool, Rank | None]:
    """An order of keys that all of `orders` keep, if there is one; None is the sorted order."""
    orders = set(orders)
    if all(_is_sorted(keys) for keys in orders):
        return True, None
    place: dict[str, int] = {}
    for keys in sorted(orders, key=lambda keys: (-len(keys), keys)):
        for key in keys:
            place.setdefault(key, len(place))
    fits = all(_is_sorted([place[key] for key in keys]) for keys in orders)
    return fits, place.__getitem__


def _is_sorted(keys: Sequence[Any]) -> bool:
    return all(one < other for one, other in pairwise(keys))


def join(columns: Sequence[Column]) -> Column:
    """All values of all columns, one column after the other."""
    if sum(bool(column.present & CONTAINERS) for column in columns) < 2:
        return concat(columns)
    orders = [set(_orders(column)) for column in columns]
    fits, rank = common_rank(set().union(*orders))
    if fits:
        return arranged(concat(columns), rank)
    plain = [
        column
        if all(map(_is_sorted, keys))
        else replaced(column, column.are(*CONTAINERS), Kind.OPAQUE)
        for column, keys in zip(columns, orders)
    ]
    return arranged(concat(plain))


def _orders(column: Column) -> Iterable[Keys]:
    """Orders of keys, at any depth."""
    if Kind.OBJECT in column.present:
        yield tuple(column.fields)
        for below in column.fields.values():
            yield from _orders(below)
    if Kind.LIST in column.present:
        yield from _orders(column.items)


def from_results(values: list[Any]) -> Column:
    """A column of what Python closures returned, every object's keys in its own order."""
    if not any(value.__class__ is dict or value.__class__ is list for value in values):
        return from_values(values)
    orders: set[Keys] = set()
    for value in values:
        orders.update(_orders_of(value))
    fits, rank = common_rank(orders)
    if fits:
        return arranged(from_values(values), rank)
    plain = [value if all(map(_is_sorted, _orders_of(value))) else _OPAQUE for value in values]
    return arranged(from_values(plain))


def _orders_of(value: Any) -> set[Keys]:
    found: set[Keys] = set()
    stack = [value]
    while stack:
        one = stack.pop()
        if one.__class__ is dict:
            found.add(tuple(one))
            stack += one.values()
        elif one.__class__ is list:
            stack += one
    return found
