"""From places in the plan's columns to items, a batch at a time.

This runs in the workers, each of which reads and decodes its own records and annotations:
the parent holds columns and no object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput, Corrupt
from ldb.instance import Instance
from ldb.instantiate.layout import Layout
from ldb.instantiate.manifest import Entry
from ldb.instantiate.naming import Name
from ldb.objects.codec import decode_as
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore

BATCH = 256
"""Most objects of a batch: they are listed together before the first of them is written."""

BATCH_BYTES = 64 * 1024 * 1024
"""Data and annotations of a batch, unless a single object has more."""


class SeenRow(TypedDict):
    """A place where an object was seen, as a record has it."""

    gid: int
    mode: int
    mtime: int
    path: str
    uid: int


class RecordRow(TypedDict):
    """A record as it is stored: `ldb.catalog.Record` without the making of objects."""

    annotations: list[bytes]
    first_indexed: int
    last_indexed: int
    paths: list[SeenRow]
    size: int
    tags: list[str]
    type: str


class Item(NamedTuple):
    """One object to be written."""

    id: bytes
    size: int
    paths: list[SeenRow]
    """Where it was seen."""
    first_indexed: int
    """Nanoseconds since 1970: no place was hashed earlier."""
    name: Name
    payload: bytes | None
    """Its annotation; None without one."""
    annotation: bytes = b""
    """Oid of the annotation; empty without one."""
    had_data: Entry | None = None
    """What the manifest lists under the data file's name."""
    had_annotation: Entry | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The objects to be written, in the order of their records in the store."""

    ids: NDArray[np.uint8]
    """Shape (n, 16) or (n, 32)."""
    records: NDArray[np.uint8]
    annotations: NDArray[np.uint8]
    """Zeros where there is none."""


@dataclass(frozen=True, slots=True)
class Items:
    """All that a worker needs to make items."""

    instance: Instance
    chosen: Chosen
    layout: Layout

    def batches(self, start: int, stop: int) -> Iterator[list[Item]]:
        """The items of places [start, stop), some at a time."""
        batch: list[Item] = []
        size = 0
        for item in self._items(start, stop):
            batch.append(item)
            size += item.size + len(item.payload or b"")
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _items(self, start: int, stop: int) -> Iterator[Item]:
        records: dict[int, RecordRow] = {}
        for positions, rows in load_rows(self.instance.objects, self.chosen.records[start:stop]):
            records.update(zip(positions.tolist(), rows, strict=True))
        annotations = self.chosen.annotations[start:stop]
        annotated = annotations.any(axis=1)
        for at in np.flatnonzero(~annotated).tolist():
            yield self._item(start + at, records[at], None, b"")
        where = np.flatnonzero(annotated)
        oids = annotations[where]
        for found, payloads in self.instance.objects.scan(oids, BlobType.ANNOTATION):
            names = map(bytes, oids[found])
            for at, payload, oid in zip(where[found].tolist(), payloads, names, strict=True):
                yield self._item(start + at, records[at], payload, oid)

    def _item(self, at: int, record: RecordRow, payload: bytes | None, oid: bytes) -> Item:
        object_id = self.chosen.ids[at].tobytes()
        paths = record["paths"]
        return Item(
            object_id,
            record["size"],
            paths,
            record["first_indexed"] * 1_000_000,
            self.layout.name(at, object_id.hex(), first_path(record), record["type"]),
            payload,
            oid,
        )


def first_path(record: RecordRow) -> str:
    """The path that names come from; empty where none is known."""
    paths = record["paths"]
    return paths[0]["path"] if paths else ""


def load_rows(
    store: ObjectStore, oids: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.int64], list[RecordRow]]]:
    """Records of a column of oids, in the store's order: positions and records."""
    for positions, payloads in store.scan(oids, BlobType.RECORD):
        yield positions, _rows(payloads)


def _rows(payloads: Iterable[bytes]) -> list[RecordRow]:
    try:
        return [decode_as(payload, RecordRow) for payload in payloads]
    except BadInput as error:
        raise Corrupt("record", f"not the fields of an object record: {error.why}") from None
