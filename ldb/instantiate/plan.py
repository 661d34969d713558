"""What a run will write, as columns in the order in which the store holds the records."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, key_bytes
from ldb.instance import Instance
from ldb.instantiate.items import Chosen, Items, first_path, load_rows
from ldb.instantiate.layout import AsSeen, Layout, Parts, WithIds
from ldb.instantiate.options import InstantiateOptions, Problem
from ldb.objects.bulk import locate


@dataclass(slots=True)
class Plan:
    """What a run will write."""

    items: Items
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)


def plan(
    catalog: Catalog,
    ids: NDArray[np.bytes_],
    annotations: NDArray[np.uint8],
    options: InstantiateOptions,
) -> Plan:
    """Choose what will be written of these objects: ids shape (n,), annotation oids (n, 32)."""
    wanted = np.ones(len(ids), np.bool_)
    writer = options.labels.writer() if options.labels else None
    if options.strict or (options.annotations_only and writer is None):
        wanted = np.any(annotations, axis=1)
    skipped = int((~wanted).sum())
    ids, annotations = ids[wanted], annotations[wanted]
    found = catalog.find(ids)
    problems = [
        Problem(f"id:{each.hex()}", "is not in the index") for each in key_bytes(ids[~found.known])
    ]
    instance = catalog.instance
    order = _stored_order(instance, found.records, np.flatnonzero(found.known))
    width = ids.dtype.itemsize
    columns = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), width)
    chosen = Chosen(columns[order], found.records[order], annotations[order])
    items = Items(instance, chosen, _layout(instance, chosen, options), writer)
    return Plan(items, skipped, problems)


def _stored_order(
    instance: Instance, records: NDArray[np.uint8], known: NDArray[np.int64]
) -> NDArray[np.int64]:
    """`known` in the order of the packs: neighbours share blocks, and mostly a folder too."""
    at = locate(instance.objects.packs(), records[known])
    return known[np.lexsort((at.ordinal, at.pack))]


def _layout(instance: Instance, chosen: Chosen, options: InstantiateOptions) -> Layout:
    if not options.preserve_paths:
        return WithIds()

    def paths() -> Parts:
        for positions, rows in load_rows(instance.objects, chosen.records):
            yield positions, [first_path(row) for row in rows]

    layout = AsSeen([each.url for each in instance.settings().locations])
    layout.look(paths())
    layout.settle(paths(), chosen.annotations)
    return layout
