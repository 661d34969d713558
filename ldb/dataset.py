"""Datasets: a map from data object id to annotation and transform set, in versions.

Format: docs/formats/catalog.md. `commit_dataset` is how a draft becomes a version: it
merges with whatever others committed meanwhile, and reports a conflict where both changed
the same object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from ldb.errors import Conflict
from ldb.history import (
    DATASET_MAP,
    Commit,
    DiffCounts,
    MapRoot,
    Operation,
    Version,
    ancestors,
    dataset_root,
    now,
    publish,
)
from ldb.ids import ObjectId, Oid
from ldb.instance import Instance
from ldb.maps import Difference, Schema, copy_nodes, diff, empty, merge
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.progress import SILENT, Progress
from ldb.refs.name import RefName
from ldb.refs.store import Ref

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def dataset_schema(instance: Instance) -> Schema:
    """Schema of a dataset map: id → annotation oid (zeros: none), transform set oid."""
    return Schema("dataset", instance.id_bytes, (("annotation", 32), ("transforms", 32)))


def empty_root(instance: Instance, sink_store: ObjectStore) -> MapRoot:
    """The map without rows, written to `sink_store` if it is not there."""
    with sink_store.writer() as writer:
        root = empty(writer, dataset_schema(instance))
    return MapRoot(root.oid, root.count)


def diff_maps(
    instance: Instance, store: ObjectStore, old: MapRoot, new: MapRoot
) -> Iterator[Difference]:
    """What changed from `old` to `new`, in id order; equal subtrees are not read."""
    if old.root != new.root:
        yield from diff(store, dataset_schema(instance), old.root, new.root)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a commit is made from: a map in `store`, and the version it was drafted on."""

    store: ObjectStore
    """Holds the draft's nodes; reads through to the instance."""
    base: MapRoot
    root: MapRoot
    base_version: Version | None
    operations: tuple[Operation, ...]
    merged: tuple[Oid, ...] = ()
    """Commits of other datasets that were merged into it."""


def commit_dataset(
    instance: Instance,
    ref: RefName,
    draft: Draft,
    message: str,
    author: str,
    known: Version | None = None,
    again: bool = False,
    progress: Progress = SILENT,
) -> Version | None:
    """Publish `draft` as the next version of `ref`, merged with what others committed.

    None where the newest version holds all that already. Raises `Conflict` listing ids where
    the same object was changed both here and there, and where the dataset that the draft was
    staged from has been deleted since, unless that one is to be made `again`.
    """

    def make(current: Version | None) -> Commit | None:
        if not (again and current is None):
            _refuse_deleted(instance, ref, draft, current)
        root = _merged(instance, ref, draft, current, progress)
        if current is not None and root.root == dataset_root(current).root:
            return None
        _copy(instance, draft, root, progress)
        drafted_on = draft.base_version
        parents = [current.oid] if current else []
        if drafted_on and (current is None or drafted_on.ref != current.ref):
            # Saved under another name: its history is this one's too.
            parents.append(drafted_on.oid)
        return Commit(
            name=ref.name,
            number=0,
            maps={DATASET_MAP: root},
            parents=tuple(dict.fromkeys((*parents, *draft.merged))),
            operations=draft.operations,
            author=author,
            message=message,
            time=now(),
        )

    return publish(instance, ref, make, known)


def _refuse_deleted(
    instance: Instance, ref: RefName, draft: Draft, current: Version | None
) -> None:
    """Raise `Conflict` where `ref` was deleted after the draft was staged from it.

    Nothing is asked where `ref` is still at the version that the draft was staged from.
    """
    base = draft.base_version
    if base is None or base.ref != ref or (current and current.oid == base.oid):
        return
    since = takewhile(lambda each: each.number > base.number, instance.refs.history(ref))
    gone = next((each for each in since if each.target is None), None)
    if gone is None:
        return
    if current is None:
        raise deleted(instance, gone, base)
    if all(version.oid != base.oid for version in ancestors(instance, current)):
        raise Conflict(
            str(ref),
            f"what this draft was staged from, {base}",
            f"{current}, which does not come from it: {base.ref} was deleted in between",
            "save the draft under a name of its own: ldb commit ds:NEW",
        )


def deleted(instance: Instance, gone: Ref, base: Version) -> Conflict:
    """What to tell somebody whose draft, of `base`, is of a dataset that is deleted: `gone`."""
    again = f"`ldb commit {base.ref}` makes {base.ref} again"
    name = instance.refs.called_now(gone)
    if name is None:
        found, hint = "that it was deleted", f"{again}; `ldb commit ds:NEW` saves it elsewhere"
    else:
        found, hint = f"that it was renamed to {name}", f"ldb commit {name}; {again}"
    return Conflict(str(base.ref), f"the dataset this draft was staged from, {base}", found, hint)


def _merged(
    instance: Instance, ref: RefName, draft: Draft, current: Version | None, progress: Progress
) -> MapRoot:
    """The draft's root, three-way merged with `current` where that has moved on."""
    if current is None or dataset_root(current).root in (draft.base.root, draft.root.root):
        return draft.root
    theirs = dataset_root(current)
    progress.start("merging")
    with draft.store.writer() as writer:
        merged = merge(
            writer,
            writer,
            dataset_schema(instance),
            draft.base.root,
            draft.root.root,
            theirs.root,
            progress=progress,
        )
    if merged.conflicts:
        ids = [f"id:{ObjectId(key)}" for key in merged.conflict_keys()]
        shown = ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
        raise Conflict(
            f"{len(ids)} data object(s) changed both in this draft and in {current}: {shown}",
            "changes to different objects",
            "changes to the same ones",
            f"{_comparing(draft.base_version, current)}; "
            f"stage {current} elsewhere, or change the draft",
        )
    return MapRoot(merged.root.oid, merged.root.count)


def _comparing(base: Version | None, current: Version) -> str:
    """How to see what clashes."""
    if base is None:
        return f"`ldb diff -v {current}` compares the draft with it"
    return f"`ldb diff -v` shows your changes, `ldb diff -v {base} {current}` the others'"


def _copy(instance: Instance, draft: Draft, root: MapRoot, progress: Progress) -> None:
    """Bring every node and transform set that the draft has made into the instance, in one pack.

    Those that it has not made come from versions. What else the instance has of them may be
    garbage, whose children are gone: docs/design/011-garbage.md.
    """
    kept = [each.result.root for each in draft.operations if each.result]

    def stop(oids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return ~draft.store.contains(oids, own=True)

    progress.start("copying nodes of the draft")
    with instance.objects.writer() as writer:
        copy_nodes(draft.store, writer, (root.root, *kept), stop, progress)
        for oid in draft.store.oids(BlobType.TRANSFORM):  # of the draft alone: a handful
            writer.add(BlobType.TRANSFORM, draft.store.get(oid).payload, oid)


def count_changes(differences: Iterator[Difference]) -> DiffCounts:
    """Add up a diff."""
    added = removed = changed = transforms = 0
    for each in differences:
        added += len(each.added)
        removed += len(each.removed)
        changed += len(each.changed_keys)
        notes = each.old.fields[0], each.new.fields[0]
        transforms += int((notes[0] == notes[1]).all(axis=1).sum())
    return DiffCounts(added, removed, changed, transforms)
