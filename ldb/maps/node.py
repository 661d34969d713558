"""Nodes of a map: how they are written, and how they are read back and checked.

A node is believed only as far as it was checked: its own columns here (`parse`), and what
its parent says of it (level, last key, row count, lower bound) in `Reader.open`. Levels
fall by one at each step down, so no damaged or hostile node can make a reader loop.
Format: docs/formats/map.md.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ldb.errors import Corrupt
from ldb.ids import OID_BYTES, Oid
from ldb.maps.decode import columns, counts_of, together, unpack
from ldb.maps.rows import Keys, Root, Rows, Schema, inner_schema, parent_rows
from ldb.objects.model import Blob, BlobType

BATCH = 256
"""Nodes asked of the store at a time."""

_CACHED = 512


class NodeSource(Protocol):
    """Where nodes are read from; `get_many(oids) -> list[Blob]` is used where it exists."""

    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob: ...


class NodeSink(Protocol):
    """Where new nodes go; children come before their parents."""

    def add(self, kind: BlobType, payload: bytes, oid: Oid | None = None) -> Oid: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What a parent says of a child: `low` is below every key of it (b"": no bound)."""

    oid: Oid
    low: bytes
    last: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Children:
    """The same of many children, ascending, as columns."""

    oids: NDArray[np.uint8]
    """Shape (n, 32)."""
    lows: Keys
    lasts: Keys
    counts: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.oids)

    def names(self) -> list[Oid]:
        raw = self.oids.tobytes()
        return [Oid(raw[at : at + OID_BYTES]) for at in range(0, len(raw), OID_BYTES)]

    def entries(self) -> list[Entry]:
        columns = self.lows.tolist(), self.lasts.tolist(), self.counts.tolist()
        return [Entry(*each) for each in zip(self.names(), *columns, strict=True)]

    def take(self, where: slice | NDArray[np.intp]) -> Children:
        """Those at these positions, which ascend."""
        return Children(self.oids[where], self.lows[where], self.lasts[where], self.counts[where])

    @staticmethod
    def concat(parts: Sequence[Children]) -> Children:
        """At least one part, in key order."""
        return Children(
            np.concatenate([part.oids for part in parts]),
            np.concatenate([part.lows for part in parts]),
            np.concatenate([part.lasts for part in parts]),
            np.concatenate([part.counts for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Span:
    """The rows of several checked nodes of one level, end to end."""

    oids: list[Oid]
    rows: Rows
    ends: NDArray[np.intp]
    """Where (exclusive) each node ends in the rows."""

    def lasts(self) -> list[bytes]:
        """The last key of each node; none for the one node without rows."""
        found: list[bytes] = self.rows.keys[self.ends - 1].tolist() if len(self.rows) else []
        return found


@dataclass(frozen=True, slots=True)
class Node:
    """A checked node. The rows of an inner node are children: fields `child` and `count`."""

    oid: Oid
    level: int
    rows: Rows
    low: bytes

    @property
    def last(self) -> bytes:
        """Its last key as numpy shows it; b"" for the one node without rows."""
        return bytes(self.rows.keys[-1]) if len(self.rows) else b""

    @property
    def count(self) -> int:
        """Rows of the map below this node."""
        return int(self.counts().sum()) if self.level else len(self.rows)

    def counts(self) -> NDArray[np.uint64]:
        """Rows of the map below each child."""
        return counts_of(self.rows)

    def child_oids(self) -> NDArray[np.bytes_]:
        """The children's oids as an `S32` column, to compare and look up in one go."""
        return self.rows.fields[0].view("S32").ravel()

    def entry(self, at: int) -> Entry:
        """What this inner node says of its child number `at`."""
        keys = self.rows.keys
        low = bytes(keys[at - 1]) if at else self.low
        oid = Oid(self.rows.fields[0][at].tobytes())
        return Entry(oid, low, bytes(keys[at]), int(self.counts()[at]))

    def entries(self, positions: Sequence[int]) -> list[Entry]:
        return [self.entry(at) for at in positions]

    def children(self) -> Children:
        """What this inner node says of its children."""
        keys = self.rows.keys
        lows = np.concatenate((np.array([self.low]), keys[:-1]))
        return Children(self.rows.fields[0], lows, keys, self.counts())


class Reader:
    """Reads the nodes of one schema from a source, checking them; keeps some inner nodes."""

    def __init__(self, source: NodeSource, schema: Schema) -> None:
        self.schema = schema
        self._inner = inner_schema(schema)
        self._source = source
        self._cache: OrderedDict[bytes, Node] = OrderedDict()
        # In a column every key takes as many bytes as the longest, which may be 4096.
        self.batch = BATCH if schema.key_width else BATCH // 4
        """How many nodes to read together."""

    def root(self, oid: Oid) -> Node:
        """The top node of a map."""
        level, rows = self._parse(oid, self._source.get(oid, BlobType.MAP))
        if level and len(rows) < 2:
            raise Corrupt(oid, "map root with one child")
        return Node(oid, level, rows, b"")

    def open(self, entries: Sequence[Entry], level: int) -> list[Node]:
        """The nodes that a parent names, which must be as it says."""
        if level and len(entries) == 1:
            return [self._open_inner(entries[0], level)]
        blobs = get_nodes(self._source, [entry.oid for entry in entries])
        return [self._node(*each, level) for each in zip(entries, blobs, strict=True)]

    def read(self, wanted: Children, level: int) -> Span:
        """The rows of nodes that their parents name, checked as by `open`, but all together."""
        names = wanted.names()
        if len(wanted) > 1:
            blobs = get_nodes(self._source, names)
            found = [unpack(oid, blob) for oid, blob in zip(names, blobs, strict=True)]
            if found[0]["level"] == level:
                made = together(found, self._inner if level else self.schema)
                if made is not None and _as_said(wanted, *made, level):
                    return Span(names, *made)
        # One alone, or something is wrong: node by node, which says what it is.
        nodes = self.open(wanted.entries(), level)
        ends = np.cumsum([len(node.rows) for node in nodes])
        return Span(names, Rows.concat([node.rows for node in nodes]), ends)

    def _open_inner(self, entry: Entry, level: int) -> Node:
        cached = self._cache.get(entry.oid)
        if cached is not None:
            self._cache.move_to_end(entry.oid)
            return _checked(Node(entry.oid, cached.level, cached.rows, entry.low), entry, level)
        node = self._node(entry, self._source.get(entry.oid, BlobType.MAP), level)
        self._cache[entry.oid] = node
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return node

    def _node(self, entry: Entry, blob: Blob, level: int) -> Node:
        found, rows = self._parse(entry.oid, blob)
        return _checked(Node(entry.oid, found, rows, entry.low), entry, level)

    def _parse(self, oid: Oid, blob: Blob) -> tuple[int, Rows]:
        node = unpack(oid, blob)
        schema = self._inner if node["level"] else self.schema
        if node["schema"] != schema.name:
            raise Corrupt(oid, f"map node of schema {node['schema']!r}, not {schema.name!r}")
        return node["level"], columns(oid, node, schema, 4 * schema.target)


def _checked(node: Node, entry: Entry, level: int) -> Node:
    """The node, if it is what its parent says."""
    rows = node.rows
    if node.level != level:
        raise Corrupt(node.oid, f"map node of level {node.level} where its parent has {level}")
    if not len(rows) or node.last != entry.last or node.count != entry.count:
        raise Corrupt(node.oid, "map node with other rows than its parent says")
    if entry.low and bytes(rows.keys[0]) <= entry.low:
        raise Corrupt(node.oid, "map node overlaps the one before it")
    return node


def _as_said(wanted: Children, rows: Rows, ends: NDArray[np.intp], level: int) -> bool:
    """Whether nodes with these rows are what their parents say."""
    starts = np.concatenate(([0], ends[:-1]))
    counts = np.add.reduceat(counts_of(rows), starts) if level else (ends - starts)
    low = (rows.keys[starts] > wanted.lows) | (wanted.lows == b"")
    same = (rows.keys[ends - 1] == wanted.lasts) & (counts == wanted.counts) & low
    return bool(same.all())


def get_nodes(source: NodeSource, oids: Sequence[Oid]) -> list[Blob]:
    """Several nodes, in one call where the source has one for that."""
    get_many = getattr(source, "get_many", None)
    if get_many is None or len(oids) == 1:
        return [source.get(oid, BlobType.MAP) for oid in oids]
    blobs: list[Blob] = get_many(oids)
    return blobs


def above(schema: Schema, top: Node) -> Node:
    """A node that is not stored, with the top node of a map for its only child."""
    keys = schema.column([top.last])
    return Node(top.oid, top.level + 1, parent_rows(keys, [Root(top.oid, top.count)]), b"")
