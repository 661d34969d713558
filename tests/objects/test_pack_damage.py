"""Damaged and hostile packs: found, named, bounded; wrong bytes are never returned."""

from __future__ import annotations

import hashlib
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from ldb.errors import Corrupt
from ldb.ids import Oid
from ldb.objects.model import MAX_PAYLOAD, Blob, BlobType
from ldb.objects.oidtable import as_oids, build
from ldb.objects.packcheck import entries, verify
from ldb.objects.packformat import (
    BLOCK,
    MAGIC,
    MAX_BLOCK,
    TRAILER_BYTES,
    VERSION,
    Trailer,
    aligned,
    pack_key,
)
from ldb.objects.store import ObjectStore
from tests.objects.samples import array_of, blobs, packed, reader_of, stored

SMALL = [
    Blob(kind, payload)
    for kind in (BlobType.ANNOTATION, BlobType.MAP)
    for payload in (b"one" * 20, b"two", b"")
]


def store_of(data: bytes, key: str) -> ObjectStore:
    return ObjectStore(reader_of(data, key).backend)


def read_all(store: ObjectStore) -> list[Corrupt]:
    """Read every blob in every way; what is returned is right, what is not is `Corrupt`."""
    problems: list[Corrupt] = []

    def attempt(read: Callable[[], list[Blob]], expected: list[Blob]) -> None:
        try:
            assert read() == expected
        except Corrupt as error:
            problems.append(error)

    for blob in SMALL:
        attempt(lambda blob=blob: [store.get(blob.oid)], [blob])  # type: ignore[misc]
    attempt(lambda: store.get_many([blob.oid for blob in SMALL]), SMALL)
    return problems


def test_every_flipped_bit_is_found_and_named() -> None:
    pack = packed(SMALL)
    good = bytes(pack.data)
    dice = random.Random(7)
    assert read_all(store_of(good, pack.key)) == []
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1 << dice.randrange(8)
        problems = verify(reader_of(bytes(bad), pack.key))
        assert problems, f"byte {at}"
        names = [str(problem) for problem in problems + read_all(store_of(bytes(bad), pack.key))]
        assert all(pack.key in name for name in names), f"byte {at}: {names}"


def test_every_truncation_is_found_on_opening() -> None:
    pack = packed(SMALL)
    good = bytes(pack.data)
    for size in [*range(0, len(good), 37), len(good) - 1]:
        with pytest.raises(Corrupt, match=r"truncated|does not fit"):
            len(reader_of(good[:size], pack.key))
    with pytest.raises(Corrupt, match=r"truncated|does not fit"):
        len(reader_of(good + b"\0", pack.key))


def test_a_pack_cut_after_it_was_listed() -> None:
    pack = packed(SMALL)
    reader = reader_of(bytes(pack.data)[:-1], pack.key)
    reader.size += 1
    with pytest.raises(Corrupt, match="truncated"):
        len(reader)


def test_a_damaged_pack_does_not_hide_sound_copies() -> None:
    pack, other = packed(SMALL), packed([*SMALL, *blobs(20)])
    store = ObjectStore(stored(pack).backend)
    bad = bytearray(other.data)
    bad[9:-100] = bytes(len(bad) - 109)
    store.backend.create(other.key, bytes(bad))
    assert [store.get(blob.oid) for blob in SMALL] == SMALL
    with pytest.raises(Corrupt, match=other.name):
        store.get(blobs(20)[3].oid)


def test_a_blob_under_another_name_is_corrupt_not_returned() -> None:
    right = Blob(BlobType.RECORD, b"right")
    crafted = Crafted()
    crafted.oids[0] = right.oid
    data, key = crafted.sealed()
    store = store_of(data, key)
    for read in (
        lambda: store.get(right.oid),
        lambda: store.get_many([right.oid] * 3),
        lambda: list(store.scan(array_of([right.oid]), BlobType.RECORD)),
        lambda: list(entries(store.packs()[0])),
    ):
        with pytest.raises(Corrupt) as caught:
            read()
        assert caught.value.oid == right.oid
        assert key in caught.value.where
    assert [problem.oid for problem in verify(store.packs()[0])] == [right.oid]


class Crafted:
    """A pack of one block whose every number can be changed before it is sealed."""

    def __init__(self, payloads: tuple[bytes, ...] = (b"first", b"second")) -> None:
        self.payloads = payloads
        self.oids = [Blob(BlobType.RECORD, payload).oid for payload in payloads]
        lengths = list(map(len, payloads))
        self.raw = struct.pack(f"<{len(lengths) + 1}I", len(lengths), *lengths) + b"".join(payloads)
        self.frame = b""
        self.row: dict[str, int] = {}
        self.ordinals: list[int] | None = None
        self.blocks = 1
        self.blobs = len(payloads)

    def sealed(self) -> tuple[bytes, str]:
        frame = self.frame or zstandard.compress(self.raw)
        row = {
            "offset": len(MAGIC),
            "stored": len(frame),
            "raw": len(self.raw),
            "first": 0,
            "count": len(self.payloads),
            "crc": zlib.crc32(frame),
            "type": BlobType.RECORD.code,
        } | self.row
        data = MAGIC + frame
        data += bytes(aligned(len(data)) - len(data))
        table, fanout = build(as_oids(b"".join(self.oids)))
        trailer = Trailer(len(data), len(data) + len(table), self.blobs, self.blocks)
        directory = BLOCK.pack(*row.values()) * self.blocks + fanout
        data += table + directory + trailer.pack(directory)
        return data, pack_key(hashlib.sha256(data).hexdigest())


