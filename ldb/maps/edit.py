"""Edits: a sorted stream of changes, of which only the touched nodes are rewritten.

Each level is edited in the same way: changes to its rows come in, the nodes they fall into
are cut anew until cuts fall into step with the old ones, and what that did to the level's
list of nodes goes out as changes to the level above. All of it is pulled through as the
changes come, so memory holds a few nodes a level whatever the size of map or edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ldb.errors import Corrupt
from ldb.ids import NO_OID, Oid
from ldb.maps.boundary import Cutter
from ldb.maps.build import empty, only_child, ordered, pile
from ldb.maps.decode import MAX_LEVEL
from ldb.maps.node import (
    Node,
    NodeSink,
    NodeSource,
    Reader,
    Span,
    above,
)
from ldb.maps.rows import Changes, Root, Rows, Schema, locate, parent_rows, same_fields
from ldb.maps.write import Writer

_SEND = 128
"""Changes to the level above that are gathered before they go there."""


def edit(
    source: NodeSource, sink: NodeSink, schema: Schema, root: Oid, changes: Iterable[Changes]
) -> Root:
    """Apply changes, in chunks ascending by key, each key once; the new map's root.

    Deleting what is not there and writing what is there already change nothing; an edit
    that changes nothing gives back the same root and writes nothing.
    """
    reader = Reader(source, schema)
    top = reader.root(root)
    stream: Iterable[Changes] = ordered(schema, changes)
    if not top.count:
        return pile(sink, schema, stream) or Root(root, 0)
    for level in range(top.level + 1):
        stream = _Level(reader, sink, top, level).edit(_Feed(stream))
    first = next(iter(stream), None)
    if first is None:
        return Root(root, top.count)
    made = pile(sink, schema, chain([first], stream), top.level + 1)
    return made or empty(sink, schema)


class _Feed:
    """The changes to a level, taken from the front."""

    def __init__(self, chunks: Iterable[Changes]) -> None:
        self._chunks = iter(chunks)
        self._rest: Changes | None = None

    def peek(self) -> Changes | None:
        """The rest of the first chunk that has one."""
        while self._rest is None or not len(self._rest):
            self._rest = next(self._chunks, None)
            if self._rest is None:
                return None
        return self._rest

    def take(self, last: bytes | None) -> Changes | None:
        """Changes of one chunk with keys up to `last` (None: all); None when there are none."""
        rest = self.peek()
        if rest is None:
            return None
        stop = len(rest) if last is None else int(rest.rows.keys.searchsorted(last, "right"))
        self._rest = rest.slice(stop)
        return rest.slice(0, stop) if stop else None


class _Cursor:
    """A place in the nodes of one level, which only moves forward."""

    def __init__(self, reader: Reader, top: Node, level: int) -> None:
        self._reader = reader
        self._level = level
        self._top = top
        self._path = [above(reader.schema, top)]
        self._at = [0]

    def seek(self, key: bytes) -> bool:
        """Move to the node whose keys reach up to `key`, else the last; whether it moved."""
        self._settle()
        before = list(self._at)
        while len(self._path) > 1 and key > self._path[-1].last:
            self._pop()
        while True:
            node = self._path[-1]
            reach = min(int(node.rows.keys.searchsorted(key)), len(node.rows) - 1)
            self._at[-1] = max(self._at[-1], reach)
            if node.level == self._level + 1:
                return before != self._at
            self._descend()

    def take(self, count: int) -> Span | None:
        """The next nodes, up to `count` of those with one parent; None at the end."""
        if not self._settle():
            return None
        parent, start = self._path[-1], self._at[-1]
        self._at[-1] = stop = min(start + count, len(parent.rows))
        if len(self._path) == 1:
            top = self._top
            return Span([top.oid], top.rows, np.array([len(top.rows)]))
        return self._reader.read(parent.children().take(slice(start, stop)), self._level)

    def touched(self, changes: Changes) -> int:
        """How many of the next nodes, one after another, have changes of this chunk."""
        start = self._at[-1]
        keys = self._path[-1].rows.keys[start : start + self._reader.batch]
        reach = changes.rows.keys.searchsorted(keys, "right")
        same = np.flatnonzero(reach[1:] == reach[:-1])
        return int(same[0]) + 1 if len(same) else len(keys)

    def at_end(self) -> bool:
        """Whether the node taken last is the last of the level."""
        ends = [at + 1 >= len(node.rows) for node, at in zip(self._path, self._at, strict=True)]
        return all(ends[:-1]) and self._at[-1] >= len(self._path[-1].rows)

    def _settle(self) -> bool:
        """Leave parents that are done with; whether there is a next node."""
        while self._at[-1] >= len(self._path[-1].rows):
            if len(self._path) == 1:
                return False
            self._pop()
            self._at[-1] += 1
        while self._path[-1].level > self._level + 1:
            self._descend()
        return True

    def _pop(self) -> None:
        self._path.pop()
        self._at.pop()

    def _descend(self) -> None:
        parent, at = self._path[-1], self._at[-1]
        if len(self._path) == 1:
            child = self._top
        else:
            child = self._reader.open([parent.entry(at)], parent.level - 1)[0]
        self._path.append(child)
        self._at.append(0)


class _Level:
    """Edits one level: takes changes to its rows, yields changes to the level above."""

    def __init__(self, reader: Reader, sink: NodeSink, top: Node, level: int) -> None:
        if top.level >= MAX_LEVEL:
            raise Corrupt(top.oid, "map of too many levels")
        self._level = level
        self._schema = reader.schema
        self._cursor = _Cursor(reader, top, level)
        self._cutter = Cutter(reader.schema, level)
        self._writer = Writer(sink, reader.schema, level)
        self._alone = True  # no node before those being written
        self._gone: list[bytes] = []
        self._made: dict[bytes, Root] = {}
        self._known: set[bytes] = set()

    def edit(self, feed: _Feed) -> Iterator[Changes]:
        while (changes := feed.peek()) is not None or not self._cutter.empty:
            if not self._cutter.empty:
                nodes = self._cursor.take(1)
            elif changes is not None:
                if self._cursor.seek(bytes(changes.rows.keys[0])):
                    self._alone = False
                nodes = self._cursor.take(self._cursor.touched(changes))
            if nodes is None:
                break
            self._rewrite(nodes, feed)
            if len(self._made) + len(self._gone) >= _SEND:
                yield from self._send()
        self._finish()
        yield from self._send()

    def _rewrite(self, nodes: Span, feed: _Feed) -> None:
        """Cut these old nodes anew with their changes, unless the changes change nothing."""
        last = None if self._cursor.at_end() else bytes(nodes.rows.keys[-1])
        waiting: list[Rows] = []
        rewriting = not self._cutter.empty
        if rewriting:
            self._replace(nodes)
        for rows, changed in _merged(nodes.rows, feed, last):
            waiting.append(rows)
            if changed and not rewriting:
                rewriting = True
                self._replace(nodes)
            if rewriting:
                for each in waiting:
                    self._push(each)
                waiting.clear()
        if not rewriting:
            self._alone = False

    def _replace(self, nodes: Span) -> None:
        """These old nodes leave the level (to come back, if they are cut the same again)."""
        self._gone += nodes.lasts()
        self._known = set(nodes.oids)

    def _push(self, rows: Rows) -> None:
        for piece, ends in self._cutter.cut(rows):
            made = self._writer.write_all(piece, ends, self._known)
            self._made.update(zip(piece.keys[np.array(ends) - 1].tolist(), made, strict=True))
            self._alone = False

    def _finish(self) -> None:
        """Write the level's last node; a level of one child is left out, the child goes up."""
        rest = self._cutter.finish()
        if rest is not None:
            bare = self._alone and self._level and len(rest) == 1
            root = only_child(rest) if bare else self._writer.write(rest, self._known)
            self._made[bytes(rest.keys[-1])] = root

    def _send(self) -> Iterator[Changes]:
        """What is settled so far, as changes to the level above."""
        gone, made = self._gone, self._made
        if not self._cutter.empty:
            settled = next(reversed(made), b"")
            gone = [key for key in gone if key <= settled]
        self._gone, self._made = self._gone[len(gone) :], {}
        if keys := sorted({*gone, *made}):
            nothing = Root(Oid(NO_OID), 0)
            rows = parent_rows(self._schema.column(keys), [made.get(key, nothing) for key in keys])
            yield Changes(rows, np.array([key not in made for key in keys], np.bool_))


