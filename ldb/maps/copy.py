"""Which nodes a map consists of, and copying those that another store lacks.

Rests on one invariant of how nodes are written: children before parents. So where a store
has a node, it has everything below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ldb.errors import Corrupt
from ldb.ids import OID_BYTES, Oid
from ldb.maps.decode import Parts, unpack
from ldb.maps.node import BATCH, NodeSink, NodeSource, get_nodes
from ldb.objects.model import BlobType
from ldb.progress import SILENT, Progress

LEAVES = 16384
"""Leaves copied at a time: of two million rows."""

Oids = NDArray[np.uint8]
"""A column of oids, shape (n, 32)."""


def nodes(source: NodeSource, root: Oid, seen: set[Oid] | None = None) -> Iterator[Oid]:
    """Oids of a map's nodes, parents first, each once; leaves are named but not read.

    Nodes in `seen` are left out with all that is below them; nodes found are added to it.
    """
    seen = set() if seen is None else seen
    waiting: list[tuple[Oid, int | None]] = [(root, None)]
    while waiting:
        oid, level = waiting.pop()
        if oid in seen:
            continue
        seen.add(oid)
        yield oid
        if level == 0:
            continue
        _, found, children = _read(source, oid, level)
        if found:
            waiting += [(child, found - 1) for child in reversed(_oids(children))]


def new_nodes(source: NodeSource, root: Oid, known_roots: Iterable[Oid]) -> Iterator[Oid]:
    """Oids of the nodes of a map that are in none of the known maps."""
    seen: set[Oid] = set()
    for known in known_roots:
        for _ in nodes(source, known, seen):
            pass
    return nodes(source, root, seen)


def copy_nodes(
    source: NodeSource,
    sink: NodeSink,
    roots: Iterable[Oid],
    stop: Callable[[Oids], NDArray[np.bool_]],
    progress: Progress = SILENT,
) -> int:
    """Copy the nodes of maps, children first, leaving out each that `stop` says is there already.

    `stop` gets a column of oids and answers with a mask; what is below a node that is
    there is not looked at. Returns how many nodes were copied; each is a step of `progress`.
    """
    copying = _Copying(source, sink, stop, progress)
    for root in roots:
        copying.nodes(np.frombuffer(root, np.uint8).reshape(1, OID_BYTES), None)
    copying.flush()
    return copying.copied


class _Copying:
    """Walks down to the leaves, which it copies by the thousand, then what is above them."""

    def __init__(
        self,
        source: NodeSource,
        sink: NodeSink,
        stop: Callable[[Oids], NDArray[np.bool_]],
        progress: Progress,
    ) -> None:
        self._progress = progress
        self._source = source
        self._sink = sink
        self._stop = stop
        self._seen: set[Oid] = set()
        self._leaves: list[Oid] = []
        self._above: list[tuple[Oid, bytes]] = []
        """Nodes above the leaves that wait for these, children first."""
        self.copied = 0

    def nodes(self, oids: Oids, level: int | None) -> None:
        """Copy these nodes of one level and all below them; later, the last of them."""
        wanted = [oid for oid in _oids(oids[~self._stop(oids)]) if oid not in self._seen]
        self._seen.update(wanted)
        if level == 0:
            self._leaves += wanted
            return
        for oid in wanted:
            payload, found, children = _read(self._source, oid, level)
            if found:
                self.nodes(children, found - 1)
            self._above.append((oid, payload))
            if len(self._leaves) >= LEAVES:
                self.flush()

    def flush(self) -> None:
        """Copy what waits."""
        _copy_leaves(self._source, self._sink, self._leaves)
        for oid, payload in self._above:
            self._sink.add(BlobType.MAP, payload, oid)
        self.copied += len(self._leaves) + len(self._above)
        self._progress.advance(len(self._leaves) + len(self._above))
        self._leaves, self._above = [], []


def _copy_leaves(source: NodeSource, sink: NodeSink, oids: Sequence[Oid]) -> None:
    """Copy leaves, block by block where both are stores of packs."""
    copy = getattr(sink, "copy", None)
    if oids and copy is not None and hasattr(source, "groups"):
        copy(source, np.frombuffer(b"".join(oids), np.uint8).reshape(-1, OID_BYTES))
        return
    for at in range(0, len(oids), BATCH):
        group = oids[at : at + BATCH]
        for oid, blob in zip(group, get_nodes(source, group), strict=True):
            sink.add(BlobType.MAP, blob.payload, oid)


def _read(source: NodeSource, oid: Oid, level: int | None) -> tuple[bytes, int, Oids]:
    """Payload, level and children of a node, which must be of this level if one is given."""
    blob = source.get(oid, BlobType.MAP)
    node = unpack(oid, blob)
    if level is not None and node["level"] != level:
        raise Corrupt(oid, f"map node of level {node['level']} where its parent has {level}")
    return blob.payload, node["level"], children_of(oid, node)


def children_of(oid: Oid, node: Parts) -> Oids:
    """Children of a node, whatever the schema of its leaves."""
    if not node["level"]:
        return np.zeros((0, OID_BYTES), np.uint8)
    fields = node["fields"]
    if len(fields) != 2 or len(fields[0]) % OID_BYTES or len(fields[0]) != 4 * len(fields[1]):
        raise Corrupt(oid, "fields of a map node of wrong lengths")
    return np.frombuffer(fields[0], np.uint8).reshape(-1, OID_BYTES)


def _oids(column: Oids) -> list[Oid]:
    raw = column.tobytes()
    return [Oid(raw[at : at + OID_BYTES]) for at in range(0, len(raw), OID_BYTES)]
