"""From ids to items, a batch at a time and in the order in which the store holds the records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, Record, key_bytes, load_records
from ldb.instantiate.layout import AsSeen, Layout, WithIds
from ldb.instantiate.options import InstantiateOptions, Problem
from ldb.instantiate.write import Item
from ldb.objects.model import BlobType

GROUP = 4096
"""Objects whose annotations are asked for at once: neighbours in a pack share blocks."""

BATCH = 128
"""Most objects of a batch."""

BATCH_BYTES = 64 * 1024 * 1024
"""Data and annotations of a batch, unless a single object has more."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The objects to be written: columns of one length."""

    ids: list[bytes]
    records: NDArray[np.uint8]
    annotations: NDArray[np.uint8]
    has_annotation: NDArray[np.bool_]


@dataclass(slots=True)
class Plan:
    """What a run will write; read `batches` once."""

    catalog: Catalog
    options: InstantiateOptions
    chosen: _Chosen
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)

    def batches(self) -> Iterator[list[Item]]:
        """Items, some at a time."""
        batch: list[Item] = []
        size = 0
        for item in self._items(self._layout()):
            batch.append(item)
            size += item.size + len(item.payload or b"")
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _layout(self) -> Layout:
        if not self.options.preserve_paths:
            return WithIds()
        instance = self.catalog.instance
        layout = AsSeen([each.url for each in instance.settings().locations])
        layout.look(load_records(instance, self.chosen.records))
        layout.settle(load_records(instance, self.chosen.records), self.chosen.annotations)
        return layout

    def _items(self, layout: Layout) -> Iterator[Item]:
        group: dict[int, Record] = {}
        for positions, records in load_records(self.catalog.instance, self.chosen.records):
            group.update(zip(positions.tolist(), records, strict=True))
            if len(group) >= GROUP:
                yield from self._of_group(group, layout)
                group = {}
        yield from self._of_group(group, layout)

    def _of_group(self, group: dict[int, Record], layout: Layout) -> Iterator[Item]:
        positions = np.fromiter(group, np.int64, len(group))
        annotated = self.chosen.has_annotation[positions]
        for position in positions[~annotated].tolist():
            yield self._item(position, group[position], None, layout)
        wanted = positions[annotated]
        scan = self.catalog.instance.objects.scan
        for at, payloads in scan(self.chosen.annotations[wanted], BlobType.ANNOTATION):
            for position, payload in zip(wanted[at].tolist(), payloads, strict=True):
                yield self._item(position, group[position], payload, layout)

    def _item(self, position: int, record: Record, payload: bytes | None, layout: Layout) -> Item:
        object_id = self.chosen.ids[position]
        return Item(
            id=object_id,
            size=record.size,
            paths=tuple(seen.path for seen in record.paths),
            name=layout.name(position, object_id.hex(), record),
            payload=payload,
            annotation=self.chosen.annotations[position].tobytes() if payload is not None else b"",
        )


def plan(
    catalog: Catalog,
    ids: NDArray[np.bytes_],
    annotations: NDArray[np.uint8],
    options: InstantiateOptions,
) -> Plan:
    """Choose what will be written of these objects: ids shape (n,), annotation oids (n, 32)."""
    has: NDArray[np.bool_] = np.any(annotations, axis=1)
    wanted = has if options.strict or options.annotations_only else np.ones(len(ids), np.bool_)
    found = catalog.find(ids[wanted])
    known = found.known
    chosen = _Chosen(
        ids=key_bytes(ids[wanted][known]),
        records=found.records[known],
        annotations=annotations[wanted][known],
        has_annotation=has[wanted][known],
    )
    unknown = [
        Problem(f"id:{each.hex()}", "is not in the index")
        for each in key_bytes(ids[wanted][~known])
    ]
    return Plan(catalog, options, chosen, int((~wanted).sum()), unknown)
