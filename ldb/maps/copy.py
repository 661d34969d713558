"""Which nodes a map consists of, and copying those that another store lacks.

Rests on one invariant of how nodes are written: children before parents. So where a store
has a node, it has everything below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ldb.errors import Corrupt
from ldb.ids import OID_BYTES, Oid
from ldb.maps.decode import Parts, unpack
from ldb.maps.node import BATCH, NodeSink, NodeSource, get_nodes
from ldb.objects.model import BlobType

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
        _, found, children = _read(source, [oid], level)[0]
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
    source: NodeSource, sink: NodeSink, root: Oid, stop: Callable[[Oids], NDArray[np.bool_]]
) -> int:
    """Copy a map's nodes, children first, leaving out each that `stop` says is there already.

    `stop` gets a column of oids and answers with a mask; what is below a node that is
    there is not looked at. Returns how many nodes were copied.
    """
    top = np.frombuffer(root, np.uint8).reshape(1, OID_BYTES)
    return _copy(source, sink, top, None, stop, set())


def _copy(
    source: NodeSource,
    sink: NodeSink,
    oids: Oids,
    level: int | None,
    stop: Callable[[Oids], NDArray[np.bool_]],
    done: set[Oid],
) -> int:
    """Copy these nodes of one level and all below them."""
    wanted = [oid for oid in _oids(oids[~stop(oids)]) if oid not in done]
    copied = 0
    step = BATCH if level == 0 else 1
    for at in range(0, len(wanted), step):
        group = wanted[at : at + step]
        for oid, (payload, found, children) in zip(group, _read(source, group, level), strict=True):
            if found:
                copied += _copy(source, sink, children, found - 1, stop, done)
            sink.add(BlobType.MAP, payload, oid)
            done.add(oid)
            copied += 1
    return copied


def _read(source: NodeSource, oids: list[Oid], level: int | None) -> list[tuple[bytes, int, Oids]]:
    """Payload, level and children of nodes, which must be of this level if one is given."""
    read = []
    for oid, blob in zip(oids, get_nodes(source, oids), strict=True):
        node = unpack(oid, blob)
        if level is not None and node["level"] != level:
            raise Corrupt(oid, f"map node of level {node['level']} where its parent has {level}")
        read.append((blob.payload, node["level"], _children(oid, node)))
    return read


def _children(oid: Oid, node: Parts) -> Oids:
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
