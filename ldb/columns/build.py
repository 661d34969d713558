"""Columns from Python values, and several columns put end to end.

The plain definition of what columns hold: `shred` does the same from payloads, faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ldb.columns.model import Column, Kind, Words

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1


class _Missing:
    """Stands for a value that is not there."""


MISSING = _Missing()
"""In a list for `from_values`: no value."""

_KINDS: dict[type, Kind] = {
    _Missing: Kind.MISSING,
    type(None): Kind.NULL,
    float: Kind.FLOAT,
    str: Kind.TEXT,
    list: Kind.LIST,
    dict: Kind.OBJECT,
}


def _kind(value: Any) -> Kind:
    if value is True:
        return Kind.TRUE
    if value is False:
        return Kind.FALSE
    if value.__class__ is int:
        return Kind.INT if INT_MIN <= value <= INT_MAX else Kind.OPAQUE
    return _KINDS.get(value.__class__, Kind.OPAQUE)


def from_values(values: Sequence[Any]) -> Column:
    """A column of decoded JSON values; bytes and ints beyond 64 bits with a sign are opaque."""
    size = len(values)
    kinds = np.fromiter(map(_kind, values), np.uint8, size)
    present = frozenset(Kind(at) for at in np.flatnonzero(np.bincount(kinds)).tolist())
    one = next(iter(present)) if len(present) == 1 else None

    def numbers(kind: Kind, dtype: type) -> Any:
        if kind not in present:
            return None
        found: Any = np.zeros(size, dtype)
        places = np.flatnonzero(kinds == kind)
        found[places] = np.array([values[at] for at in places.tolist()], dtype)
        return found

    codes, words = _texts(values, kinds) if Kind.TEXT in present else (None, None)
    offsets, items = _lists(values, kinds) if Kind.LIST in present else (None, None)
    return Column(
        size,
        one,
        kinds=kinds,
        present=present,
        ints=numbers(Kind.INT, np.int64),
        floats=numbers(Kind.FLOAT, np.float64),
        codes=codes,
        words=words,
        offsets=offsets,
        items=items,
        fields=_fields(values, kinds) if Kind.OBJECT in present else None,
    )


def _texts(values: Sequence[Any], kinds: Any) -> tuple[Any, Words]:
    known: dict[str, int] = {}
    codes = np.zeros(len(values), np.int32)
    for at in np.flatnonzero(kinds == Kind.TEXT).tolist():
        codes[at] = known.setdefault(values[at], len(known))
    return codes, Words.of(list(known), distinct=True)


def _lists(values: Sequence[Any], kinds: Any) -> tuple[Any, Column]:
    lengths = np.zeros(len(values), np.int64)
    items: list[Any] = []
    for at in np.flatnonzero(kinds == Kind.LIST).tolist():
        lengths[at] = len(values[at])
        items += values[at]
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths))), from_values(items)


def _fields(values: Sequence[Any], kinds: Any) -> dict[str, Column]:
    places = np.flatnonzero(kinds == Kind.OBJECT).tolist()
    order: dict[str, None] = {}
    for at in places:
        order.update(dict.fromkeys(values[at]))
    found: dict[str, Column] = {}
    for key in order:
        below: list[Any] = [MISSING] * len(values)
        for at in places:
            below[at] = values[at].get(key, MISSING)
        found[key] = from_values(below)
    return found


def concat(columns: Sequence[Column]) -> Column:
    """All values of all columns, one column after the other; parts load when asked for."""
    if len(columns) == 1:
        return columns[0]
    size = sum(each.size for each in columns)
    filled = [each for each in columns if each.size]
    if not filled:
        return Column(0, Kind.NULL)
    present = frozenset().union(*(each.present for each in filled))
    kinds = {each.kind for each in filled}

    def joined(kind: Kind, name: str) -> Callable[[], Any] | None:
        if kind not in present:
            return None
        return lambda: np.concatenate([getattr(each, name) for each in filled])

    return Column(
        size,
        kinds.pop() if len(kinds) == 1 else None,
        kinds=lambda: np.concatenate([each.kinds for each in filled]),
        present=present,
        ints=joined(Kind.INT, "ints"),
        floats=joined(Kind.FLOAT, "floats"),
        codes=(lambda: _joined_codes(filled)) if Kind.TEXT in present else None,
        words=(lambda: _joined_words(filled)) if Kind.TEXT in present else None,
        offsets=(lambda: _joined_offsets(filled)) if Kind.LIST in present else None,
        items=(lambda: concat([each.items for each in filled])) if Kind.LIST in present else None,
        fields=(lambda: _joined_fields(filled)) if Kind.OBJECT in present else None,
    )


def _joined_codes(columns: Sequence[Column]) -> Any:
    shift, parts = 0, []
    for each in columns:
        # Where there is no text every code is 0, which must stay a code of some word.
        count = len(each.words)
        parts.append(each.codes.astype(np.int64) + (shift if count else 0))
        shift += count
    return np.concatenate(parts)


def _joined_words(columns: Sequence[Column]) -> Words:
    shift, ends = 0, [np.zeros(1, np.int64)]
    for each in columns:
        ends.append(each.words.offsets[1:] + shift)
        shift += len(each.words.data)
    return Words(np.concatenate([each.words.data for each in columns]), np.concatenate(ends))


def _joined_offsets(columns: Sequence[Column]) -> Any:
    shift, ends = 0, [np.zeros(1, np.int64)]
    for each in columns:
        ends.append(each.offsets[1:] + shift)
        shift += each.items.size
    return np.concatenate(ends)


def _joined_fields(columns: Sequence[Column]) -> dict[str, Column]:
    order: dict[str, None] = {}
    for each in columns:
        order.update(dict.fromkeys(each.fields))
    return {
        key: concat([each.fields.get(key) or Column(each.size, Kind.MISSING) for each in columns])
        for key in order
    }
