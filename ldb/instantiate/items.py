"""From places in the plan's columns to items, a batch at a time.

This runs in the workers, each of which reads and decodes its own records and annotations:
the parent holds columns and no object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import fill
from ldb.errors import BadInput, Corrupt
from ldb.formats.base import Placing, Writer
from ldb.instance import Instance
from ldb.instantiate.layout import Layout
from ldb.instantiate.model import Item, RecordRow
from ldb.instantiate.naming import Name, clean_folder
from ldb.instantiate.options import Problem
from ldb.objects.codec import decode, fields_of
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore

BATCH = 256
"""Most objects of a batch: they are listed together before the first of them is written."""

BATCH_BYTES = 64 * 1024 * 1024
"""Data and annotations of a batch, unless a single object has more."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The objects to be written, in the order of their records in the store."""

    ids: NDArray[np.uint8]
    """Shape (n, 16) or (n, 32)."""
    records: NDArray[np.uint8]
    annotations: NDArray[np.uint8]
    """Zeros where there is none."""

    def part(self, start: int, stop: int) -> Chosen:
        """Those of places [start, stop)."""
        return Chosen(self.ids[start:stop], self.records[start:stop], self.annotations[start:stop])


@dataclass(frozen=True, slots=True)
class Items:
    """All that a worker needs to make items."""

    instance: Instance
    chosen: Chosen
    layout: Layout
    writer: Writer | None = None
    """The label format, which says into which folders data files go; None: pairs."""
    refused: list[Problem] = field(default_factory=list)
    """Objects of the last batches that the format has no folder for; emptied by who tells."""

    def batches(
        self, start: int, stop: int, most: int = BATCH, most_bytes: int = BATCH_BYTES
    ) -> Iterator[list[Item]]:
        """The items of places [start, stop), some at a time."""
        batch: list[Item] = []
        size = 0
        items = self._items(start, stop)
        for item in items if self.writer is None else self._placed(items, self.writer):
            batch.append(item)
            size += item.size + len(item.payload or b"")
            if len(batch) >= most or size >= most_bytes:
                yield batch
                batch, size = [], 0
        if batch or self.refused:
            yield batch

    def _placed(self, items: Iterator[Item], writer: Writer) -> Iterator[Item]:
        """The items in the folders that the format puts them into."""
        for item in items:
            source = item.paths[0]["path"] if item.paths else ""
            try:
                annotated = item.payload is not None
                value = decode(item.payload or b"\xc0", "annotation")
                folders = writer.place(Placing(value, annotated, item.type, source))
            except BadInput as error:
                why = f"{error.why} ({error.hint})" if error.hint else error.why
                self.refused.append(Problem(source or f"id:{item.id.hex()}", why))
                continue
            yield item._replace(name=_below(folders, item.name)) if folders else item

    def _items(self, start: int, stop: int) -> Iterator[Item]:
        store, make = self.instance.objects, self._maker(start, stop)
        annotations = self.chosen.annotations[start:stop]
        annotated = annotations.any(axis=1)
        for at in np.flatnonzero(~annotated).tolist():
            yield make(at, None, b"")
        where = np.flatnonzero(annotated)
        for found, payloads in store.scan(annotations[where], BlobType.ANNOTATION):
            places = where[found]
            oids = annotations[places].tobytes()
            for number, (at, payload) in enumerate(zip(places.tolist(), payloads, strict=True)):
                yield make(at, payload, oids[32 * number : 32 * number + 32])

    def _maker(self, start: int, stop: int) -> Callable[[int, bytes | None, bytes], Item]:
        """What makes the items of places [start, stop), counted from `start`."""
        chosen, name = self.chosen, self.layout.name
        records = fill(load_rows(self.instance.objects, chosen.records[start:stop]), stop - start)
        ids, width = chosen.ids[start:stop].tobytes(), chosen.ids.shape[1]

        # By position, and everything in one function: at 100,000 objects each call shows.
        def item(at: int, payload: bytes | None, oid: bytes) -> Item:
            record: RecordRow = records[at]
            paths = record["paths"]
            object_id = ids[at * width : at * width + width]
            return Item(
                object_id,
                record["size"],
                paths,
                record["first_indexed"] * 1_000_000,
                name(
                    start + at,
                    object_id.hex(),
                    paths[0]["path"] if paths else "",
                    record["type"],
                ),
                payload,
                oid,
                type=record["type"],
            )

        return item


def _below(folders: Sequence[str], name: Name) -> Name:
    """The name inside folders that are called so; whatever is in them, they stay in the target."""
    parts = [part.replace("/", "_") or "_" for part in folders]
    above = clean_folder("/".join([*parts, ""]))
    if f"{name.folder}/".startswith(f"{above}/"):
        return name  # the folders of the source are these already
    return name._replace(folder=f"{above}/{name.folder}" if name.folder else above)


def first_path(record: RecordRow) -> str:
    """The path that names come from; empty where none is known."""
    paths = record["paths"]
    return paths[0]["path"] if paths else ""


def load_rows(
    store: ObjectStore, oids: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.int64], list[RecordRow]]]:
    """Records of a column of oids, in the store's order: positions and records."""
    for positions, payloads in store.scan(oids, BlobType.RECORD):
        yield positions, rows_of(payloads)


def rows_of(payloads: list[bytes]) -> list[RecordRow]:
    """What is needed of records; raises `Corrupt`."""
    try:
        return [fields_of(payload, RecordRow) for payload in payloads]
    except BadInput as error:
        raise Corrupt("record", f"not the fields of an object record: {error.why}") from None
