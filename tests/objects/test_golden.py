"""Bytes that must be read for ever, and the format pages' examples, which are such bytes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgpack

from ldb.backends.memory import MemoryBackend
from ldb.ids import Oid
from ldb.objects.codec import annotation_payload, decode, encode
from ldb.objects.loose import loose_key, parse_loose
from ldb.objects.model import Blob, BlobType, oid_of
from ldb.objects.oidtable import build
from ldb.objects.packcheck import entries, oids_by_ordinal, verify
from ldb.objects.packformat import BLOCK, pack_key
from ldb.objects.store import ObjectStore
from tests.objects.samples import blobs, packed, reader_of

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "objects"
PACK_PAGE = (ROOT / "docs" / "formats" / "pack.md").read_text(encoding="utf-8")
OBJECTS_PAGE = (ROOT / "docs" / "formats" / "objects.md").read_text(encoding="utf-8")

TINY = "830923d3d47b632ab951f8bac3c65a3d87eda5189241d70c6f91882336e1678e"
CAT = Blob(BlobType.ANNOTATION, encode({"label": "cat"}))
DOG = Blob(BlobType.ANNOTATION, encode({"label": "dog"}))
EMPTY = Blob(BlobType.SETTINGS, encode({}))


def tiny() -> bytes:
    return (GOLDEN / "tiny.pack").read_bytes()


def dumped(page: str) -> bytes:
    """The bytes of a hex dump in which repeated lines are left out and marked `*`."""
    data = bytearray()
    for line in re.findall(r"^ {4}([0-9a-f]{8}.*|\*)$", page, re.MULTILINE):
        if line == "*":
            continue
        offset, *rest = line.split()
        while len(data) < int(offset, 16):
            data += data[-16:]
        data += bytes.fromhex("".join(rest))
    return bytes(data)


def test_values_keep_their_payloads_and_oids() -> None:
    rows = json.loads((GOLDEN / "annotations.json").read_text(encoding="utf-8"))
    assert len(rows) > 30
    for row in rows:
        payload = annotation_payload(row["json"].encode(), "golden")
        assert payload.hex() == row["payload"], row["json"]
        assert oid_of(BlobType.ANNOTATION, payload).hex() == row["oid"]
        assert decode(payload) == json.loads(row["json"]) == msgpack.unpackb(payload)


def test_the_golden_loose_blob_is_read() -> None:
    data = (GOLDEN / "loose").read_bytes()
    assert parse_loose(data, CAT.oid) == CAT
    store = ObjectStore(MemoryBackend())
    store.backend.create(loose_key(CAT.oid), data)
    assert store.get(CAT.oid) == CAT


def test_the_golden_pack_is_read() -> None:
    pack = reader_of(tiny(), pack_key(TINY))
    assert verify(pack) == []
    assert [Blob(entry.type, entry.payload) for entry in entries(pack)] == [CAT, DOG, EMPTY]
    store = ObjectStore(pack.backend)
    assert store.get_many([EMPTY.oid, CAT.oid, DOG.oid]) == [EMPTY, CAT, DOG]


def test_the_tables_are_written_as_they_were() -> None:
    # Frames are left out: versions of zstd may differ in them.
    pack = reader_of(tiny(), pack_key(TINY))
    table, fanout = build(oids_by_ordinal(pack))
    trailer = pack.trailer
    assert pack.read(trailer.table, trailer.directory) == table
    assert pack.read(trailer.directory + 2 * BLOCK.size, pack.size - 64) == fanout
    directory = pack.read(trailer.directory, pack.size - 64)
    assert trailer.pack(directory) == pack.read(pack.size - 64, pack.size)


def test_the_writer_still_makes_packs_of_this_layout() -> None:
    pack = packed([CAT, EMPTY, DOG])
    again = reader_of(pack.data, pack.key)
    assert [Blob(entry.type, entry.payload) for entry in entries(again)] == [CAT, DOG, EMPTY]
    assert bytes(pack.data[:8]) == tiny()[:8]


def test_the_dump_on_the_page_is_the_golden_pack() -> None:
    assert dumped(PACK_PAGE) == tiny()
    assert TINY in PACK_PAGE


def test_the_offsets_on_the_page_are_right() -> None:
    pack = reader_of(tiny(), pack_key(TINY))
    first, second = pack.blocks()
    trailer = pack.trailer
    rests = trailer.table + 8 * 3
    expected = [
        0,
        first.offset,
        second.offset,
        second.stop,
        trailer.table,
        rests,
        rests + 24 * 3,
        rests + 24 * 3 + 4 * 3,
        trailer.directory,
        trailer.directory + BLOCK.size,
        trailer.directory + 2 * BLOCK.size,
        trailer.directory + 2 * BLOCK.size + 1024,
        pack.size - 64,
    ]
    stated = [int(at, 16) for at in re.findall(r"^\| `([0-9a-f]{3})` \|", PACK_PAGE, re.MULTILINE)]
    assert stated == expected


def test_the_example_on_the_objects_page() -> None:
    example = OBJECTS_PAGE.partition("## A worked example")[2]
    digits = re.sub(r"\s", "", "".join(re.findall(r"^ {4}((?:[0-9a-f]{2} {0,2})+)", example, re.M)))
    header = b"annotation 11\0".hex()
    loose = (GOLDEN / "loose").read_bytes().hex()
    payload = CAT.payload.hex()
    assert digits == payload + header + payload + CAT.oid.hex() + loose
    assert Oid.from_hex(loose_key(CAT.oid).removeprefix("objects/").replace("/", "")) == CAT.oid
    assert loose_key(CAT.oid) in OBJECTS_PAGE


def test_types_and_codes_are_those_on_the_page() -> None:
    stated = re.findall(r"^\| (\d+) \| `([a-z]+)` \|", OBJECTS_PAGE, re.MULTILINE)
    assert [(int(code), name) for code, name in stated] == [
        (kind.code, kind.value) for kind in BlobType
    ]


def test_a_pack_made_now_says_the_version_on_the_page() -> None:
    versions = re.findall(r"^\| (\d+) \| ", PACK_PAGE.partition("## History")[2], re.MULTILINE)
    assert packed(blobs(3)).data[7] == int(versions[-1])
