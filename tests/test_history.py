"""Commits, versions, and how refs move from one to the next."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb import instance as instances
from ldb.backends.memory import MemoryBackend
from ldb.errors import BadInput, Conflict, Corrupt, NotFound
from ldb.history import (
    Commit,
    MapRoot,
    Operation,
    SourceUsed,
    Version,
    ancestors,
    dataset_root,
    decode_commit,
    encode_commit,
    head,
    load_commit,
    parents,
    publish,
    resolve,
)
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.objects.model import Blob, BlobType
from ldb.refs.name import INDEX, RefName, dataset_ref, parse_version

CATS, DOGS = dataset_ref("cats"), dataset_ref("dogs")

oids = st.binary(min_size=32, max_size=32).map(Oid)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
roots = st.builds(MapRoot, oids, st.integers(0, 2**48))
operations = st.builds(
    Operation,
    command=st.lists(texts, max_size=3).map(tuple),
    sources=st.lists(st.builds(SourceUsed, texts, st.none() | oids), max_size=2).map(tuple),
    filters=st.lists(
        st.tuples(texts, st.one_of(texts, st.integers(0, 99), st.booleans(), st.lists(texts))),
        max_size=2,
    ).map(tuple),
    counts=st.dictionaries(texts, st.integers(0, 2**40), max_size=2),
    time=st.integers(0, 2**45),
    result=st.none() | roots,
)
commits = st.builds(
    Commit,
    name=texts,
    number=st.integers(1, 10**10),
    maps=st.dictionaries(texts, roots, max_size=2),
    parents=st.lists(oids, max_size=2).map(tuple),
    operations=st.lists(operations, max_size=2).map(tuple),
    author=texts,
    message=texts,
    time=st.integers(0, 2**45),
)


@given(commits)
def test_commits_come_back_as_they_were(commit: Commit) -> None:
    blob = encode_commit(commit)
    assert blob.type is BlobType.COMMIT
    assert decode_commit(blob.payload, blob.oid) == commit
    assert msgpack.packb(msgpack.unpackb(blob.payload)) == blob.payload


GOOD = msgpack.unpackb(
    encode_commit(Commit("cats", 1, {"dataset": MapRoot(Oid(bytes(32)), 0)})).payload
)


@pytest.mark.parametrize(
    "value",
    [None, 1, [], {}, {**GOOD, "maps": []}, {**GOOD, "maps": {"dataset": {}}},
     {**GOOD, "parents": [b"short"]}, {**GOOD, "operations": [5]},
     {key: value for key, value in GOOD.items() if key != "time"}],
)  # fmt: skip
def test_what_is_no_commit(value: object) -> None:
    with pytest.raises(Corrupt, match="11111111"):
        decode_commit(msgpack.packb(value), Oid(b"\x11" * 32))


# -- versions --------------------------------------------------------------------------


@pytest.fixture
def instance() -> Instance:
    """An instance in memory."""
    return instances.create(MemoryBackend())


def commit_of(count: int, *before: Version, message: str = "", time: int = 0) -> Commit:
    """A commit whose map is told by its count."""
    root = MapRoot(Oid(count.to_bytes(32, "big")), count)
    came_from = tuple(each.oid for each in before)
    maps = dict.fromkeys(("dataset", "objects", "paths"), root)
    return Commit("", 0, maps, came_from, message=message, time=time)


def save(instance: Instance, ref: RefName, count: int, *more: Version, time: int = 0) -> Version:
    """One more version of `ref`."""

    def make(current: Version | None) -> Commit:
        return commit_of(count, *([current] if current else []), *more, time=time)

    version = publish(instance, ref, make)
    assert version is not None
    return version


def test_publish_names_and_numbers(instance: Instance) -> None:
    first, second = save(instance, CATS, 1), save(instance, CATS, 2)
    assert (str(first), str(second)) == ("ds:cats.v1", "ds:cats.v2")
    assert (second.commit.name, second.commit.number) == ("cats", 2)
    assert second.commit.parents == (first.oid,)
    assert head(instance, CATS) == second
    assert load_commit(instance, first.oid) == first.commit
    assert dataset_root(second).count == 2


def test_nothing_to_publish(instance: Instance) -> None:
    assert publish(instance, CATS, lambda current: None) is None
    assert head(instance, CATS) is None


def test_deleted_dataset_starts_anew(instance: Instance) -> None:
    first = save(instance, CATS, 1)
    newest = instance.refs.head(CATS)
    instance.refs.advance(CATS, newest, None, "")
    assert head(instance, CATS) is None
    again = save(instance, CATS, 2)
    assert (again.number, again.commit.number) == (3, 3)
    assert again.commit.parents == ()
    assert resolve(instance, parse_version("ds:cats.v1")) == first


def test_loser_builds_on_the_winner(instance: Instance) -> None:
    seen: list[Version | None] = []

    def make(current: Version | None) -> Commit:
        seen.append(current)
        if len(seen) == 1:
            save(instance, CATS, 7)
        return commit_of(8, *([current] if current else []))

    version = publish(instance, CATS, make)
    assert version is not None
    assert seen[0] is None
    assert seen[1] is not None
    assert version.commit.parents == (seen[1].oid,)
    assert [dataset_root(each).count for each in ancestors(instance, version)] == [8, 7]


def test_giving_up(instance: Instance) -> None:
    def make(current: Version | None) -> Commit:
        raise Conflict("it", "so", "otherwise")

    with pytest.raises(Conflict):
        publish(instance, CATS, make)
    assert instance.refs.head(CATS) is None


def test_every_writer_gets_in(instance: Instance) -> None:
    writers, each = 6, 5
    gate = threading.Barrier(writers)

    def write(writer: int) -> None:
        gate.wait()
        for number in range(each):
            save(instance, CATS, writer * 100 + number + 1)

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    newest = head(instance, CATS)
    assert newest is not None
    line = list(ancestors(instance, newest))
    assert [version.number for version in line] == list(range(writers * each, 0, -1))
    assert len({dataset_root(version).count for version in line}) == writers * each


def test_resolve(instance: Instance) -> None:
    versions = [save(instance, CATS, number) for number in (1, 2, 3)]
    for text, version in {
        "ds:cats": versions[2], "ds:cats.v1": versions[0], "ds:cats~": versions[1],
        "ds:cats~2": versions[0], "ds:cats.v2~1": versions[0], "ds:cats~~": versions[0],
    }.items():  # fmt: skip
        assert resolve(instance, parse_version(text)) == version


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("ds:cats.v9", "ds:cats.v9", "newest version is ds:cats.v2"),
        ("ds:cats~2", "history ends at ds:cats.v1", ""),
        ("ds:none", "ds:none", "`ldb ds list`"),
        ("ds:none.v1", "ds:none.v1", "`ldb ds list`"),
        ("ds:gone", "ds:gone", "versions up to .v1"),
        ("ds:gone.v2", "was deleted here", "versions up to .v1"),
        ("ds:root", "ds:root", "ldb index PATH"),
        ("ds:root.v1", "ds:root.v1", "ldb index PATH"),
    ],
)
def test_what_is_not_there(instance: Instance, text: str, message: str, hint: str) -> None:
    save(instance, CATS, 1)
    save(instance, CATS, 2)
    gone = dataset_ref("gone")
    save(instance, gone, 1)
    instance.refs.advance(gone, instance.refs.head(gone), None, "")
    with pytest.raises(NotFound, match=message) as caught:
        resolve(instance, parse_version(text))
    assert hint in caught.value.hint


def test_history_across_names(instance: Instance) -> None:
    one = save(instance, CATS, 1)
    copy = save(instance, DOGS, 2, one)
    assert [str(each) for each in parents(instance, copy)] == ["ds:cats.v1"]
    assert resolve(instance, parse_version("ds:dogs~1")) == one
    assert [str(each) for each in ancestors(instance, copy)] == ["ds:dogs.v1", "ds:cats.v1"]


def test_ancestors_once_each_newest_first(instance: Instance) -> None:
    base = save(instance, CATS, 1, time=1)
    left = save(instance, CATS, 2, time=2)
    right = save(instance, DOGS, 3, base, time=3)
    both = save(instance, CATS, 4, right, time=4)
    assert list(ancestors(instance, both)) == [both, right, left, base]


def test_blob_of_another_type(instance: Instance) -> None:
    oid = instance.objects.put(Blob(BlobType.ANNOTATION, msgpack.packb({})))
    with pytest.raises(BadInput):
        load_commit(instance, oid)
    with pytest.raises(NotFound):
        load_commit(instance, Oid(b"\x99" * 32))


def test_index_is_a_ref_like_any_other(instance: Instance) -> None:
    version = save(instance, INDEX, 1)
    assert str(version) == "ds:root.v1"
    assert head(instance, INDEX) == version
    assert replace(version.commit, name="root") == version.commit
