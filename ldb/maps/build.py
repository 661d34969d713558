"""Maps from nothing: rows in key order become nodes, level by level, as they come."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ldb.errors import BadInput
from ldb.ids import Oid
from ldb.maps.boundary import Cutter
from ldb.maps.decode import counts_of
from ldb.maps.node import NodeSink
from ldb.maps.rows import Changes, Root, Rows, Schema, parent_rows
from ldb.maps.write import Writer


class Tower:
    """The levels of a map from `level` upwards, while it is built; holds a node a level."""

    def __init__(self, sink: NodeSink, schema: Schema, level: int = 0) -> None:
        self._sink = sink
        self._schema = schema
        self._level = level
        self._cutter = Cutter(schema, level)
        self._writer = Writer(sink, schema, level)
        self._above: Tower | None = None

    def push(self, rows: Rows) -> None:
        """Add rows of this level, in key order."""
        for piece, ends in self._cutter.cut(rows):
            self._emit(piece, ends)

    def finish(self) -> Root | None:
        """Write what is left; the map's root, None when there was no row at all."""
        rest = self._cutter.finish()
        if self._above is None and rest is not None and self._level and len(rest) == 1:
            return only_child(rest)
        if rest is not None:
            self._emit(rest, [len(rest)])
        return self._above.finish() if self._above else None

    def _emit(self, rows: Rows, ends: list[int]) -> None:
        if self._above is None:
            self._above = Tower(self._sink, self._schema, self._level + 1)
        last = np.array(ends) - 1
        self._above.push(parent_rows(rows.keys[last], self._writer.write_all(rows, ends)))


def only_child(rows: Rows) -> Root:
    """The child that a level of one row stands for: it is the map's root itself."""
    return Root(Oid(rows.fields[0][0].tobytes()), int(counts_of(rows)[0]))


def empty(sink: NodeSink, schema: Schema) -> Root:
    """The map without rows: one leaf without rows."""
    return Writer(sink, schema, 0).write(schema.blank(schema.column([])))


def build(sink: NodeSink, schema: Schema, chunks: Iterable[Rows]) -> Root:
    """Write a map of these rows: chunks ascending by key, each key once; memory is bounded."""
    upserts = (Changes.upserts(rows) for rows in chunks)
    return pile(sink, schema, ordered(schema, upserts)) or empty(sink, schema)


def pile(sink: NodeSink, schema: Schema, chunks: Iterable[Changes], level: int = 0) -> Root | None:
    """Make nodes of the rows of a level that has none yet, and the levels above.

    Deletions delete nothing; None where there is nothing but those.
    """
    tower = Tower(sink, schema, level)
    for chunk in chunks:
        tower.push(chunk.rows.take(~chunk.deleted) if chunk.deleted.any() else chunk.rows)
    return tower.finish()


def ordered(schema: Schema, chunks: Iterable[Changes]) -> Iterable[Changes]:
    """The chunks that have rows, checked one by one and against each other."""
    last: bytes | None = None
    for chunk in chunks:
        if not len(chunk):
            continue
        schema.check(chunk.rows)
        if last is not None and bytes(chunk.rows.keys[0]) <= last:
            raise BadInput(f"map {schema.name}", "keys are not in ascending order across chunks")
        last = bytes(chunk.rows.keys[-1])
        yield chunk
