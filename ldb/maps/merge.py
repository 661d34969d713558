"""Three-way merge: what `theirs` changed since `base`, applied to `ours`.

Costs what the changes of `theirs` cost, whatever the size of the maps. Where both changed
the same key differently, `ours` stays and the key is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.ids import Oid
from ldb.maps.diff import Difference, diff
from ldb.maps.edit import edit
from ldb.maps.node import NodeSink, NodeSource
from ldb.maps.read import count, lookup
from ldb.maps.rows import Changes, Keys, Root, Rows, Schema, same_fields
from ldb.progress import SILENT, Progress, advancing


@dataclass(frozen=True, slots=True)
class Side:
    """What one map has at some keys: rows with zeros where `there` is False."""

    there: NDArray[np.bool_]
    rows: Rows

    def take(self, where: NDArray[np.bool_]) -> Side:
        return Side(self.there[where], self.rows.take(where))


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Keys, ascending, that both sides changed in different ways, with what each has there."""

    schema: Schema
    base: Side
    ours: Side
    theirs: Side

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def keys(self) -> Keys:
        return self.base.rows.keys


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged map, with `ours` at the keys in conflict."""

    root: Root
    conflicts: Conflicts

    def conflict_keys(self) -> list[bytes]:
        """The keys in conflict as Python bytes, full width."""
        return self.conflicts.base.rows.key_list(self.conflicts.schema)


def merge(
    source: NodeSource,
    sink: NodeSink,
    schema: Schema,
    base: Oid,
    ours: Oid,
    theirs: Oid,
    *,
    progress: Progress = SILENT,
) -> Merged:
    """Merge two maps that both come from `base`; each change of theirs is a step."""
    found: list[tuple[Side, Side, Side]] = []
    if ours == theirs or base == theirs:
        root = Root(ours, count(source, schema, ours))
    elif base == ours:
        root = Root(theirs, count(source, schema, theirs))
    else:
        differences = advancing(diff(source, schema, base, theirs), progress)
        changes = _changes(source, schema, differences, ours, found)
        root = edit(source, sink, schema, ours, changes)
    return Merged(root, _gathered(schema, found))


def _changes(
    source: NodeSource,
    schema: Schema,
    differences: Iterator[Difference],
    ours: Oid,
    found: list[tuple[Side, Side, Side]],
) -> Iterator[Changes]:
    """What `ours` takes over from theirs; conflicts are put into `found`."""
    for part in differences:
        base, theirs = _sides(schema, part)
        there, fields = lookup(source, schema, ours, base.rows.keys)
        mine = Side(there, Rows(base.rows.keys, fields))
        untouched = _equal(mine, base)
        clash = ~untouched & ~_equal(mine, theirs)
        if clash.any():
            found.append((base.take(clash), mine.take(clash), theirs.take(clash)))
        yield Changes(theirs.rows, ~theirs.there).take(untouched)


def _equal(one: Side, other: Side) -> NDArray[np.bool_]:
    """Where two sides have the same: the same row, or none."""
    same: NDArray[np.bool_] = (one.there == other.there) & same_fields(one.rows, other.rows)
    return same


def _sides(schema: Schema, part: Difference) -> tuple[Side, Side]:
    """A difference as two sides with one list of keys."""
    keys = np.concatenate([part.removed.keys, part.added.keys, part.new.keys])
    order = np.argsort(keys, kind="stable")
    lost, gained = schema.blank(part.removed.keys), schema.blank(part.added.keys)
    old = Rows.concat([part.removed, gained, part.old]).take(order)
    new = Rows.concat([lost, part.added, part.new]).take(order)
    kinds = np.repeat([0, 1, 2], [len(part.removed), len(part.added), len(part.new)])[order]
    return Side(kinds != 1, old), Side(kinds != 0, new)


def _gathered(schema: Schema, found: list[tuple[Side, Side, Side]]) -> Conflicts:
    """All conflicts as columns."""
    none = Side(np.zeros(0, np.bool_), schema.blank(schema.column([])))
    columns = zip(*found, strict=True) if found else [(none,)] * 3
    sides = [
        Side(
            np.concatenate([side.there for side in column]),
            Rows.concat([side.rows for side in column]),
        )
        for column in columns
    ]
    return Conflicts(schema, *sides)
