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
from typing import Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput, Corrupt
from ldb.ids import Oid
from ldb.maps.rows import MAX_KEY, Keys, Root, Rows, Schema, inner_schema, key_matrix, parent_rows
from ldb.objects.codec import decode_as
from ldb.objects.model import Blob, BlobType

MAX_LEVEL = 62
"""An inner node that is not the last of its level has at least two children."""

BATCH = 64
"""Nodes asked of the store at a time."""

_CACHED = 512


class _FixedParts(TypedDict):
    fields: list[bytes]
    keys: bytes
    level: int
    schema: str


class Parts(_FixedParts, total=False):
    """A node's payload; `lengths` goes with byte-string keys."""

    lengths: bytes


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


def counts_of(rows: Rows) -> NDArray[np.uint64]:
    """The `count` field of an inner node's rows, as numbers."""
    return np.ascontiguousarray(rows.fields[1]).view("<u8").ravel()


class Reader:
    """Reads the nodes of one schema from a source, checking them; keeps some inner nodes."""

    def __init__(self, source: NodeSource, schema: Schema) -> None:
        self.schema = schema
        self._inner = inner_schema(schema)
        self._source = source
        self._cache: OrderedDict[bytes, Node] = OrderedDict()

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

    def leaves(self, oids: Sequence[Oid]) -> list[Rows]:
        """The rows of leaves known by their oids alone; what their parents say is not checked."""
        found = []
        for oid, blob in zip(oids, get_nodes(self._source, oids), strict=True):
            level, rows = self._parse(oid, blob)
            if level:
                raise Corrupt(oid, f"map node of level {level} where a leaf should be")
            found.append(rows)
        return found

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
        return node["level"], _columns(oid, node, schema)


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


def get_nodes(source: NodeSource, oids: Sequence[Oid]) -> list[Blob]:
    """Several nodes, in one call where the source has one for that."""
    get_many = getattr(source, "get_many", None)
    if get_many is None or len(oids) == 1:
        return [source.get(oid, BlobType.MAP) for oid in oids]
    blobs: list[Blob] = get_many(oids)
    return blobs


def unpack(oid: Oid, blob: Blob) -> Parts:
    """The parts of a node, names and types checked, lengths not; raises `Corrupt`."""
    if blob.type is not BlobType.MAP:
        raise Corrupt(oid, f"{blob.type.value} where a map node should be")
    try:
        node = decode_as(blob.payload, Parts)
    except BadInput as error:
        raise Corrupt(oid, f"map node: {error.why}") from None
    level = node["level"]
    if not 0 <= level <= MAX_LEVEL:
        raise Corrupt(oid, f"map node of level {level}")
    return node


def _columns(oid: Oid, node: Parts, schema: Schema) -> Rows:
    """Rows of a node, once every column has the right length and the keys ascend."""
    raw: list[bytes] = node["fields"]
    keys = _keys(oid, node, schema.key_width)
    widths = schema.widths
    if [len(each) for each in raw] != [len(keys) * width for width in widths]:
        raise Corrupt(oid, "fields of a map node of wrong lengths")
    if len(keys) > 4 * schema.target or not bool((keys[1:] > keys[:-1]).all()):
        raise Corrupt(oid, "map node with too many keys, or keys out of order")
    columns = zip(raw, widths, strict=True)
    fields = [np.frombuffer(each, np.uint8).reshape(-1, width) for each, width in columns]
    rows = Rows(keys, tuple(fields))
    if node["level"] and not _sane_counts(rows):
        raise Corrupt(oid, "map node with impossible row counts")
    return rows


def _sane_counts(rows: Rows) -> bool:
    counts = counts_of(rows)
    return bool(len(rows) and counts.min() > 0 and counts.max() < 1 << 48)


def _keys(oid: Oid, node: Parts, width: int) -> Keys:
    raw: bytes = node["keys"]
    if not width:
        return _string_keys(oid, raw, node.get("lengths", b""))
    if len(raw) % width or "lengths" in node:
        raise Corrupt(oid, f"map node whose keys are not {width} bytes each")
    return np.frombuffer(raw, f"S{width}")


def _string_keys(oid: Oid, raw: bytes, packed: bytes) -> Keys:
    if len(packed) % 2:
        raise Corrupt(oid, "map node with half a key length")
    lengths = np.frombuffer(packed, "<u2").astype(np.intp)
    if int(lengths.sum()) != len(raw) or b"\0" in raw:
        raise Corrupt(oid, "map node whose keys are not as long as it says")
    if not len(lengths):
        return np.zeros(0, "S1")
    longest = int(lengths.max())
    if not int(lengths.min()) or longest > MAX_KEY:
        raise Corrupt(oid, f"map node with a key not of 1 to {MAX_KEY} bytes")
    keys = np.zeros(len(lengths), f"S{longest}")
    key_matrix(keys)[np.arange(longest) < lengths[:, None]] = np.frombuffer(raw, np.uint8)
    return keys


def above(schema: Schema, top: Node) -> Node:
    """A node that is not stored, with the top node of a map for its only child."""
    keys = schema.column([top.last])
    return Node(top.oid, top.level + 1, parent_rows(keys, [Root(top.oid, top.count)]), b"")
