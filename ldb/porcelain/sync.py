"""`ldb sync`: make the draft equal to what is in the workspace's folder, or to some sources."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import PATHS, Catalog, as_keys, key_bytes, path_key
from ldb.errors import BadInput
from ldb.formats.pairs import is_annotation
from ldb.history import SourceUsed
from ldb.maps import Changes, Rows, lookup
from ldb.objects.indexrows import KIND_DATA
from ldb.porcelain.draft import CHUNK, Gathered, apply, by_id, gathered, operation_for
from ldb.porcelain.edits import index_edits, read_edits
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.sources import Selection, draft_rows, overlaid, plugins_of
from ldb.porcelain.written import Standing, standing
from ldb.progress import SILENT, Progress
from ldb.query.scanning import scan_records
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec, Warnings, apply_filters
from ldb.storage.location import to_uri
from ldb.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Synced:
    """What `sync` did to the draft."""

    workspace: Workspace
    added: int
    removed: int
    updated: int
    edited: int
    """Annotations that were edited in the workspace."""
    kept: int = 0
    """Objects that stay though no file stands for them: none was ever written here."""
    warnings: tuple[str, ...] = ()


def sync(
    place: Place,
    sources: Sequence[str] = (),
    filters: Sequence[FilterSpec] = (),
    *,
    seed: int | None = None,
    command: Sequence[str] = ("sync",),
    progress: Progress = SILENT,
) -> Synced:
    """Make the draft hold what sources and filters give and nothing else.

    No source: the files of the workspace. An object whose data file was removed leaves the
    draft, one that was never written there stays, edited annotations are taken, new files are
    indexed where the user wants that (`place.auto_index`) and are left out with a warning where
    not.
    """
    with place.changing() as place:
        workspace = place.need_workspace()
        kept = 0
        if sources:
            found = gathered(place, sources, filters, "none", seed, command, progress)
        else:
            found, kept = _of_folder(place, filters, seed, command, progress)
        before = draft_rows(place, workspace)
        changes, counts = _replacing(before, found.rows)
        operation = operation_for(command, found.chosen, filters, seed)
        done = apply(workspace, changes, operation, counts, progress)
        return Synced(done, **counts, edited=found.edited, kept=kept, warnings=found.warnings)


def _of_folder(
    place: Place,
    filters: Sequence[FilterSpec],
    seed: int | None,
    command: Sequence[str],
    progress: Progress,
) -> tuple[Gathered, int]:
    """What the files of the workspace stand for, with what was never written there; and how much
    of the latter filters have left."""
    workspace = place.need_workspace()
    found = standing(place)
    edits = read_edits(place, [workspace.folder])
    edits.keep(found.objects)
    place, ids, warnings = _new_files(place, found, progress)
    if workspace.state.root.count and not (found.listed or found.objects or ids):
        raise BadInput(
            workspace.folder,
            "holds no file that was instantiated, so the draft would lose all it has",
            "`ldb instantiate` writes files; `ldb del ds:root` empties the draft",
        )
    place = index_edits(place, edits, command)
    unwritten = _never_written(place, workspace, {*found.listed, *found.objects, *ids})
    rows = overlaid(place, ids, {*found.objects, *key_bytes(unwritten)}, edits.oids)
    plugins = plugins_of(place, place.catalog, warnings, progress)
    told = Warnings(warnings)
    rows = apply_filters(place.catalog, rows, filters, seed, told, progress, plugins=plugins)
    chosen = Selection(rows, (SourceUsed("ws:" + workspace.folder),), place.catalog)
    given = Gathered(chosen, by_id(rows), len(edits.oids), tuple(warnings))
    return given, int(np.isin(rows.ids, unwritten).sum())


def _never_written(
    place: Place, workspace: Workspace, written: Collection[bytes]
) -> NDArray[np.bytes_]:
    """Objects of the draft of which no file ever was in the folder, so that none was removed:
    added since `instantiate` ran, or could not be written. What the index saw there was there."""
    width = place.instance.id_bytes
    drafted = draft_rows(place, workspace).ids
    known = as_keys([each for each in written if len(each) == width], width)
    unwritten = drafted[~np.isin(drafted, known)]
    below = to_uri(workspace.folder, place.cwd) + "/"
    seen = np.zeros(len(unwritten), np.bool_)
    for positions, records in scan_records(place.catalog, unwritten):
        here = [any(each.path.startswith(below) for each in record.paths) for record in records]
        seen[positions] = here
    return unwritten[~seen]


def _new_files(
    place: Place, found: Standing, progress: Progress
) -> tuple[Place, set[bytes], list[str]]:
    """Index files that nobody instantiated, where that is wanted; ids of all such files."""
    paths = [each for each in found.others if not is_annotation(os.fsencode(each))]
    if not paths:
        return place, set(), []
    ids: set[bytes] = set()
    warnings: list[str] = []
    copied: set[str] = set()
    if place.auto_index:
        done = index(place, paths, only_if_new=True, command=("index", "--auto"), progress=progress)
        copied = {*done.ids}
        ids.update(*done.ids.values())
        warnings += map(str, done.report.problems)
        place = place.refreshed()
    known = dict(_indexed(place, [each for each in paths if each not in copied]))
    ids.update(known.values())
    left = [each for each in paths if each not in copied and each not in known]
    if left and not place.auto_index:
        what = f"{len(left):,} new file{'' if len(left) == 1 else 's'}, {left[0]} for one,"
        warnings.append(f"{what} left out: `ldb index` them, or set core.auto_index = true")
    return place, ids, warnings


def _indexed(place: Place, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Those of the paths at which the index knows a data object, and its id."""
    catalog: Catalog = place.catalog
    if catalog.paths is None or not paths:
        return
    keys = PATHS.column([path_key(os.fsencode(to_uri(each, place.cwd))) for each in paths])
    known, fields = lookup(catalog.instance.objects, PATHS, catalog.paths.root, keys)
    width = catalog.instance.id_bytes
    for at in np.flatnonzero(known & (fields[4].ravel() == KIND_DATA)).tolist():
        yield paths[at], fields[0][at, :width].tobytes()


def _replacing(before: Selected, rows: Selected) -> tuple[Iterator[Changes], dict[str, int]]:
    """The changes that make a draft of these rows, and counts of what that does."""
    gone = before.ids[~np.isin(before.ids, rows.ids, assume_unique=True)]
    at = np.minimum(np.searchsorted(before.ids, rows.ids), max(len(before) - 1, 0))
    there = before.ids[at] == rows.ids if len(before) else np.zeros(len(rows), np.bool_)
    old = before.take(at[there])
    other = (old.annotations != rows.annotations[there]).any(axis=1)
    transforms = rows.transforms.copy()
    own = transforms[there].any(axis=1, keepdims=True)
    # An object keeps its transforms in the draft unless the source brings its own.
    transforms[there] = np.where(own, transforms[there], old.transforms)
    zeros = np.zeros((len(gone), rows.annotations.shape[1]), np.uint8)
    keys = np.concatenate((rows.ids, gone))
    order = np.argsort(keys, kind="stable")
    notes = np.concatenate((rows.annotations, zeros))[order]
    changes = Changes(
        Rows(keys[order], (notes, np.concatenate((transforms, zeros))[order])),
        (np.arange(len(keys)) >= len(rows))[order],
    )
    parts = (changes.slice(start, start + CHUNK) for start in range(0, len(keys), CHUNK))
    added = len(rows) - int(there.sum())
    return parts, {"added": added, "removed": len(gone), "updated": int(other.sum())}
