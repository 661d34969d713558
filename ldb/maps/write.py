"""Writing nodes: the rows of one level, cut, become blobs and the rows of the level above."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ldb.ids import Oid
from ldb.maps.decode import counts_of
from ldb.maps.encode import encode_nodes
from ldb.maps.node import NodeSink
from ldb.maps.rows import Root, Rows, Schema, inner_schema
from ldb.objects.model import BlobType, hash_many


class Writer:
    """Writes the nodes of one level, and says how their parents will name each."""

    def __init__(self, sink: NodeSink, schema: Schema, level: int) -> None:
        self._sink = sink
        self._schema = inner_schema(schema) if level else schema
        self._level = level

    def write(self, rows: Rows, known: Collection[bytes] = ()) -> Root:
        """Add a node, unless its oid is among those known to be stored."""
        return self.write_all(rows, [len(rows)], known)[0]

    def write_all(
        self, rows: Rows, ends: Sequence[int], known: Collection[bytes] = ()
    ) -> list[Root]:
        """Add the nodes that rows are cut into at `ends` (exclusive), the last of them the end."""
        payloads = encode_nodes(self._schema, self._level, rows, ends)
        oids = hash_many(BlobType.MAP, payloads)
        if known:
            fresh = [at for at, oid in enumerate(oids) if oid not in known]
            _add(self._sink, [payloads[at] for at in fresh], [oids[at] for at in fresh])
        else:
            _add(self._sink, payloads, oids)
        return [Root(oid, size) for oid, size in zip(oids, self._sizes(rows, ends), strict=True)]

    def _sizes(self, rows: Rows, ends: Sequence[int]) -> list[int]:
        """Rows of the map below each node."""
        edges = np.array([0, *ends])
        if self._level:
            edges = np.concatenate(([0], np.cumsum(counts_of(rows).astype(np.int64))))[edges]
        sizes: list[int] = np.diff(edges).tolist()
        return sizes


def _add(sink: NodeSink, payloads: Sequence[bytes], oids: Sequence[Oid]) -> None:
    """Several nodes, in one call where the sink has one for that."""
    add_many = getattr(sink, "add_many", None)
    if add_many is not None:
        add_many(BlobType.MAP, payloads, oids)
        return
    for payload, oid in zip(payloads, oids, strict=True):
        sink.add(BlobType.MAP, payload, oid)
