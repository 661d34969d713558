"""`ldb add` and `ldb del`: change the draft of a workspace.

Each makes one map edit in the workspace's own store and one new state. Nothing is written to
the instance but what is indexed on the way: new files, annotations edited in the workspace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from ldb.dataset import count_changes, dataset_schema, diff_maps
from ldb.history import DiffCounts, MapRoot, Operation, now
from ldb.maps import Changes, Rows, edit
from ldb.objects.store import ObjectStore
from ldb.porcelain.auto_index import AutoIndexed, auto_index
from ldb.porcelain.edits import index_edits, read_edits
from ldb.porcelain.place import Place
from ldb.porcelain.sources import Default, Known, Selection, drafted_rows, select, stores_named
from ldb.progress import SILENT, Progress, advancing
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec
from ldb.workspace import Workspace

CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Changed:
    """What a command did to the draft."""

    workspace: Workspace
    rows: Selected
    """What sources and filters gave, by id."""
    added: int = 0
    removed: int = 0
    updated: int = 0
    """Objects of the draft that got another annotation."""
    edited: int = 0
    """Annotations that were edited in the workspace."""
    warnings: tuple[str, ...] = ()

    @property
    def selected(self) -> int:
        """Data objects that sources and filters gave."""
        return len(self.rows)


def add(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec] = (),
    *,
    seed: int | None = None,
    command: Sequence[str] = ("add",),
    progress: Progress = SILENT,
    ids: Mapping[str, frozenset[bytes]] | None = None,
) -> Changed:
    """Add what sources and filters give to the draft; no source: the whole index.

    Local paths are indexed first, where the user wants that (`place.auto_index`), and edited
    annotations of the workspace always are. With `ids`, those of sources that are not indexed
    under their own path, all has just been indexed.
    """
    with place.changing() as place:
        workspace = place.need_workspace()
        indexed = None if ids is None else AutoIndexed(place, ids)
        found = gathered(place, sources, filters, "root", seed, command, progress, indexed)
        changes, counts = _upserts(workspace, found.rows, progress)
        operation = operation_for(command, found.chosen, filters, seed)
        return Changed(
            apply(workspace, changes, operation, counts, progress),
            found.rows,
            added=counts["added"],
            updated=counts["updated"],
            edited=found.edited,
            warnings=found.warnings,
        )


@dataclass(frozen=True, slots=True)
class Gathered:
    """What sources and filters give a draft, once all that has to be indexed for it was."""

    chosen: Selection
    rows: Selected
    """By id."""
    edited: int
    """Annotations that were edited in the workspace."""
    warnings: tuple[str, ...]


def gathered(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    default: Default,
    seed: int | None,
    command: Sequence[str],
    progress: Progress,
    indexed: AutoIndexed | None = None,
) -> Gathered:
    """Select for the draft; the caller holds the workspace.

    On the way new files and edited annotations are indexed, and what workspaces of other
    instances hold is brought over.
    """
    workspace = place.need_workspace()
    edits = read_edits(place, sources)
    indexed = indexed or auto_index(place, sources, progress)
    place, brought = _brought(indexed.place, sources, filters, indexed.ids)
    place = index_edits(place, edits, command)
    known = Known(indexed.ids, edits.oids, brought)
    chosen = select(
        place, sources, filters, default=default, seed=seed, progress=progress, known=known
    )
    rows = by_id(chosen.rows)
    _bring_sets(
        workspace, stores_named(place, [each for each in sources if each not in brought]), rows
    )
    warnings = (*map(str, indexed.problems), *chosen.warnings)
    return Gathered(chosen, rows, len(edits.oids), warnings)


def _brought(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    known: Mapping[str, object],
) -> tuple[Place, Mapping[str, Selected]]:
    if not any(text.startswith("ws:") for text in sources):
        return place, {}
    from ldb.porcelain.foreign import bring  # which opens other instances

    return bring(place, sources, filters, known)


def _bring_sets(workspace: Workspace, others: Sequence[ObjectStore], rows: Selected) -> None:
    """Copy transform sets that only the drafts of other workspaces have."""
    if not others:
        return
    wanted = np.unique(rows.transforms[rows.transforms.any(axis=1)], axis=0)
    with workspace.store.writer() as writer:
        for store in others:
            wanted = wanted[~workspace.store.contains(wanted)]
            writer.copy(store, wanted[store.contains(wanted)])


def _upserts(
    workspace: Workspace, rows: Selected, progress: Progress
) -> tuple[Iterable[Changes], dict[str, int]]:
    """The changes that put rows into the draft, and how many are new or other than there."""
    if not workspace.state.root.count:  # nothing to compare with: rows are read as they go in
        parts = (rows.take(np.arange(at, min(at + CHUNK, len(rows)))) for at in _steps(rows))
        every = (Rows(each.ids, (each.annotations, each.transforms)) for each in parts)
        return map(Changes.upserts, every), {"added": len(rows), "updated": 0}
    there, drafted = drafted_rows(workspace, rows.ids, progress)
    other = there & (drafted.annotations != rows.annotations).any(axis=1)
    # An object keeps its transforms in the draft unless the source brings its own.
    own = rows.transforms.any(axis=1, keepdims=True)
    transforms = np.where(own, rows.transforms, drafted.transforms)
    counts = {"added": int((~there).sum()), "updated": int(other.sum())}
    return chunked(Changes.upserts(Rows(rows.ids, (rows.annotations, transforms)))), counts


def delete(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec] = (),
    *,
    seed: int | None = None,
    command: Sequence[str] = ("del",),
    progress: Progress = SILENT,
) -> Changed:
    """Take what sources and filters give out of the draft; no source: the draft itself."""
    with place.changing() as place:
        workspace = place.need_workspace()
        chosen = select(place, sources, filters, default="staged", seed=seed, progress=progress)
        rows = by_id(chosen.rows)
        there, _ = drafted_rows(workspace, rows.ids, progress)
        changes = Changes.deletes(dataset_schema(place.instance), rows.ids[there])
        operation = operation_for(command, chosen, filters, seed)
        removed = int(there.sum())
        counts = {"removed": removed}
        done = apply(workspace, chunked(changes), operation, counts, progress)
        return Changed(done, rows, removed=removed, warnings=chosen.warnings)


def operation_for(
    command: Sequence[str],
    chosen: Selection,
    filters: Sequence[FilterSpec],
    seed: int | None,
    counts: Mapping[str, int] = MappingProxyType({}),
) -> Operation:
    """The record of one selection, for `why` and for running it again."""
    given: list[tuple[str, object]] = [
        (each.kind, list(each.value) if isinstance(each.value, tuple) else each.value)
        for each in filters
    ]
    if seed is not None:
        given.append(("seed", seed))
    return Operation(tuple(command), chosen.used, tuple(given), dict(counts), now())


def apply(
    workspace: Workspace,
    changes: Iterable[Changes],
    operation: Operation,
    counts: dict[str, int],
    progress: Progress = SILENT,
) -> Workspace:
    """Edit the draft and save it; a change that changes nothing leaves no trace."""
    state, schema = workspace.state, dataset_schema(workspace.instance)
    progress.start("writing the draft")
    told = advancing(changes, progress)
    with workspace.store.writer() as writer:
        made = edit(workspace.store, writer, schema, state.root.root, told)
    root = MapRoot(made.oid, made.count)
    if root.root == state.root.root:
        return workspace
    operation = replace(operation, counts=counts)
    return workspace.changed(root, operation, changes_since(workspace, root))


def changes_since(workspace: Workspace, root: MapRoot) -> DiffCounts:
    """How a draft with this root differs from the workspace's base."""
    base = workspace.state.base_root
    if not base.count:
        return DiffCounts(added=root.count)
    return count_changes(diff_maps(workspace.instance, workspace.store, base, root))


def by_id(rows: Selected) -> Selected:
    """Rows sorted by id, whatever order a filter gave them."""
    if rows.ascending or len(rows) < 2 or bool((rows.ids[1:] > rows.ids[:-1]).all()):
        return rows
    return rows.take(np.argsort(rows.ids, kind="stable"))


def chunked(changes: Changes) -> Iterable[Changes]:
    """Changes in pieces, so that an edit holds little at a time."""
    for at in _steps(changes):
        yield changes.slice(at, at + CHUNK)


def _steps(rows: Sized) -> range:
    return range(0, len(rows), CHUNK)
