"""`ldb pull`: give the objects of the draft their newest annotations, or those of a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ldb.errors import BadInput
from ldb.maps import Changes, Rows
from ldb.porcelain.draft import apply, by_id, chunked, operation_for
from ldb.porcelain.place import Place
from ldb.porcelain.sources import drafted_rows, select
from ldb.progress import SILENT, Progress
from ldb.query.selected import Oids, Selected
from ldb.query.selection import FilterSpec
from ldb.query.versions import versions_of
from ldb.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Pulled:
    """What `pull` did to the draft."""

    workspace: Workspace
    selected: int
    """Objects of the draft that sources and filters gave."""
    updated: int
    """Those that have another annotation now."""
    warnings: tuple[str, ...] = ()


def pull(
    place: Place,
    sources: Sequence[str] = (),
    filters: Sequence[FilterSpec] = (),
    *,
    number: int | None = None,
    seed: int | None = None,
    command: Sequence[str] = ("pull",),
    progress: Progress = SILENT,
) -> Pulled:
    """Annotations of the draft to the index's current ones, or to version `number` of each.

    No source: the whole draft. Objects that are not in it stay outside; one that has no such
    version, or no annotation in the index, keeps what it has.
    """
    with place.changing() as place:
        return pull_now(place, sources, filters, number, seed, command, progress)


def pull_now(
    place: Place,
    sources: Sequence[str] = (),
    filters: Sequence[FilterSpec] = (),
    number: int | None = None,
    seed: int | None = None,
    command: Sequence[str] = ("pull",),
    progress: Progress = SILENT,
) -> Pulled:
    """The same for who holds the workspace already."""
    if number is not None and number < 1:
        raise BadInput(f"v{number}", "is no version", "the first one is v1")
    workspace = place.need_workspace()
    chosen = select(place, sources, filters, default="staged", seed=seed, progress=progress)
    there, drafted = drafted_rows(workspace, by_id(chosen.rows).ids, progress)
    rows = drafted.take(there)
    notes = _annotations(place, rows, number, progress)
    wanted = np.where(notes.any(axis=1, keepdims=True), notes, rows.annotations)
    other = (wanted != rows.annotations).any(axis=1)
    changes = Changes.upserts(Rows(rows.ids, (wanted, rows.transforms)).take(other))
    counts = {"updated": int(other.sum())}
    operation = operation_for(command, chosen, filters, seed)
    done = apply(workspace, chunked(changes), operation, counts, progress)
    warnings = list(chosen.warnings)
    if number is not None and (lacking := int((~notes.any(axis=1)).sum())):
        what = f"{lacking:,} data object{'' if lacking == 1 else 's'}"
        warnings.append(f"{what} without a v{number} kept what they have")
    return Pulled(done, len(rows), counts["updated"], tuple(warnings))


def _annotations(place: Place, rows: Selected, number: int | None, progress: Progress) -> Oids:
    """The newest annotation of each row's object, or version `number`; zeros for none."""
    if number is None:
        progress.start("looking up annotations", len(rows))
        return place.catalog.find(rows.ids, progress).annotations
    return versions_of(place.catalog, rows).of(number)
