"""`ldb merge`: what another dataset changed since a common ancestor, brought into this one.

Three-way, on `ldb/maps/merge.py`. The result is the next version of a dataset, or the draft
of a workspace; what was merged becomes a parent, so that the next merge starts from here.
The same object changed both ways raises `Clashes`, and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

import numpy as np

from ldb.dataset import count_changes, dataset_schema, diff_maps, empty_root
from ldb.errors import BadInput, Conflict
from ldb.history import (
    DATASET_MAP,
    Commit,
    DiffCounts,
    MapRoot,
    Operation,
    SourceUsed,
    Version,
    ancestors,
    dataset_root,
    now,
    publish,
    resolve,
)
from ldb.ids import ObjectId
from ldb.instance import Instance
from ldb.maps import Changes, Conflicts, edit, merge
from ldb.objects.store import ObjectStore
from ldb.porcelain.diff import first_paths
from ldb.porcelain.draft import changes_since
from ldb.porcelain.place import Place
from ldb.porcelain.recipe import is_part
from ldb.progress import SILENT, Progress, advancing
from ldb.refs.name import INDEX, RefName, VersionSpec, dataset_ref

Prefer = Literal["", "ours", "theirs"]
"""Whose change counts where both changed the same object; empty: nobody's."""
COMMAND = "merge"


class Clashes(Conflict):
    """Data objects that both sides changed in different ways."""

    def __init__(self, ours: str, theirs: str, conflicts: Conflicts) -> None:
        super().__init__(
            f"{len(conflicts)} data object(s) changed both in {ours} and in {theirs}",
            "changes to different objects",
            "changes to the same ones",
            "nothing was changed; `--ours` keeps what the first has, `--theirs` takes the other's",
        )
        self.conflicts = conflicts


