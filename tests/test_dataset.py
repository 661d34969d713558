"""From a draft to a version: the merge with others, and the nodes that move."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb import instance as instances
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.catalog import as_keys, key_bytes
from ldb.dataset import (
    Draft,
    commit_dataset,
    count_changes,
    dataset_schema,
    diff_maps,
    empty_root,
)
from ldb.errors import Conflict
from ldb.history import DiffCounts, MapRoot, Operation, Version, dataset_root, head, load_commit
from ldb.instance import Instance
from ldb.maps import Changes, Rows, edit, scan
from ldb.objects.store import ObjectStore
from ldb.refs.name import dataset_ref

CATS = dataset_ref("cats")
Content = dict[int, int]
"""Data object → annotation, both as small numbers."""


@pytest.fixture
def instance() -> Instance:
    return instances.create(MemoryBackend())


def key(number: int) -> bytes:
    return hashlib.md5(str(number).encode()).digest()


def rows_of(content: Mapping[int, int]) -> Rows:
    order = sorted(content, key=key)
    notes = b"".join(content[number].to_bytes(32, "big") for number in order)
    column = np.frombuffer(notes, np.uint8).reshape(-1, 32)
    return Rows(as_keys([key(number) for number in order], 16), (column, np.zeros_like(column)))


def written(instance: Instance, store: ObjectStore, base: MapRoot, content: Content) -> MapRoot:
    """The map of `content`, made from `base` by edits in `store`."""
    schema = dataset_schema(instance)
    old = set(content_of(instance, store, base))
    gone = as_keys(sorted(key(number) for number in old - set(content)), 16)
    changes: list[Changes] = []
    if content:
        changes.append(Changes.upserts(rows_of(content)))
    with store.writer() as writer:
        root = edit(writer, writer, schema, base.root, changes)
        if len(gone):
            root = edit(writer, writer, schema, root.oid, [Changes.deletes(schema, gone)])
    return MapRoot(root.oid, root.count)


NUMBERS = {key(number): number for number in range(500)}


def content_of(instance: Instance, store: ObjectStore, root: MapRoot) -> Content:
    found: Content = {}
    for rows in scan(store, dataset_schema(instance), root.root):
        for raw, note in zip(key_bytes(rows.keys), rows.fields[0]):
            found[NUMBERS[raw]] = int.from_bytes(note.tobytes(), "big")
    return found


def saved(instance: Instance, version: Version) -> Content:
    return content_of(instance, instance.objects, dataset_root(version))


def draft(
    instance: Instance, content: Content, base: Version | None = None, steps: Iterable[Content] = ()
) -> Draft:
    """A draft of `content` in a store of its own, on a version or on nothing."""
    store = ObjectStore(MemoryBackend(), fallback=instance.objects)
    start = dataset_root(base) if base else empty_root(instance, store)
    kept = [written(instance, store, start, step) for step in steps]
    root = written(instance, store, start, content)
    operations = [Operation((f"step {at}",), result=each) for at, each in enumerate(kept)]
    return Draft(store, start, root, base, (*operations, Operation(("last",))))


def commit(instance: Instance, content: Content, base: Version | None = None) -> Version:
    version = commit_dataset(instance, CATS, draft(instance, content, base), "", "Ann")
    assert version is not None
    return version


def test_first_version(instance: Instance) -> None:
    version = commit(instance, {1: 1, 2: 2})
    assert saved(instance, version) == {1: 1, 2: 2}
    assert (version.commit.parents, version.commit.author) == ((), "Ann")
    assert dataset_root(version).count == 2


def test_nodes_of_kept_steps_are_there_too(instance: Instance) -> None:
    many = dict.fromkeys(range(400), 1)
    made = draft(instance, {1: 1}, steps=[many, {2: 2}])
    version = commit_dataset(instance, CATS, made, "", "")
    assert version is not None
    results = [each.result for each in version.commit.operations]
    assert [
        content_of(instance, instance.objects, each) for each in results if each is not None
    ] == [many, {2: 2}]
    assert results[-1] is None


def test_one_pack_and_one_loose_blob_a_commit(tmp_path: Path) -> None:
    instance = instances.create(LocalBackend(tmp_path))
    base = commit(instance, dict.fromkeys(range(500), 1))

    def files() -> set[str]:
        return {entry.key for entry in instance.backend.list("objects/")}

    before = files()
    commit(instance, {**saved(instance, base), 7: 2}, base)
    new = files() - before
    assert len(new) == 2
    assert sum(name.startswith("objects/pack/") for name in new) == 1


small = st.dictionaries(st.integers(0, 7), st.integers(1, 3), max_size=8)


@settings(max_examples=60)
@given(small, small, small)
def test_merge_is_that_of_dictionaries(base: Content, mine: Content, theirs: Content) -> None:
    instance = instances.create(MemoryBackend())
    start = commit(instance, base) if base else None
    made = draft(instance, mine, start)
    if theirs != base:
        commit(instance, theirs, start)
    expected, clashes = {}, set()
    for number in range(8):
        old, one, other = (each.get(number) for each in (base, mine, theirs))
        if one != old and other not in (old, one):
            clashes.add(number)
        kept = other if one == old else one
        if kept is not None:
            expected[number] = kept
    before = head(instance, CATS)
    if clashes:
        with pytest.raises(Conflict) as caught:
            commit_dataset(instance, CATS, made, "", "")
        named = [number for number in clashes if key(number).hex() in str(caught.value)]
        assert len(named) == min(5, len(clashes))
        assert f"{len(clashes)} data object" in str(caught.value)
        assert head(instance, CATS) == before, "nothing is saved"
        return
    version = commit_dataset(instance, CATS, made, "", "")
    if version is None:
        assert expected == theirs
    else:
        assert saved(instance, version) == expected


def test_nothing_new(instance: Instance) -> None:
    base = commit(instance, {1: 1})
    assert commit_dataset(instance, CATS, draft(instance, {1: 1}, base), "", "") is None
    assert commit_dataset(instance, CATS, draft(instance, {1: 1}), "", "") is None
    assert head(instance, CATS) == base


def test_under_another_name(instance: Instance) -> None:
    base = commit(instance, {1: 1})
    dogs = dataset_ref("dogs")
    copy = commit_dataset(instance, dogs, draft(instance, {1: 1, 2: 2}, base), "", "")
    assert copy is not None
    assert (str(copy), copy.commit.parents) == ("ds:dogs.v1", (base.oid,))


def test_draft_of_a_deleted_dataset(instance: Instance) -> None:
    base = commit(instance, {1: 1})
    instance.refs.advance(CATS, instance.refs.head(CATS), None, "")
    with pytest.raises(Conflict, match="that it was deleted"):
        commit(instance, {1: 1, 2: 2}, base)
    made = draft(instance, {1: 1, 2: 2}, base)
    again = commit_dataset(instance, CATS, made, "", "", again=True)
    assert again is not None
    assert (again.number, again.commit.parents) == (3, (base.oid,))
    assert saved(instance, again) == {1: 1, 2: 2}


def test_deleted_after_the_head_was_asked(instance: Instance) -> None:
    """What a command took for the head is a version still; the tombstone after it wins."""
    base = commit(instance, {1: 1})
    instance.refs.advance(CATS, instance.refs.head(CATS), None, "")
    with pytest.raises(Conflict, match="that it was deleted"):
        commit_dataset(instance, CATS, draft(instance, {1: 1, 2: 2}, base), "", "", base)


def test_many_writers(instance: Instance) -> None:
    base = commit(instance, {0: 1})
    drafts = [draft(instance, {0: 1, number: number}, base) for number in range(1, 9)]

    def save(made: Draft) -> None:
        assert commit_dataset(instance, CATS, made, "", "") is not None

    with ThreadPoolExecutor(len(drafts)) as pool:
        list(pool.map(save, drafts))
    newest = head(instance, CATS)
    assert newest is not None
    assert newest.number == 9
    assert saved(instance, newest) == {0: 1, **{number: number for number in range(1, 9)}}
    assert load_commit(instance, newest.oid) == newest.commit


def test_differences(instance: Instance) -> None:
    old = commit(instance, dict.fromkeys(range(300), 1))
    new = commit(instance, {**dict.fromkeys(range(2, 302), 1), 5: 2, 6: 2, 7: 2}, old)

    def counts(one: Version, other: Version) -> DiffCounts:
        roots = dataset_root(one), dataset_root(other)
        return count_changes(diff_maps(instance, instance.objects, *roots))

    assert counts(old, new) == DiffCounts(2, 2, 3)
    assert counts(new, old) == DiffCounts(2, 2, 3)
    assert counts(old, old) == DiffCounts()
    assert not DiffCounts()


def test_transforms_count_as_a_change(instance: Instance) -> None:
    rows = rows_of({1: 1})
    marked = replace(rows, fields=(rows.fields[0], np.ones_like(rows.fields[1])))
    store = instance.objects
    base = written(instance, store, empty_root(instance, store), {1: 1})
    with store.writer() as writer:
        schema = dataset_schema(instance)
        root = edit(writer, writer, schema, base.root, [Changes.upserts(marked)])
    differing = diff_maps(instance, store, base, MapRoot(root.oid, root.count))
    assert count_changes(differing) == DiffCounts(changed=1, transforms=1)