def _merged(rows: Rows, feed: _Feed, last: bytes | None) -> Iterator[tuple[Rows, bool]]:
    """The rows with the changes up to `last`, in pieces: new rows, whether anything changed."""
    while (part := feed.take(last)) is not None:
        stop = int(rows.keys.searchsorted(part.rows.keys[-1], "right"))
        yield _applied(rows.slice(0, stop), part)
        rows = rows.slice(stop)
    if len(rows):
        yield rows, False


def _applied(rows: Rows, changes: Changes) -> tuple[Rows, bool]:
    """Rows after changes, and whether those changed anything."""
    new = changes.rows
    at, hit = locate(rows, new.keys)
    same = hit & ~changes.deleted
    where = np.flatnonzero(same)
    same[where] = same_fields(rows.take(at[where]), new.take(where))
    real = ~same & (hit | ~changes.deleted)
    if not real.any():
        return rows, False
    kept = np.ones(len(rows), np.bool_)
    kept[at[hit & real]] = False
    fresh = real & ~changes.deleted
    before = np.concatenate(([0], np.cumsum(kept)))[at[fresh]]
    return _interleaved(rows.take(kept), new.take(fresh), before), True


def _interleaved(old: Rows, new: Rows, before: NDArray[np.intp]) -> Rows:
    """Both in key order; `before`: how many old rows come before each new one."""
    is_new = np.zeros(len(old) + len(new), np.bool_)
    is_new[before + np.arange(len(new))] = True
    keys = np.empty(len(is_new), np.promote_types(old.keys.dtype, new.keys.dtype))
    keys[is_new], keys[~is_new] = new.keys, old.keys
    fields = []
    for old_field, new_field in zip(old.fields, new.fields, strict=True):
        field = np.empty((len(is_new), old_field.shape[1]), np.uint8)
        field[is_new], field[~is_new] = new_field, old_field
        fields.append(field)
    return Rows(keys, tuple(fields))
