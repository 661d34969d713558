"""Places: what place files say is what a search would find, and never more than that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ldb.backends.memory import MemoryBackend
from ldb.errors import Corrupt
from ldb.ids import Oid
from ldb.maps import Rows, Schema, build
from ldb.maps.leaves import Leaves
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.places.file import PackCounts, Section, encode_places, parse_places, places_key
from ldb.places.find import places_of_map
from ldb.places.model import NO_BLOB, UNKNOWN
from ldb.places.search import places_of_oids
from ldb.places.write import make_places, write_places

SCHEMA = Schema("objects", 16, (("record", 32), ("annotation", 32)))


def oids_of(names: list[Oid]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(names), np.uint8).reshape(-1, 32).copy()


class Sample:
    """A store with annotations and records in three packs, and a map that names them."""

    def __init__(self, rows: int = 3000) -> None:
        self.store = ObjectStore(MemoryBackend())
        notes: list[Oid] = []
        records: list[Oid] = []
        for part in range(3):
            with self.store.writer() as writer:
                mine = range(part, rows, 3)
                notes += writer.add_many(
                    BlobType.ANNOTATION, [b"\xcd%02d%06d" % (7, at) for at in mine]
                )
                records += writer.add_many(BlobType.RECORD, [b"r%06d" % at for at in mine])
        draw = np.random.default_rng(1)
        keys = np.sort(np.frombuffer(draw.bytes(16 * rows), "S16"))
        self.rows = Rows(keys, (oids_of(records), oids_of(notes)))
        self.rows.fields[1][::7] = 0
        self.root = self.write(self.rows)

    def write(self, rows: Rows) -> Oid:
        with self.store.writer() as writer:
            return build(writer, SCHEMA, [rows]).oid

    def make(self) -> None:
        for pack in self.store.packs():
            write_places(self.store, pack)

    def oids(self, field: str) -> NDArray[np.uint8]:
        """The oid at the place of each row, as a check from the other side."""
        places = places_of_map(self.store, Leaves(self.store, SCHEMA, self.root), field)
        found = np.zeros((len(places), 32), np.uint8)
        for pack, first, stop in places.by_pack():
            oids = {
                row.ordinal: row.oid for row in _by_rank(self.store, pack.key, places.table.kind)
            }
            hit = np.flatnonzero((places.numbers >= first) & (places.numbers < stop))
            for at in hit.tolist():
                found[at] = np.frombuffer(oids[int(places.numbers[at]) - first], np.uint8)
        assert bool((places.numbers[~found.any(axis=1)] >= NO_BLOB).all())
        return found


class _Row:
    def __init__(self, ordinal: int, oid: bytes) -> None:
        self.ordinal, self.oid = ordinal, oid


def _by_rank(store: ObjectStore, key: str, kind: BlobType) -> list[_Row]:
    """The blobs of one type of a pack, by reading all of it."""
    from ldb.objects.model import oid_of

    (pack,) = [each for each in store.packs() if each.key == key]
    payloads = [
        payload
        for block in pack.blocks()
        if block.type is kind
        for payload in pack.payloads(block).all()
    ]
    return [_Row(at, oid_of(kind, payload)) for at, payload in enumerate(payloads)]


@pytest.fixture(scope="module")
def sample() -> Sample:
    return Sample()


@pytest.mark.parametrize("field", ["annotation", "record"])
def test_a_search_finds_the_place_of_every_row(sample: Sample, field: str) -> None:
    wanted = sample.rows.fields[0 if field == "record" else 1]
    assert np.array_equal(sample.oids(field), wanted)


@pytest.mark.parametrize("field", ["annotation", "record"])
def test_place_files_say_what_a_search_finds(field: str) -> None:
    sample = Sample()
    sample.make()
    assert any(entry.key.endswith(".places") for entry in sample.store.backend.list())
    wanted = sample.rows.fields[0 if field == "record" else 1]
    assert np.array_equal(sample.oids(field), wanted)


def test_places_of_oids_agree_with_those_of_the_map(sample: Sample) -> None:
    places = places_of_map(sample.store, Leaves(sample.store, SCHEMA, sample.root), "annotation")
    by_oid = places_of_oids(sample.store, sample.rows.fields[1], BlobType.ANNOTATION)
    assert [pack.key for pack in places.table.packs] == [pack.key for pack in by_oid.table.packs]
    assert np.array_equal(places.numbers, by_oid.numbers)
    assert bool((places.numbers[::7] == NO_BLOB).all())


def test_a_blob_that_is_in_no_pack_is_unknown(sample: Sample) -> None:
    strange = np.full((2, 32), 9, np.uint8)
    places = places_of_oids(sample.store, strange, BlobType.ANNOTATION)
    assert places.numbers.tolist() == [UNKNOWN, UNKNOWN]


def test_leaves_of_several_versions_are_put_together_from_their_packs_files() -> None:
    sample = Sample()
    sample.make()
    changed = replace(sample.rows, fields=(sample.rows.fields[0], sample.rows.fields[1].copy()))
    changed.fields[1][1500:1520] = changed.fields[1][2000:2020]
    sample.rows, sample.root = changed, sample.write(changed)
    assert np.array_equal(sample.oids("annotation"), changed.fields[1])
    sample.make()
    assert np.array_equal(sample.oids("annotation"), changed.fields[1])


def test_a_damaged_file_is_not_believed() -> None:
    sample = Sample()
    (pack,) = [each for each in sample.store.packs() if make_places(sample.store, each)]
    data = bytearray(make_places(sample.store, pack) or b"")
    for at in (0, 9, 12, 16, 30, 70, len(data) // 2, len(data) - 1):
        damaged = bytearray(data)
        damaged[at] ^= 4
        with pytest.raises(Corrupt):
            parse_places(bytes(damaged), "somewhere")
    with pytest.raises(Corrupt):
        parse_places(bytes(data[:20]), "somewhere")
    key = places_key(pack.key.rpartition("/")[2].removesuffix(".pack"))
    sample.store.backend.create(key, bytes(damaged))
    assert np.array_equal(sample.oids("annotation"), sample.rows.fields[1])


def test_a_pack_that_has_gone_makes_its_places_unknown() -> None:
    sample = Sample()
    sample.make()
    before = places_of_map(sample.store, Leaves(sample.store, SCHEMA, sample.root), "annotation")
    gone = before.table.packs[0]
    sample.store.backend.delete([gone.key])
    sample.store.refresh()
    after = places_of_map(sample.store, Leaves(sample.store, SCHEMA, sample.root), "annotation")
    lost = (before.numbers < before.table.bases[1]) & before.known()
    assert lost.any()
    assert bool((after.numbers[lost] == UNKNOWN).all())
    assert np.array_equal(after.known(), before.known() & ~lost)


def test_what_is_written_is_read_back() -> None:
    packs = (PackCounts("ab" * 32, 5, 0), PackCounts("cd" * 32, 0, 7))
    section = Section(
        "record",
        np.array([3, 8], np.uint32),
        np.array([0, 2, 3], np.int64),
        np.array([1, NO_BLOB, 6], np.uint32),
    )
    found = parse_places(encode_places(packs, [section]), "somewhere")
    assert found.packs == packs
    assert found.section("annotation") is None
    again = found.section("record")
    assert again is not None
    assert again.leaves.tolist() == [3, 8]
    assert again.starts.tolist() == [0, 2, 3]
    assert again.numbers.tolist() == [1, NO_BLOB, 6]


def test_a_file_of_nothing_is_the_header_of_the_format_page() -> None:
    data = encode_places([], [])
    assert data.hex(" ", 4) == "4c444250 4c414301 00000000 00000000 00000000 00000000"


def test_who_misses_a_place_file_makes_it() -> None:
    sample = Sample(rows=20_000)
    assert np.array_equal(sample.oids("annotation"), sample.rows.fields[1])
    made = [entry.key for entry in sample.store.backend.list() if entry.key.endswith(".places")]
    assert len(made) == 1
    assert np.array_equal(sample.oids("record"), sample.rows.fields[0])


def test_a_damaged_pack_beside_is_not_in_the_way() -> None:
    sample = Sample()
    sample.make()
    expected = sample.oids("annotation")
    with sample.store.writer() as writer:
        writer.add(BlobType.ANNOTATION, b"\x01")
    odd = sample.store.packs()[0]
    assert len(odd) == 1
    data = bytearray(sample.store.backend.read(odd.key))
    data[-100] ^= 1  # in the directory: not even the number of its blobs is known
    sample.store.backend.delete([odd.key])
    sample.store.backend.create(odd.key, bytes(data))
    store = ObjectStore(sample.store.backend)
    leaves = Leaves(store, SCHEMA, sample.root)
    places = places_of_map(store, leaves, "annotation")
    assert int(places.known().sum()) == int(expected.any(axis=1).sum())
    packs = [each for each in store.packs() if each.key != odd.key]
    assert any(make_places(store, each) for each in packs)
