"""Batch writers: packs appear whole, when full and at a clean end, and never otherwise."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from ldb.backends.base import Backend, Buffer, Entry, Outcome
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.errors import BadInput, NotFound, StoreFailed
from ldb.objects.model import Blob, BlobType
from ldb.objects.packcheck import verify
from ldb.objects.packformat import PACKS
from ldb.objects.store import ObjectStore
from tests.objects.samples import blobs


def published(backend: Backend) -> list[Entry]:
    return list(backend.list(PACKS))


def test_nothing_is_visible_before_the_end() -> None:
    backend = MemoryBackend()
    store = ObjectStore(backend)
    some = blobs(100)
    with store.writer() as writer:
        for blob in some:
            writer.add(blob.type, blob.payload)
        assert published(backend) == []
    assert [f"{PACKS}{name}.pack" for name in writer.packs] == [
        entry.key for entry in published(backend)
    ]
    assert (len(writer.packs), writer.written, writer.skipped) == (1, 100, 0)
    assert store.get_many([blob.oid for blob in some]) == some


def test_an_exception_publishes_nothing_more() -> None:
    backend = MemoryBackend()
    store = ObjectStore(backend)
    first, second = blobs(10), blobs(10, seed=2)

    def fail_half_way() -> None:
        with store.writer() as writer:
            for blob in first:
                writer.add(blob.type, blob.payload)
            writer.flush()
            for blob in second:
                writer.add(blob.type, blob.payload)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert len(published(backend)) == 1
    assert store.get_many([blob.oid for blob in first]) == first
    with pytest.raises(NotFound):
        store.get(second[0].oid)


def test_full_packs_are_published_on_the_way() -> None:
    backend, dice = MemoryBackend(), random.Random(4)
    store = ObjectStore(backend)
    payloads = [dice.randbytes(3000) for _ in range(4000)]
    with store.writer(max_bytes=1_000_000) as writer:
        oids = writer.add_many(BlobType.MAP, payloads[:500])
        for payload in payloads[500:]:
            oids.append(writer.add(BlobType.MAP, payload))
        assert len(published(backend)) >= 2
        assert [writer.get(oid).payload for oid in oids[::100]] == payloads[::100]
    assert sum(len(pack) for pack in store.packs()) == writer.written == 4000
    assert all(verify(pack) == [] for pack in store.packs())
    assert [blob.payload for blob in store.get_many(oids)] == payloads


def test_known_blobs_are_skipped() -> None:
    backend = MemoryBackend()
    some = blobs(50)
    with ObjectStore(backend).writer() as writer:
        for blob in some[:40]:
            writer.add(blob.type, blob.payload)
    with ObjectStore(backend).writer() as writer:
        for blob in some:
            assert writer.add(blob.type, blob.payload) == blob.oid
    assert (writer.written, writer.skipped) == (10, 40)
    with ObjectStore(backend).writer() as writer:
        for blob in some:
            writer.add(blob.type, blob.payload)
    assert (writer.packs, writer.written) == ([], 0)


def test_own_blobs_are_read_back_at_any_moment() -> None:
    store = ObjectStore(MemoryBackend())
    old = Blob(BlobType.MAP, b"old")
    store.put(old)
    some = blobs(9000)
    with store.writer() as writer:
        for blob in some:
            assert writer.get(writer.add(blob.type, blob.payload)) == blob
        assert writer.get(some[0].oid, some[0].type) == some[0]
        assert writer.get_many([some[7].oid, old.oid]) == [some[7], old]
        with pytest.raises(BadInput, match="is of type"):
            writer.get(some[0].oid, next(kind for kind in BlobType if kind is not some[0].type))
        with pytest.raises(NotFound):
            writer.get(Blob(BlobType.MAP, b"none").oid)
        writer.flush()
        assert writer.get(some[4].oid) == some[4]


def test_an_oid_given_is_not_computed_again() -> None:
    store = ObjectStore(MemoryBackend())
    blob = blobs(1)[0]
    with store.writer() as writer:
        assert writer.add(blob.type, blob.payload, blob.oid) == blob.oid
        assert writer.add_many(blob.type, [blob.payload], [blob.oid]) == [blob.oid]
    assert store.get(blob.oid) == blob


def test_nothing_written_makes_no_pack() -> None:
    backend = MemoryBackend()
    with ObjectStore(backend).writer() as writer:
        pass
    assert (published(backend), writer.packs) == ([], [])


def test_the_same_blobs_make_the_same_pack_twice() -> None:
    backend = MemoryBackend()
    stores = [ObjectStore(backend), ObjectStore(backend)]
    for store in stores:
        assert store.packs() == []
    for store in stores:
        with store.writer() as writer:
            writer.add(BlobType.RECORD, b"same")
    assert len(published(backend)) == 1
    assert len(stores[1].packs()) == 1


class Full(MemoryBackend):
    """A store whose disk is full."""

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        raise StoreFailed(key, "no space left on device")


def test_a_full_disk_is_reported() -> None:
    store = ObjectStore(Full())
    with pytest.raises(StoreFailed), store.writer() as writer:
        writer.add(BlobType.RECORD, b"x")
    assert writer.packs == []
    assert store.packs() == []


KILLED = """
import os, sys
from ldb.backends.local import LocalBackend
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore

store = ObjectStore(LocalBackend(sys.argv[1]))
with store.writer(max_bytes=1_000_000) as writer:
    for number in range(10):
        writer.add_many(BlobType.RECORD, [os.urandom(3000) for _ in range(500)])
    os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_leaves_whole_packs(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    store = ObjectStore(LocalBackend(tmp_path))
    assert len(store.packs()) >= 2
    assert all(verify(pack) == [] for pack in store.packs())
    assert 0 < len(list(store.oids())) < 10 * 500
    assert [entry.key for entry in store.backend.list()] == sorted(p.key for p in store.packs())
