"""Which blobs a map needs: its nodes, and what its rows name.

Commits are not looked into here, they are the caller's. What is reachable is what `fsck`
checks: annotations, object records with the annotations of their history, transform sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput, Corrupt
from ldb.ids import OID_BYTES, Oid
from ldb.maps.copy import nodes
from ldb.maps.decode import Parts, unpack
from ldb.objects.codec import decode_as
from ldb.objects.model import Blob, BlobType
from ldb.objects.oidtable import Oids, as_oids

NODES = 4096
"""Map nodes whose rows are looked at together."""

_FIELDS = {
    "dataset": (BlobType.ANNOTATION, BlobType.TRANSFORM),
    "objects": (BlobType.RECORD, BlobType.ANNOTATION),
}
"""What the fields of each schema's rows name."""

_KIND_ANNOTATION = 2
"""The last field of a row of `paths` that names an annotation, not a data object."""


class Source(Protocol):
    """Where blobs are read from."""

    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob: ...
    def scan(
        self, oids: Oids, kind: BlobType
    ) -> Iterator[tuple[NDArray[np.int64], list[bytes]]]: ...


class _SeenAnywhere(TypedDict):
    gid: int
    mode: int
    mtime: int
    path: str
    uid: int


class StoredPath(_SeenAnywhere, total=False):
    """A path in an object record."""

    token: str
    version: str


class StoredRecord(TypedDict):
    """An object record as it is stored; in half the time of `decode_record`."""

    annotations: list[bytes]
    first_indexed: int
    last_indexed: int
    paths: list[StoredPath]
    size: int
    tags: list[str]
    type: str


def reach_maps(
    source: Source, roots: Iterable[Oid], seen: set[Oid]
) -> Iterator[tuple[BlobType, Oids]]:
    """Blobs that maps need, by type, in the order of their rows; some repeatedly.

    Nodes in `seen` are left out with all below them; those found are added. Raises
    `NotFound` or `Corrupt` where a node cannot be read: what is below it cannot be known.
    """
    for root in roots:
        found = nodes(source, root, seen)
        while batch := list(islice(found, NODES)):
            column = as_oids(b"".join(batch))
            yield BlobType.MAP, column
            yield from _named(source, batch, column)


def record_histories(source: Source, records: Oids) -> Oids:
    """The annotations that records name; raises `Corrupt` where one is no record."""
    named: list[bytes] = []
    for positions, payloads in source.scan(records, BlobType.RECORD):
        for position, payload in zip(positions.tolist(), payloads):
            try:
                found = decode_as(payload, StoredRecord)["annotations"]
            except BadInput as error:
                raise Corrupt(records[position].tobytes().hex(), error.why) from None
            named += [oid for oid in found if len(oid) == OID_BYTES]
    return as_oids(b"".join(named))


def _named(source: Source, batch: list[Oid], column: Oids) -> Iterator[tuple[BlobType, Oids]]:
    """What the rows of the leaves among these nodes name, in the order of the nodes."""
    leaves: dict[int, Parts] = {}
    for positions, payloads in source.scan(column, BlobType.MAP):
        for position, payload in zip(positions.tolist(), payloads):
            node = unpack(batch[position], Blob(BlobType.MAP, payload))
            if not node["level"]:
                leaves[position] = node
    columns: dict[BlobType, list[Oids]] = {}
    for position in sorted(leaves):
        for kind, oids in _fields(batch[position], leaves[position]):
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
            yield BlobType.ANNOTATION, as_oids(fields[0])[kinds == _KIND_ANNOTATION]
        else:
            raise Corrupt(oid, f"map node of unknown schema {schema!r}")
    except (ValueError, IndexError):
        raise Corrupt(oid, "fields of a map node of wrong lengths") from None
