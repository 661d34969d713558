"""`ldb unindex`: forget data objects that no saved dataset holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import PATHS, Catalog, key_bytes, objects_schema, path_key
from ldb.dataset import dataset_schema
from ldb.errors import Conflict
from ldb.history import (
    Commit,
    MapRoot,
    Operation,
    Version,
    dataset_root,
    load_commit,
    now,
    publish,
)
from ldb.maps import Changes, edit, lookup
from ldb.porcelain.place import Place
from ldb.porcelain.sources import select
from ldb.progress import SILENT, Progress, advancing
from ldb.query.scanning import scan_records
from ldb.query.selection import FilterSpec
from ldb.refs.name import INDEX, RefKind


@dataclass(frozen=True, slots=True)
class Unindexed:
    """How many objects were forgotten, and the version of the index without them."""

    objects: int
    version: Version | None
    warnings: tuple[str, ...] = ()


def unindex(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec] = (),
    seed: int | None = None,
    command: Sequence[str] = ("unindex",),
    progress: Progress = SILENT,
) -> Unindexed:
    """Forget objects; refused with `Conflict`, naming the datasets, where one is still held."""
    chosen = select(place, sources, filters, default="none", seed=seed, progress=progress)
    ids = np.sort(chosen.rows.ids)
    if not len(ids):
        return Unindexed(0, None, chosen.warnings)
    given = tuple((each.kind, each.value) for each in filters)
    operation = Operation(
        tuple(command), chosen.used[:100], given, {"removed_objects": len(ids)}, now()
    )

    def make(current: Version | None) -> Commit:
        _refuse_held(place, ids, progress)  # each time: others may commit meanwhile
        return _without(place, current, ids, operation, progress)

    version = publish(place.instance, INDEX, make)
    return Unindexed(len(ids), version, chosen.warnings)


def _refuse_held(place: Place, ids: NDArray[np.bytes_], progress: Progress) -> None:
    progress.start("looking in versions")
    holders = _holders(place, ids, progress)
    if holders:
        raise Conflict(
            f"{len(ids)} data object(s)",
            "held by no dataset",
            "held by " + ", ".join(holders[:10]),
            "versions are for ever; objects that one holds stay indexed",
        )


def _holders(place: Place, ids: NDArray[np.bytes_], progress: Progress) -> list[str]:
    """Dataset versions, deleted datasets' too, that hold any of the ids."""
    instance, holders = place.instance, []
    checked: dict[bytes, bool] = {}
    for name in instance.refs.names(RefKind.DATASET):
        for ref in advancing(instance.refs.history(name), progress, lambda _: 1):
            if ref.target is None:
                continue
            root = dataset_root(
                Version(name, ref.number, ref.target, load_commit(instance, ref.target))
            ).root
            if root not in checked:
                known, _ = lookup(instance.objects, dataset_schema(instance), root, ids)
                checked[root] = bool(known.any())
            if checked[root]:
                holders.append(str(ref))
                break
    return holders


def _without(
    place: Place,
    current: Version | None,
    ids: NDArray[np.bytes_],
    operation: Operation,
    progress: Progress,
) -> Commit:
    assert current is not None, "objects were found in the index, so it has a version"
    instance = place.instance
    catalog = Catalog(instance, current)
    progress.start("forgetting", len(ids))
    keys = _path_keys(catalog, ids, progress)
    gone = Changes.deletes(PATHS, PATHS.column(keys))
    schema = objects_schema(instance)
    maps = current.commit.maps
    with instance.objects.writer() as writer:
        objects = edit(writer, writer, schema, maps["objects"].root, [Changes.deletes(schema, ids)])
        paths = edit(
            writer, writer, PATHS, maps["paths"].root, [gone] if keys else []
        )  # fmt: skip
    return Commit(
        name=INDEX.name,
        number=0,
        maps={
            "objects": MapRoot(objects.oid, objects.count),
            "paths": MapRoot(paths.oid, paths.count),
        },
        parents=(current.oid,),
        operations=(operation,),
        author=place.author,
        time=now(),
    )


def _path_keys(catalog: Catalog, ids: NDArray[np.bytes_], progress: Progress) -> list[bytes]:
    """Keys of the rows of `paths` where these objects, and no others, were last seen."""
    mine = set(key_bytes(ids))
    scanned = advancing(scan_records(catalog, ids), progress, lambda part: len(part[1]))
    keys = sorted({
        path_key(seen.path.encode())
        for _, records in scanned
        for record in records
        for seen in record.paths
    })  # fmt: skip
    if not keys or catalog.paths is None:
        return []
    known, fields = lookup(catalog.instance.objects, PATHS, catalog.paths.root, PATHS.column(keys))
    width = catalog.instance.id_bytes
    return [
        key
        for key, there, content in zip(keys, known, fields[0])
        if there and content[:width].tobytes() in mine
    ]
