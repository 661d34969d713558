"""Which blobs a map needs: its nodes, and what its rows name.

Commits are not looked into here, they are the caller's. What is reachable is what `fsck`
checks: annotations, object records with the annotations of their history, transform sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput, Corrupt
from ldb.ids import OID_BYTES, Oid
from ldb.maps.copy import children_of
from ldb.maps.decode import Parts, unpack
from ldb.objects.codec import decode_as
from ldb.objects.indexrows import KIND_ANNOTATION, RecordRow
from ldb.objects.model import Blob, BlobType
from ldb.objects.oidtable import Oids, as_oids

NODES = 1024
"""Map nodes whose rows are looked at together."""

_FIELDS = {
    "dataset": (BlobType.ANNOTATION, BlobType.TRANSFORM),
    "objects": (BlobType.RECORD, BlobType.ANNOTATION),
}
"""What the fields of each schema's rows name."""


class Source(Protocol):
    """Where blobs are read from."""

    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob: ...
    def scan(
        self, oids: Oids, kind: BlobType
    ) -> Iterator[tuple[NDArray[np.int64], list[bytes]]]: ...


def reach_maps(
    source: Source, roots: Iterable[Oid], seen: set[Oid]
) -> Iterator[tuple[BlobType, Oids]]:
    """Blobs that maps need, by type, in the order of their rows; some repeatedly.

    All maps go down together, level by level, so that many versions cost few reads. Nodes in
    `seen` are left out with all below them; those found are added. Raises `NotFound` or
    `Corrupt` where a node cannot be read: what is below it cannot be known.
    """
    waiting = _fresh(roots, seen)
    while waiting:
        below: list[Oid] = []
        for at in range(0, len(waiting), NODES):
            batch = waiting[at : at + NODES]
            column = as_oids(b"".join(batch))
            yield BlobType.MAP, column
            found = _read(source, batch, column)
            for oid, node in zip(batch, found):
                children = children_of(oid, node).tobytes()
                parts = (children[at : at + OID_BYTES] for at in range(0, len(children), OID_BYTES))
                below += _fresh(map(Oid, parts), seen)
            yield from _named(batch, found)
        waiting = below


def _fresh(oids: Iterable[Oid], seen: set[Oid]) -> list[Oid]:
    """Those not seen yet, in order, each once; they are seen now."""
    fresh = [oid for oid in dict.fromkeys(oids) if oid not in seen]
    seen.update(fresh)
    return fresh


def record_histories(source: Source, records: Oids) -> Oids:
    """The annotations that records name; raises `Corrupt` where one is no record."""
    named: list[bytes] = []
    for positions, payloads in source.scan(records, BlobType.RECORD):
        for position, payload in zip(positions.tolist(), payloads):
            try:
                found = decode_as(payload, RecordRow)["annotations"]
            except BadInput as error:
                raise Corrupt(records[position].tobytes().hex(), error.why) from None
            named += [oid for oid in found if len(oid) == OID_BYTES]
    return as_oids(b"".join(named))


def _read(source: Source, batch: list[Oid], column: Oids) -> list[Parts]:
    """Nodes, in order."""
    found: dict[int, Parts] = {}
    for positions, payloads in source.scan(column, BlobType.MAP):
        for position, payload in zip(positions.tolist(), payloads):
            found[position] = unpack(batch[position], Blob(BlobType.MAP, payload))
    return [found[position] for position in range(len(batch))]


def _named(batch: list[Oid], found: list[Parts]) -> Iterator[tuple[BlobType, Oids]]:
    """What the rows of the leaves among these nodes name, in the order of the nodes."""
    columns: dict[BlobType, list[Oids]] = {}
    for oid, node in zip(batch, found):
        if not node["level"]:
            for kind, oids in _fields(oid, node):
                columns.setdefault(kind, []).append(oids)
    for kind, parts in columns.items():
        oids = np.concatenate(parts)
        yield kind, oids[oids.any(axis=1)]


def _fields(oid: Oid, node: Parts) -> Iterator[tuple[BlobType, Oids]]:
    schema, fields = node["schema"], node["fields"]
    try:
        if schema in _FIELDS:
            for kind, raw in zip(_FIELDS[schema], fields, strict=True):
                yield kind, as_oids(raw)
        elif schema == "paths":
            kinds: NDArray[np.uint8] = np.frombuffer(fields[-1], np.uint8)
            yield BlobType.ANNOTATION, as_oids(fields[0])[kinds == KIND_ANNOTATION]
        else:
            raise Corrupt(oid, f"map node of unknown schema {schema!r}")
    except (ValueError, IndexError):
        raise Corrupt(oid, "fields of a map node of wrong lengths") from None
