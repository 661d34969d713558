"""Hundreds of small packs, as hundreds of commits leave them: few of them are opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.errors import Corrupt
from ldb.objects.loose import loose_key
from ldb.objects.model import Blob, BlobType
from ldb.objects.packread import OPENED_TOGETHER, SMALL, likely_first, opening
from ldb.objects.store import LOOKED_INTO, ObjectStore
from tests.objects.samples import array_of, blobs, packed

MANY = 150


@pytest.fixture
def old() -> list[Blob]:
    """In the oldest pack, which is by far the largest."""
    return blobs(2000)


def one(number: int) -> Blob:
    return Blob(BlobType.MAP, b"node %d" % number)


@pytest.fixture
def backend(old: list[Blob]) -> Backend:
    backend = MemoryBackend()
    write(backend, old)
    for number in range(MANY):
        write(backend, [one(number)])
    return backend


def write(backend: Backend, some: Sequence[Blob]) -> str:
    pack = packed(some)
    backend.create(pack.key, pack.data)
    return pack.key


def opened(store: ObjectStore) -> int:
    return sum(pack.is_open for pack in store.packs())


def test_new_and_bulky_ones_are_found_soon(backend: Backend, old: list[Blob]) -> None:
    store = ObjectStore(backend)
    for blob in (one(MANY - 1), old[3], old[1900]):
        assert store.get(blob.oid) == blob
    assert opened(store) <= 5


def test_everything_is_found(backend: Backend, old: list[Blob]) -> None:
    some = [*old[:50], *map(one, range(MANY))]
    assert ObjectStore(backend).get_many([blob.oid for blob in some]) == some
    store = ObjectStore(backend)
    assert [store.get(blob.oid) for blob in some] == some
    assert ObjectStore(backend).contains(array_of([blob.oid for blob in some])).all()


def test_a_commit_is_read_from_its_file(backend: Backend) -> None:
    commit = Blob(BlobType.COMMIT, b"commit")
    ObjectStore(backend).put(commit)
    store = ObjectStore(backend)
    assert store.get(commit.oid, BlobType.COMMIT) == commit
    assert opened(store) == 0


def test_a_commit_is_found_in_a_pack(backend: Backend) -> None:
    commit = Blob(BlobType.COMMIT, b"commit")
    write(backend, [commit])
    assert ObjectStore(backend).get(commit.oid, BlobType.COMMIT) == commit


def test_a_damaged_file_does_not_hide_what_a_pack_has(backend: Backend) -> None:
    commit = Blob(BlobType.COMMIT, b"commit")
    write(backend, [commit])
    backend.create(loose_key(commit.oid), b"rubbish")
    assert ObjectStore(backend).get(commit.oid, BlobType.COMMIT) == commit


def test_few_blobs_are_not_looked_for_everywhere(backend: Backend) -> None:
    store = ObjectStore(backend)
    with store.writer() as writer:
        writer.add(BlobType.MAP, b"new")
    assert 0 < opened(store) <= LOOKED_INTO + 1
    assert store.put(Blob(BlobType.MAP, b"newer"))
    assert opened(store) <= 2 * LOOKED_INTO + 1


def test_what_is_written_twice_is_there_once(backend: Backend, old: list[Blob]) -> None:
    again = [*old[:2], one(0), one(MANY // 2)]
    store = ObjectStore(backend)
    with store.writer() as writer:
        for blob in again:
            writer.add(blob.type, blob.payload)
    assert writer.written + writer.skipped == len(again)
    everything = list(store.oids())
    assert len(everything) == len(set(everything)) == len(old) + MANY
    assert store.get_many([blob.oid for blob in again]) == again


def test_many_blobs_are_looked_for_everywhere(backend: Backend) -> None:
    store = ObjectStore(backend)
    with store.writer() as writer:
        for number in range(MANY):
            writer.add(BlobType.MAP, one(number).payload)
    assert (writer.written, writer.skipped) == (0, MANY)


def test_the_order_begins_with_the_newest_and_the_largest(backend: Backend) -> None:
    entries = list(backend.list("objects/pack/"))
    first = likely_first(entries)
    assert sorted(first, key=lambda each: each.key) == sorted(entries, key=lambda each: each.key)
    newest = max(entry.stored for entry in entries)
    largest = max(entry.size for entry in entries)
    assert largest in [entry.size for entry in first[:2]]
    assert newest in [entry.stored for entry in first[:2]]
    assert likely_first(reversed(entries)) == first


def test_a_small_pack_is_read_at_once(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    key = write(backend, [one(1)])
    (pack,) = ObjectStore(backend).packs()
    assert pack.size < SMALL
    assert pack.find_one(one(1).oid) == 0
    (tmp_path / key).unlink()
    assert pack.payloads(pack.block(0)).blob(0) == one(1).payload


def test_a_small_pack_that_was_cut(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    key = write(backend, [one(1)])
    store = ObjectStore(backend)
    assert store.packs()
    data = (tmp_path / key).read_bytes()
    (tmp_path / key).chmod(0o644)
    (tmp_path / key).write_bytes(data[:-9])
    with pytest.raises(Corrupt, match="truncated"):
        store.get(one(1).oid)


def test_packs_far_away_are_opened_in_growing_groups(backend: Backend) -> None:
    asked: list[int] = []

    class Far(MemoryBackend):
        far = True

        def prefetch(self, ranges: object) -> None:
            asked.append(len(list(ranges)))  # type: ignore[call-overload]

    far = Far()
    for number in range(4 * OPENED_TOGETHER):
        write(far, [one(number)])
    packs = ObjectStore(far).packs()
    at = iter(opening(packs))
    next(at)
    assert asked == [OPENED_TOGETHER]
    assert list(at) == packs[1:]
    assert asked == [OPENED_TOGETHER, 2 * OPENED_TOGETHER, OPENED_TOGETHER]
