"""Columns put together: side by side into the rows they are of, or end to end for good.

Unlike `concat`, which loads nothing, `join` makes the arrays at once, gives texts one
dictionary, and keeps the limits on keys and columns for the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ldb.columns.model import Column, Ints, Kind, Mask, Positions, Words
from ldb.columns.payloads import PADDING, Payloads
from ldb.columns.text import encode

MAX_KEYS = 256
"""Most keys of the objects of one column."""
MAX_COLUMNS = 1024
"""Most columns in one tree."""


class Budget:
    """How many columns a tree has, counted while it is made."""

    def __init__(self) -> None:
        self.columns = 0
        self.tried = 0

    def take(self) -> bool:
        """Count one more column, unless there are too many.

        Those given up count as well, four times more generously, so that giving up many
        objects one after the other comes to an end.
        """
        self.columns += 1
        self.tried += 1
        return self.columns <= MAX_COLUMNS and self.tried <= 4 * MAX_COLUMNS


def place(size: int, parts: Sequence[tuple[Positions, Column]]) -> Column:
    """`size` values: those of each part at its positions (ascending), missing elsewhere.

    No two parts have texts, lists or objects.
    """
    kinds = np.zeros(size, np.uint8)
    found: dict[str, Any] = {}
    for places, part in parts:
        kinds[places] = part.kinds
        present = part.present
        for kind, name in _ARRAYS:
            if kind in present:
                values = getattr(part, name)
                found[name] = np.zeros(size, values.dtype)
                found[name][places] = values
        if Kind.TEXT in present:
            found["words"] = part.words
        if Kind.LIST in present:
            lengths = np.zeros(size, np.int64)
            lengths[places] = part.lengths
            found["offsets"], found["items"] = ends(lengths), part.items
        if Kind.OBJECT in present:
            below = part.fields.items()
            found["fields"] = {key: place(size, [(places, each)]) for key, each in below}
    return Column(size, kinds=kinds, **found)


_ARRAYS = ((Kind.INT, "ints"), (Kind.FLOAT, "floats"), (Kind.TEXT, "codes"))


def ends(lengths: Ints) -> Ints:
    """Offsets of parts of these lengths."""
    found = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=found[1:])
    return found


def join(columns: Sequence[Column], budget: Budget | None = None) -> Column:
    """All values of all columns, one column after the other."""
    filled = [each for each in columns if each.size]
    if len(filled) <= 1:
        return filled[0] if filled else Column(0, Kind.NULL)
    budget = budget or Budget()
    size = sum(each.size for each in filled)
    present = frozenset().union(*(each.present for each in filled))
    kinds = np.concatenate([each.kinds for each in filled])
    found: dict[str, Any] = {}
    for kind, name in _ARRAYS[:2]:
        if kind in present:
            found[name] = np.concatenate([getattr(each, name) for each in filled])
    if Kind.TEXT in present:
        found["codes"], found["words"] = _texts(filled, kinds == Kind.TEXT)
    for kind, inside in ((Kind.LIST, _lists), (Kind.OBJECT, _objects)):
        if kind in present:
            before = budget.columns
            parts = inside(filled, budget)
            if parts is None:
                budget.columns = before
                kinds[kinds == kind] = Kind.OPAQUE
            else:
                found.update(parts)
    return of_kinds(size, kinds, found)


def of_kinds(size: int, kinds: Any, found: dict[str, Any]) -> Column:
    """A column of these parts, of one kind if all kinds are the same."""
    if (kinds == kinds[0]).all():
        return Column(size, Kind(int(kinds[0])), **found)
    return Column(size, kinds=kinds, **found)


def _lists(columns: Sequence[Column], budget: Budget) -> dict[str, Any] | None:
    if not budget.take():
        return None
    lengths = np.concatenate([each.lengths for each in columns])
    return {"offsets": ends(lengths), "items": join([each.items for each in columns], budget)}


def _objects(columns: Sequence[Column], budget: Budget) -> dict[str, Any] | None:
    keys = {key for each in columns for key in each.fields}
    if len(keys) > MAX_KEYS:
        return None
    fields: dict[str, Column] = {}
    for key in sorted(keys, key=str.encode):
        if not budget.take():
            return None
        below = [each.fields.get(key) or Column(each.size, Kind.MISSING) for each in columns]
        fields[key] = join(below, budget)
    return {"fields": fields}


def _texts(columns: Sequence[Column], are_texts: Mask) -> tuple[Any, Words]:
    """The words of all parts once, or the texts in order where more than half differ."""
    words = [each.words for each in columns]
    raw = b"".join([each.data.tobytes() for each in words] + [bytes(PADDING)])
    payloads = Payloads(raw)
    lengths = np.concatenate([np.diff(each.offsets) for each in words])
    starts = np.cumsum(lengths) - lengths
    shifts = np.cumsum([0] + [len(each) for each in words])
    picked = np.concatenate(
        [
            each.codes[each.are(Kind.TEXT)].astype(np.int64) + shift
            for each, shift in zip(columns, shifts.tolist())
        ]
    )
    known, merged = encode(payloads, starts, lengths)
    if any(each.distinct for each in words) and not merged.distinct:
        known, merged = encode(payloads, starts[picked], lengths[picked])
    elif merged.distinct:
        known = known[picked]
    codes = np.zeros(len(are_texts), known.dtype)
    codes[are_texts] = known
    return codes, merged
