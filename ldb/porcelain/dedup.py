"""`ldb dedup`: one data object for each value of an expression, and files that are copies.

Equal bytes are one data object already, whatever the number of files; `copies` tells where
those lie. `dedup` goes by what annotations or attributes say, and changes the draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, key_bytes
from ldb.dataset import dataset_schema
from ldb.errors import BadInput
from ldb.ids import ObjectId
from ldb.maps import Changes
from ldb.porcelain.draft import apply, by_id, chunked, operation_for
from ldb.porcelain.look import pieces
from ldb.porcelain.place import Place
from ldb.porcelain.rowvalues import row_values
from ldb.porcelain.sources import drafted_rows, select
from ldb.progress import SILENT, Progress
from ldb.query.scanning import scan_records
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec
from ldb.storage.location import shown

COMMAND = "dedup"
Keep = Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class DedupSpec:
    """When two objects are the same, and which of them stays."""

    by: str = ""
    """Expression over the annotation."""
    file_by: str = ""
    """Expression over the object record. With both, both must be equal."""
    keep: Keep = "first"
    """The one that was indexed first, or last; of several, the one with the lowest id."""

    def filters(self) -> list[tuple[str, object]]:
        """As provenance records it."""
        given = [("by", self.by), ("file-by", self.file_by), ("keep", self.keep)]
        return [(name, text) for name, text in given if text]


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """What was found and done."""

    looked_at: int
    groups: int
    """Values that more than one object has."""
    removed: int
    objects: int
    """In the draft afterwards."""
    twins: tuple[tuple[ObjectId, ObjectId], ...] = ()
    """Each object that went, with the one that stays in its place."""
    warnings: tuple[str, ...] = ()


def dedup(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    spec: DedupSpec,
    *,
    seed: int | None = None,
    command: Sequence[str] = (COMMAND,),
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> Deduplicated:
    """Take objects out of the draft until each value is there once.

    Of the draft only what sources and filters give is looked at; an object without a value
    stays.
    """
    if not (spec.by or spec.file_by):
        raise BadInput(COMMAND, "no expression to go by", "give one: --by E or --file-by E")
    with place.changing() as place:
        workspace = place.need_workspace()
        chosen = select(place, sources, filters, default="staged", seed=seed, progress=progress)
        rows = by_id(chosen.rows)
        rows = rows.take(drafted_rows(workspace, rows.ids, progress)[0])
        gone, warnings = surplus(place.catalog, rows, spec, progress)
        count = workspace.state.root.count - len(gone)
        if not dry_run and len(gone):
            ids = rows.ids[gone[:, 0]]
            changes = Changes.deletes(dataset_schema(place.instance), ids)
            operation = operation_for(command, chosen, (*filters, *_as_filters(spec)), seed)
            apply(workspace, chunked(changes), operation, {"removed": len(gone)}, progress)
        names = key_bytes(rows.ids)
        twins = tuple((ObjectId(names[a]), ObjectId(names[b])) for a, b in gone.tolist())
        groups = len(np.unique(gone[:, 1]))
        return Deduplicated(
            len(rows), groups, len(gone), count, twins, (*chosen.warnings, *warnings)
        )


def _as_filters(spec: DedupSpec) -> list[FilterSpec]:
    return [FilterSpec(name, text) for name, text in spec.filters()]


def surplus(
    catalog: Catalog, rows: Selected, spec: DedupSpec, progress: Progress = SILENT
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Rows that another one stands for: pairs (row, the one that stays), by row; warnings."""
    asked: list[tuple[Literal["query", "file"], str, str]] = []
    if spec.by:
        asked.append(("query", spec.by, "--by"))
    if spec.file_by:
        asked.append(("file", spec.file_by, "--file-by"))
    found = [
        row_values(catalog, rows, text, option, kind, progress) for kind, text, option in asked
    ]
    warnings = tuple(line for each in found for line in each.warnings)
    seen = row_values(catalog, rows, "first_indexed", "--keep", "file").values
    groups: dict[tuple[bytes | None, ...], list[int]] = {}
    for at, values in enumerate(zip(*(each.values for each in found), strict=True)):
        if None not in values:
            groups.setdefault(values, []).append(at)
    pairs = []
    for members in groups.values():
        if len(members) > 1:
            stays = _staying(members, seen, spec.keep)
            pairs += [(at, stays) for at in members if at != stays]
    return np.array(sorted(pairs), np.int64).reshape(-1, 2), warnings


def _staying(members: Sequence[int], seen: Sequence[bytes | None], keep: Keep) -> int:
    """The first of those that were indexed first, or last. Times are text of one length."""
    times = [seen[at] or b"" for at in members]
    wanted = min(times) if keep == "first" else max(times)
    return next(at for at, time in zip(members, times, strict=True) if time == wanted)


@dataclass(frozen=True, slots=True)
class Copies:
    """A data object that lies in more than one place."""

    id: ObjectId
    size: int
    paths: tuple[str, ...]


def copies(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    *,
    seed: int | None = None,
    progress: Progress = SILENT,
) -> Iterator[Copies]:
    """Data objects with more than one path, by id."""
    chosen = select(place, sources, filters, default="staged", seed=seed, progress=progress)
    for piece in pieces(by_id(chosen.rows)):
        found = []
        for positions, records in scan_records(chosen.catalog, piece.ids):
            for at, record in zip(positions.tolist(), records, strict=True):
                if len(record.paths) > 1:
                    paths = tuple(shown(seen.path) for seen in record.paths)
                    name = ObjectId(piece.ids[at : at + 1].tobytes())
                    found.append(Copies(name, record.size, paths))
        yield from sorted(found, key=lambda each: each.id)