@dataclass(frozen=True, slots=True)
class Clash:
    """One of them, for people."""

    id: ObjectId
    path: str
    ours: str
    """What happened to it there: `added`, `removed`, `annotation changed` …"""
    theirs: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did."""

    base: Version | None
    """The common ancestor; None: there is none, and the two were united."""
    other: Version
    changes: DiffCounts
    """From what was there to the result."""
    objects: int
    version: Version | None = None
    """The new version; None where the result is a draft, or nothing was new."""
    of_split: bool = False
    """Whether objects were removed because the other is a part that a split made of the base."""


def merge_datasets(
    place: Place,
    first: VersionSpec,
    second: VersionSpec,
    *,
    into: str = "",
    prefer: Prefer = "",
    message: str = "",
    progress: Progress = SILENT,
) -> Merged:
    """Publish `first` merged with `second` as the next version of `first`, or as a new dataset.

    Raises `Clashes`, and `Conflict` where `into` is the name of a dataset that exists.
    """
    instance = place.instance
    target = _target(first, into)
    ours, theirs = _dataset(instance, first), _dataset(instance, second)
    outcome: list[Merged] = []

    def make(current: Version | None) -> Commit | None:
        if into and current is not None:
            raise Conflict(
                str(target), "a new name", current, "merge into it: ldb merge ds:IT ds:OTHER"
            )
        mine = ours if into else current or ours
        base = common_ancestor(instance, mine, theirs)
        root = _merged_version(instance, mine, theirs, base, prefer, progress)
        done = _counts(instance, instance.objects, dataset_root(mine), root, progress)
        split = bool(done.removed) and _was_split(instance, base, theirs)
        outcome.append(Merged(base, theirs, done, root.count, of_split=split))
        if not into and root.root == dataset_root(mine).root:
            return None
        return Commit(
            name=target.name,
            number=0,
            maps={DATASET_MAP: root},
            parents=tuple(dict.fromkeys((mine.oid, theirs.oid))),
            operations=(_operation([mine, theirs], prefer, done),),
            author=place.author,
            message=message or f"Merge {theirs}",
            time=now(),
        )

    version = publish(instance, target, make, None if into else ours)
    return replace(outcome[-1], version=version)


def merge_into_draft(
    place: Place, second: VersionSpec, *, prefer: Prefer = "", progress: Progress = SILENT
) -> Merged:
    """Merge a dataset into the draft of the workspace; `ldb commit` saves it. Raises `Clashes`."""
    with place.changing() as place:
        workspace, instance = place.need_workspace(), place.instance
        theirs = _dataset(instance, second)
        mine = workspace.base_version()
        base = common_ancestor(instance, mine, theirs) if mine else None
        store, before = workspace.store, workspace.state.root
        start = dataset_root(base) if base else empty_root(instance, store)
        sides = ("the draft", str(theirs))
        roots = (start, before, dataset_root(theirs))
        root = _merge(instance, store, roots, sides, prefer, progress)
        done = _counts(instance, store, before, root, progress)
        if root.root != before.root:
            operation = _operation([theirs], prefer, done)
            workspace.changed(root, operation, changes_since(workspace, root))
        split = bool(done.removed) and _was_split(instance, base, theirs)
        return Merged(base, theirs, done, root.count, of_split=split)


def clashes(place: Place, conflicts: Conflicts) -> Iterator[Clash]:
    """The objects in conflict, by id."""
    paths = first_paths(place.catalog, conflicts.keys)
    for at, key in enumerate(conflicts.base.rows.key_list(conflicts.schema)):
        ours, theirs = (_happened(conflicts, side, at) for side in ("ours", "theirs"))
        yield Clash(ObjectId(key), paths[at], ours, theirs)


def _happened(conflicts: Conflicts, name: Literal["ours", "theirs"], at: int) -> str:
    side, base = getattr(conflicts, name), conflicts.base
    if not side.there[at]:
        return "removed"
    if not base.there[at]:
        return "added"
    changed = [bool((side.rows.fields[k][at] != base.rows.fields[k][at]).any()) for k in (0, 1)]
    return " and ".join(
        what for what, is_so in zip(("annotation changed", "transforms changed"), changed) if is_so
    )


def common_ancestor(instance: Instance, one: Version, other: Version) -> Version | None:
    """The version that both come from and that no later one does; the newest of several."""
    mine = {version.oid for version in ancestors(instance, one)}
    shared = [version for version in ancestors(instance, other) if version.oid in mine]
    older = {oid for version in shared for oid in version.commit.parents}
    return next((version for version in shared if version.oid not in older), None)


def _was_split(instance: Instance, base: Version | None, version: Version) -> bool:
    """Whether some version since the base is one part of what there was."""
    later = takewhile(lambda each: base and each.oid != base.oid, ancestors(instance, version))
    return any(map(is_part, later))


def _target(first: VersionSpec, into: str) -> RefName:
    if into:
        target = dataset_ref(into.removeprefix("ds:"))
        if target == INDEX:
            raise BadInput("--into ds:root", "is the index; only `ldb index` adds to it")
        return target
    if first.number is not None or first.back:
        raise BadInput(
            first,
            "is one version, and versions are for ever",
            "`--into ds:NEW` makes a new dataset",
        )
    return first.ref


def _dataset(instance: Instance, spec: VersionSpec) -> Version:
    if spec.ref == INDEX:
        raise BadInput("ds:root", "is the index, which is no dataset", "`ldb add ds:root`")
    return resolve(instance, spec)


def _merged_version(
    instance: Instance,
    mine: Version,
    theirs: Version,
    base: Version | None,
    prefer: Prefer,
    progress: Progress,
) -> MapRoot:
    store = instance.objects
    start = dataset_root(base) if base else empty_root(instance, store)
    roots = (start, dataset_root(mine), dataset_root(theirs))
    return _merge(instance, store, roots, (str(mine), str(theirs)), prefer, progress)


def _merge(
    instance: Instance,
    store: ObjectStore,
    roots: tuple[MapRoot, MapRoot, MapRoot],
    names: tuple[str, str],
    prefer: Prefer,
    progress: Progress,
) -> MapRoot:
    """The map of base, ours and theirs together, written to `store`; raises `Clashes`."""
    schema = dataset_schema(instance)
    base, ours, theirs = (each.root for each in roots)
    progress.start("merging")
    with store.writer() as writer:
        merged = merge(writer, writer, schema, base, ours, theirs, progress=progress)
        found, root = merged.conflicts, merged.root
        if len(found) and not prefer:
            raise Clashes(*names, found)
        if len(found) and prefer == "theirs":
            changes = Changes(found.theirs.rows, np.logical_not(found.theirs.there))
            root = edit(writer, writer, schema, root.oid, [changes])
    return MapRoot(root.oid, root.count)


def _counts(
    instance: Instance, store: ObjectStore, old: MapRoot, new: MapRoot, progress: Progress
) -> DiffCounts:
    progress.start("counting changes")
    return count_changes(advancing(diff_maps(instance, store, old, new), progress))


def _operation(versions: list[Version], prefer: Prefer, done: DiffCounts) -> Operation:
    words = [COMMAND, *map(str, versions), *([f"--{prefer}"] if prefer else [])]
    counts = {"added": done.added, "removed": done.removed, "updated": done.changed}
    used = tuple(SourceUsed(str(each), each.oid) for each in versions)
    return Operation(tuple(words), used, counts=counts, time=now())
