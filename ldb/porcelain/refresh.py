"""`ldb refresh`: a dataset as its recipe gives it today, as a new version or in the draft."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ldb.backends.local import LocalBackend
from ldb.dataset import Draft, commit_dataset, count_changes, diff_maps
from ldb.errors import BadInput, Conflict
from ldb.history import (
    DiffCounts,
    Operation,
    SourceUsed,
    Version,
    dataset_root,
    now,
    resolve,
)
from ldb.maps import copy_nodes
from ldb.objects.store import ObjectStore
from ldb.porcelain.draft import changes_since
from ldb.porcelain.place import Place
from ldb.porcelain.recipe import Replayed, Step, refuse_part, replay
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX, VersionSpec

COMMAND = "refresh"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a recipe gave."""

    source: Version
    """The version whose recipe was run."""
    steps: tuple[Step, ...]
    changes: DiffCounts
    """From that version to the result."""
    objects: int
    version: Version | None = None
    """The new one; None where the result is a draft, a dry run, or nothing changed."""
    warnings: tuple[str, ...] = ()


def refresh(
    place: Place,
    dataset: VersionSpec,
    *,
    message: str = "",
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> Refreshed:
    """Publish what the recipe of a dataset gives today, if that is anything new.

    Others who commit meanwhile are merged with. Raises `Conflict` where that cannot be.
    """
    if dataset.ref == INDEX:
        raise BadInput("ds:root", "is the index", "`ldb index` refreshes it")
    if dataset.number is not None or dataset.back:
        raise BadInput(dataset, "is one version, and versions are for ever", f"name {dataset.ref}")
    source = resolve(place.instance, dataset)
    refuse_part(source)
    with _replaying(place, source, progress) as (store, done):
        found = _outcome(place, store, source, done)
        if dry_run or not found.changes:
            return found
        operation = _operation(source, found.changes)
        base = dataset_root(source)
        draft = Draft(store, base, done.root, source, (operation,))
        said = message or f"Refresh {source}"
        version = commit_dataset(place.instance, source.ref, draft, said, place.author, source)
        return replace(found, version=version)


def refresh_draft(place: Place, *, dry_run: bool = False, progress: Progress = SILENT) -> Refreshed:
    """Make what the recipe of the workspace's dataset gives today its draft.

    Raises `Conflict` where the draft has unsaved changes, which are in no recipe.
    """
    with place.changing() as place:
        workspace = place.need_workspace()
        source = workspace.base_version()
        if source is None:
            raise BadInput("the draft", "is of a new dataset, without a recipe", "commit it first")
        if workspace.state.dirty:
            raise Conflict(
                "draft",
                "no unsaved changes",
                "some",
                "`ldb commit` saves them, `ldb stage -f` drops them",
            )
        refuse_part(source)
        with _replaying(place, source, progress) as (store, done):
            found = _outcome(place, store, source, done)
            if dry_run or not found.changes:
                return found

            def stop(oids: NDArray[np.uint8]) -> NDArray[np.bool_]:
                return ~store.contains(oids, own=True)

            with workspace.store.writer() as writer:
                copy_nodes(store, writer, [done.root.root], stop)
            operation = _operation(source, found.changes)
            workspace.changed(done.root, operation, changes_since(workspace, done.root))
        return found


@contextmanager
def _replaying(
    place: Place, source: Version, progress: Progress
) -> Iterator[tuple[ObjectStore, Replayed]]:
    """The recipe run in a store of its own, away from workspaces: what it names means the same
    from everywhere."""
    with tempfile.TemporaryDirectory(prefix="ldb-refresh-") as folder:
        store = ObjectStore(LocalBackend(folder), fallback=place.instance.objects)
        yield store, replay(replace(place, cwd=folder), store, source, progress)


def _outcome(place: Place, store: ObjectStore, source: Version, done: Replayed) -> Refreshed:
    changes = count_changes(diff_maps(place.instance, store, dataset_root(source), done.root))
    return Refreshed(source, done.steps, changes, done.root.count, None, done.warnings)


def _operation(source: Version, changes: DiffCounts) -> Operation:
    counts = {"added": changes.added, "removed": changes.removed, "updated": changes.changed}
    used = (SourceUsed(str(source), source.oid),)
    return Operation((COMMAND, str(source.ref)), used, counts=counts, time=now())
