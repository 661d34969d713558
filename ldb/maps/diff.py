"""Differences of two maps. Subtrees that are the same are not read.

Both maps are taken apart from the top, level by level, keeping only the nodes that the
other does not have; what is left at the bottom is compared row by row, in key order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.ids import Oid
from ldb.maps.node import Children, Node, NodeSource, Reader, above
from ldb.maps.rows import Keys, Rows, Schema, locate, same_fields


@dataclass(frozen=True, slots=True)
class Difference:
    """Differences in one range of keys; ranges of one diff ascend. Sorted by key."""

    removed: Rows
    """Rows whose keys only the old map has."""
    added: Rows
    """Rows whose keys only the new map has."""
    old: Rows
    """Rows whose keys both have with other fields, as they were,"""
    new: Rows
    """and as they are: `new.keys` equals `old.keys`."""

    @property
    def changed_keys(self) -> Keys:
        return self.new.keys

    def __len__(self) -> int:
        return len(self.removed) + len(self.added) + len(self.new)


def diff(source: NodeSource, schema: Schema, old: Oid, new: Oid) -> Iterator[Difference]:
    """What changed from `old` to `new`, in key order; parts without a difference are left out."""
    if old == new:
        return
    reader = Reader(source, schema)
    left, right = _Side(reader, old), _Side(reader, new)
    _drop_common(left, right)
    while level := max(left.level, right.level):
        for side in (left, right):
            if side.level == level:
                side.descend()
        _drop_common(left, right)
    for before, after in _aligned(left, right, schema.blank(schema.column([]))):
        if part := _compared(before, after):
            yield part


class _Side:
    """One map on its way down: the nodes of `level` that the other side does not have."""

    def __init__(self, reader: Reader, root: Oid) -> None:
        top = reader.root(root)
        self._reader = reader
        self._parents = [above(reader.schema, top)] if top.count else []
        self._chosen: list[NDArray[np.intp]] = [np.arange(1)] if top.count else []
        self.level = top.level

    def oids(self) -> NDArray[np.bytes_]:
        """Oids of the nodes."""
        parts = zip(self._parents, self._chosen, strict=True)
        columns = [parent.child_oids()[chosen] for parent, chosen in parts]
        return np.concatenate(columns) if columns else np.zeros(0, "S32")

    def keep(self, where: NDArray[np.bool_]) -> None:
        """Drop the nodes where this mask is False."""
        ends = np.cumsum([len(chosen) for chosen in self._chosen])
        masks = np.split(where, ends[:-1]) if len(ends) else []
        self._chosen = [each[mask] for each, mask in zip(self._chosen, masks, strict=True)]

    def descend(self) -> None:
        """From these nodes to all their children."""
        found: list[Node] = []
        for batch in self._batches():
            found += self._reader.open(batch.entries(), self.level)
        self._parents = found
        self._chosen = [np.arange(len(node.rows)) for node in found]
        self.level -= 1

    def rows(self) -> Iterator[Rows]:
        """The rows of these nodes, which are leaves, those of some nodes at a time."""
        for batch in self._batches():
            yield self._reader.read(batch, self.level).rows

    def _batches(self) -> Iterator[Children]:
        """What their parents say of these nodes."""
        waiting: list[Children] = []
        size = 0
        for parent, chosen in zip(self._parents, self._chosen, strict=True):
            if len(chosen):
                waiting.append(parent.children().take(chosen))
                size += len(chosen)
            if size >= self._reader.batch:
                yield Children.concat(waiting)
                waiting, size = [], 0
        if waiting:
            yield Children.concat(waiting)


def _drop_common(left: _Side, right: _Side) -> None:
    """Drop the nodes that both have: nodes of one oid hold the same rows."""
    ours, theirs = left.oids(), right.oids()
    left.keep(~np.isin(ours, theirs))
    right.keep(~np.isin(theirs, ours))


def _aligned(left: _Side, right: _Side, nothing: Rows) -> Iterator[tuple[Rows, Rows]]:
    """The rows of both sides, in pieces of the same key ranges."""
    sides = [left.rows(), right.rows()]
    waiting: list[Rows | None] = [next(side, None) for side in sides]
    while any(rows is not None for rows in waiting):
        bound = min(bytes(rows.keys[-1]) for rows in waiting if rows is not None)
        piece = []
        for at, rows in enumerate(waiting):
            stop = 0 if rows is None else int(rows.keys.searchsorted(bound, "right"))
            piece.append(nothing if rows is None else rows.slice(0, stop))
            if rows is not None:
                waiting[at] = rows.slice(stop) if stop < len(rows) else next(sides[at], None)
        yield piece[0], piece[1]


def _compared(before: Rows, after: Rows) -> Difference | None:
    """The difference of two pieces of one key range; None if there is none."""
    at, hit = locate(before, after.keys)
    gone = np.ones(len(before), np.bool_)
    gone[at[hit]] = False
    old, new = before.take(at[hit]), after.take(hit)
    changed = ~same_fields(old, new)
    part = Difference(before.take(gone), after.take(~hit), old.take(changed), new.take(changed))
    return part if len(part) else None
