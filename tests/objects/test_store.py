"""The store: loose and packed blobs behind one door, verified, refreshed, layered."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.errors import Ambiguous, BadInput, Corrupt, NotFound
from ldb.ids import Oid
from ldb.objects.loose import loose_key
from ldb.objects.model import Blob, BlobType
from ldb.objects.packformat import PACKS
from ldb.objects.store import ObjectStore
from tests.objects.samples import array_of, blobs, packed

ABSENT = Blob(BlobType.RECORD, b"nowhere").oid


@pytest.fixture(params=["memory", "local"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return MemoryBackend() if request.param == "memory" else LocalBackend(tmp_path / "store")


def filled(backend: Backend, some: list[Blob]) -> ObjectStore:
    """A store with the blobs over two packs and three loose files."""
    store = ObjectStore(backend)
    loose, rest = some[:3], some[3:]
    for half in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
        with store.writer() as writer:
            for blob in half:
                writer.add(blob.type, blob.payload)
    for blob in loose:
        store.put(blob)
    return ObjectStore(backend)


def test_every_blob_is_read_in_every_way(backend: Backend) -> None:
    some = blobs(400)
    store = filled(backend, some)
    oids = [blob.oid for blob in some]
    assert [store.get(oid) for oid in oids] == some
    assert [store.get(blob.oid, blob.type) for blob in some] == some
    assert store.get_many(oids) == some
    assert store.get_many(oids[:2]) == some[:2]
    assert store.contains(array_of(oids)).all()
    assert all(map(store.has, oids))
    assert sorted(store.oids()) == sorted(oids)
    for kind in BlobType:
        expected = [blob.oid for blob in some if blob.type is kind]
        assert sorted(store.oids(kind)) == sorted(expected)
    counts = store.counts()
    assert (counts.loose, counts.packs, sum(counts.packed.values())) == (3, 2, 397)
    assert counts.pack_bytes == sum(entry.size for entry in backend.list(PACKS))


def test_scan_gives_payloads_with_their_positions(backend: Backend) -> None:
    some = [blob for blob in blobs(900) if blob.type is BlobType.ANNOTATION]
    store = filled(backend, some)
    wanted = [*some, *some[5:9], some[0]]
    random.Random(3).shuffle(wanted)
    seen: dict[int, bytes] = {}
    for positions, payloads in store.scan(
        array_of([blob.oid for blob in wanted]), BlobType.ANNOTATION
    ):
        assert len(positions) == len(payloads)
        seen.update(zip(positions.tolist(), payloads))
    assert [seen[position] for position in range(len(wanted))] == [blob.payload for blob in wanted]


@given(st.lists(st.integers(0, 59), max_size=80))
@settings(max_examples=40)
def test_scan_agrees_with_get(numbers: list[int]) -> None:
    some = [Blob(BlobType.RECORD, b"%d" % number * 30) for number in range(60)]
    store = filled(MemoryBackend(), some)
    wanted = array_of([some[number].oid for number in numbers])
    seen: dict[int, bytes] = {}
    for positions, payloads in store.scan(wanted, BlobType.RECORD):
        seen.update(zip(positions.tolist(), payloads))
    assert seen == {place: some[number].payload for place, number in enumerate(numbers)}


def test_what_is_not_there_is_not_found(backend: Backend) -> None:
    some = blobs(30)
    store = filled(backend, some)
    for read in readers(store, ABSENT, BlobType.RECORD):
        with pytest.raises(NotFound, match=ABSENT.hex()):
            read()
    assert not store.has(ABSENT)
    assert store.contains(array_of([some[0].oid, ABSENT, some[9].oid])).tolist() == [
        True,
        False,
        True,
    ]


def test_an_empty_store(backend: Backend) -> None:
    store = ObjectStore(backend)
    assert list(store.oids()) == []
    assert store.counts().packs == 0
    assert store.contains(array_of([ABSENT])).tolist() == [False]
    assert store.get_many([]) == []
    assert list(store.scan(array_of([]), BlobType.MAP)) == []
    with pytest.raises(NotFound):
        store.get(ABSENT)


def test_another_type_than_asked_for(backend: Backend) -> None:
    packed_blob, loose_blob = Blob(BlobType.MAP, b"node"), Blob(BlobType.COMMIT, b"commit")
    store = ObjectStore(backend)
    with store.writer() as writer:
        writer.add(packed_blob.type, packed_blob.payload)
    store.put(loose_blob)
    for blob in (packed_blob, loose_blob):
        with pytest.raises(BadInput, match=f"is of type {blob.type.value}, not record"):
            store.get(blob.oid, BlobType.RECORD)
        with pytest.raises(BadInput, match=f"is of type {blob.type.value}, not record"):
            list(store.scan(array_of([blob.oid]), BlobType.RECORD))


def readers(store: ObjectStore, oid: Oid, kind: BlobType) -> list[Callable[[], object]]:
    return [
        lambda: store.get(oid),
        lambda: store.get_many([oid] * 3),
        lambda: list(store.scan(array_of([oid]), kind)),
        lambda: store.expand(oid.hex()),
    ]


@pytest.mark.parametrize("way", range(4))
def test_what_others_wrote_since_is_found(backend: Backend, way: int) -> None:
    first, later, loose = (Blob(BlobType.RECORD, name) for name in (b"first", b"later", b"loose"))
    reader, writer = filled(backend, [first]), ObjectStore(backend)
    assert reader.get(first.oid) == first
    assert not reader.contains(array_of([later.oid]))[0]
    with writer.writer() as batch:
        batch.add(later.type, later.payload)
    writer.put(loose)
    assert readers(reader, later.oid, BlobType.RECORD)[way]()
    assert readers(reader, loose.oid, BlobType.RECORD)[way]()


def test_a_pack_replaced_by_another_is_followed(backend: Backend) -> None:
    some = blobs(20)
    reader = filled(backend, some)
    assert reader.get(some[5].oid) == some[5]
    unopened, bulk = ObjectStore(backend), ObjectStore(backend)
    old = [pack.key for pack in [*unopened.packs(), *bulk.packs()]]
    both = packed(some)
    backend.create(both.key, both.data)
    backend.delete(old)
    assert [unopened.get(blob.oid) for blob in some] == some
    assert bulk.get_many([blob.oid for blob in some]) == some
    assert [reader.get(blob.oid) for blob in some] == some


def test_put_writes_once(backend: Backend) -> None:
    store = ObjectStore(backend)
    blob = Blob(BlobType.TRANSFORM, b"argv")
    assert store.put(blob) == store.put(blob) == blob.oid
    assert [entry.key for entry in backend.list("objects/")] == [loose_key(blob.oid)]
    in_pack = blobs(5)
    with store.writer() as writer:
        for other in in_pack:
            writer.add(other.type, other.payload)
    store.put(in_pack[2])
    assert store.counts().loose == 1


def test_put_repairs_a_damaged_loose_blob(backend: Backend) -> None:
    blob = Blob(BlobType.COMMIT, b"precious")
    backend.create(loose_key(blob.oid), b"damaged")
    store = ObjectStore(backend)
    with pytest.raises(Corrupt) as caught:
        store.get(blob.oid)
    assert caught.value.oid == blob.oid
    store.put(blob)
    assert store.get(blob.oid) == blob


def test_the_fallback_is_read_but_not_written() -> None:
    below, above = MemoryBackend(), MemoryBackend()
    some = blobs(40)
    instance = filled(below, some[:20])
    workspace = ObjectStore(above, fallback=instance)
    with workspace.writer() as writer:
        for blob in some[15:]:  # five of them are in the instance too
            writer.add(blob.type, blob.payload)
    own = Blob(BlobType.SETTINGS, b"own")
    workspace.put(own)
    oids = [blob.oid for blob in some]
    assert [workspace.get(oid) for oid in oids] == some
    assert workspace.get_many(oids) == some
    assert workspace.contains(array_of([*oids, ABSENT])).tolist() == [True] * 40 + [False]
    assert workspace.expand(some[0].oid.hex()[:20]) == some[0].oid
    assert sorted(workspace.oids()) == sorted([*oids[15:], own.oid])
    with pytest.raises(NotFound):
        instance.get(own.oid)
    with pytest.raises(NotFound):
        workspace.get(ABSENT)
    # A blob put into the workspace is there even when the instance has it as well.
    workspace.put(some[0])
    assert ObjectStore(above).get(some[0].oid) == some[0]


def test_prefixes(backend: Backend) -> None:
    some = blobs(300)
    store = filled(backend, some)
    for blob in some[::11]:
        for digits in (8, 15, 16, 17, 63, 64):
            assert store.expand(blob.oid.hex()[:digits]) == blob.oid
        assert store.expand(blob.oid.hex()[:9].upper()) == blob.oid
    with pytest.raises(NotFound, match=ABSENT.hex()[:12]):
        store.expand(ABSENT.hex()[:12])
    for wrong in ("", "12345", "xyzxyz", "0" * 65, "12 456"):
        with pytest.raises(BadInput):
            store.expand(wrong)


def test_an_ambiguous_prefix_shows_the_matches(backend: Backend) -> None:
    store = ObjectStore(backend)
    alike = [Oid(b"\xab" * 5 + bytes((last,)) * 27) for last in range(3)]
    with store.writer() as writer:
        for number, oid in enumerate(alike):
            writer.add(BlobType.RECORD, b"%d" % number, oid)
    with pytest.raises(Ambiguous) as caught:
        store.expand("ab" * 4)
    assert caught.value.matches == tuple(oid.hex() for oid in alike)
    assert store.expand("ab" * 5 + "01") == alike[1]
    # One blob that is both loose and packed is one match.
    both = Blob(BlobType.RECORD, b"both")
    with store.writer() as writer:
        writer.add(both.type, both.payload)
    other = ObjectStore(MemoryBackend())
    other.put(both)
    loose = next(iter(other.backend.list()))
    backend.create(loose.key, other.backend.read(loose.key))
    store.refresh()
    assert store.expand(both.oid.hex()[:8]) == both.oid
    assert list(store.oids()).count(both.oid) == 1


def test_many_packs_with_the_same_blobs(backend: Backend) -> None:
    some = blobs(60)
    for size in (60, 40, 20):
        pack = packed(some[:size])
        backend.create(pack.key, pack.data)
    store = ObjectStore(backend)
    assert store.get_many([blob.oid for blob in some]) == some
    assert sorted(store.oids()) == sorted(blob.oid for blob in some)


def test_other_files_beside_packs_are_ignored(backend: Backend) -> None:
    store = filled(backend, blobs(10))
    name = store.packs()[0].key.removesuffix(".pack")
    backend.create(name + ".annotation.parquet", b"PAR1")
    backend.create("objects/pack/readme", b"hello")
    assert len(ObjectStore(backend).packs()) == 2
    assert ObjectStore(backend).counts().loose == 3


def test_arrays_may_be_windows_into_others() -> None:
    some = [Blob(BlobType.RECORD, b"%d" % number) for number in range(9)]
    store = filled(MemoryBackend(), some)
    rows = np.zeros((9, 40), np.uint8)
    rows[:, 8:] = array_of([blob.oid for blob in some])
    window = rows[::2, 8:]
    assert store.contains(window).all()
    seen: dict[int, bytes] = {}
    for positions, payloads in store.scan(window, BlobType.RECORD):
        seen.update(zip(positions.tolist(), payloads))
    assert [seen[place] for place in range(5)] == [blob.payload for blob in some[::2]]