def test_the_crafted_pack_is_sound_when_nothing_is_changed() -> None:
    data, key = Crafted().sealed()
    assert verify(reader_of(data, key)) == []


@pytest.mark.parametrize(
    "row",
    [
        {"offset": 0},
        {"offset": 2**63},
        {"stored": 2**32 - 1},
        {"stored": 0},
        {"raw": 2**32 - 1},
        {"raw": 0},
        {"raw": 100},
        {"raw": MAX_BLOCK + 1},
        {"first": 1},
        {"first": 2**32 - 1},
        {"count": 0},
        {"count": 1},
        {"count": 2**32 - 1},
        {"crc": 0},
        {"type": 0},
        {"type": 200},
        {"type": BlobType.MAP.code},
    ],
)
def test_a_lying_block_table_is_corrupt(row: dict[str, int]) -> None:
    crafted = Crafted()
    crafted.row = row
    data, key = crafted.sealed()
    assert_refused(data, key, crafted.oids)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\2\0\0",
        struct.pack("<3I", 3, 5, 6) + b"firstsecond",
        struct.pack("<3I", 2, 5, 7) + b"firstsecond",
        struct.pack("<3I", 2, 2**32 - 1, 12) + b"firstsecond",
        struct.pack("<3I", 2, 6, 5) + b"firstsecond",
        struct.pack("<3I", 2, 5, 6) + b"firstsecond!",
    ],
)
def test_lying_lengths_in_a_block_are_corrupt(raw: bytes) -> None:
    crafted = Crafted()
    crafted.raw = raw
    data, key = crafted.sealed()
    assert_refused(data, key, crafted.oids)


def test_bombs_are_bounded() -> None:
    bomb = zstandard.compress(bytes(8 * MAX_PAYLOAD))
    endless = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(8 * MAX_PAYLOAD))
    window = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    wide = zstandard.ZstdCompressor(compression_params=window).compress(bytes(1 << 20))
    tracemalloc.start()
    for frame in (bomb, endless, wide, b"junk", bomb[:50]):
        for raw in (23, MAX_BLOCK, MAX_PAYLOAD + 8, 8 * MAX_PAYLOAD):
            crafted = Crafted()
            crafted.frame = frame
            crafted.row = {"raw": raw}
            data, key = crafted.sealed()
            assert_refused(data, key, crafted.oids)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * MAX_PAYLOAD


def test_trailing_bytes_after_a_frame_are_corrupt() -> None:
    crafted = Crafted()
    crafted.frame = zstandard.compress(crafted.raw) + b"more"
    data, key = crafted.sealed()
    assert_refused(data, key, crafted.oids)


@pytest.mark.parametrize(("blobs_", "blocks"), [(3, 1), (2**32 - 1, 1), (2, 0), (2, 2**32 - 1)])
def test_a_lying_trailer_is_corrupt(blobs_: int, blocks: int) -> None:
    crafted = Crafted()
    data, key = crafted.sealed()
    directory_bytes = BLOCK.size + 2048
    start = len(data) - TRAILER_BYTES - directory_bytes
    table = aligned(len(MAGIC) + len(zstandard.compress(crafted.raw)))
    lying = Trailer(table, start, blobs_, blocks).pack(data[start:-TRAILER_BYTES])
    with pytest.raises(Corrupt, match=r"does not fit|no writer makes"):
        len(reader_of(data[:-TRAILER_BYTES] + lying, key))


def test_ordinals_beyond_the_pack_are_corrupt() -> None:
    crafted = Crafted()
    data, key = crafted.sealed()
    start = len(data) - TRAILER_BYTES - BLOCK.size - 2048
    for ordinals in (struct.pack("<2I", 7, 8), struct.pack("<2I", 2**32 - 1, 0), bytes(8)):
        bad = bytearray(data)
        bad[start - 8 : start] = ordinals
        store = store_of(bytes(bad), key)
        outcomes = [assert_right_or_corrupt(store, oid) for oid in crafted.oids]
        assert "corrupt" in outcomes
        assert verify(reader_of(bytes(bad), key))


def test_a_newer_format_is_named() -> None:
    data, key = Crafted().sealed()
    with pytest.raises(Corrupt, match=f"format {VERSION + 1}"):
        len(reader_of(data[:-1] + bytes((VERSION + 1,)), key))


def assert_right_or_corrupt(store: ObjectStore, oid: Oid) -> str:
    try:
        assert store.get(oid).oid == oid
    except Corrupt:
        return "corrupt"
    return "right"


def assert_refused(data: bytes, key: str, oids: list[Oid]) -> None:
    """Nothing wrong is returned, reading all is refused, and the check finds the fault."""
    store = store_of(data, key)
    for oid in oids:
        assert_right_or_corrupt(store, oid)
    with pytest.raises(Corrupt):
        list(store.scan(array_of(oids), BlobType.RECORD))
    assert verify(store.packs()[0])
