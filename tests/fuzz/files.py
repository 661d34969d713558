"""Targets that are whole files of the object store: loose blobs, packs, columns, places."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import zstandard

from ldb.backends.memory import MemoryBackend
from ldb.columns import layout
from ldb.columns.build import from_values
from ldb.columns.read import open_columns
from ldb.columns.write import encode_columns
from ldb.errors import LdbError
from ldb.ids import Oid
from ldb.instantiate.annotation import annotation_text
from ldb.maps import Schema, build
from ldb.maps.leaves import Leaves
from ldb.objects.bulk import oids_by_type
from ldb.objects.codec import encode
from ldb.objects.columnfiles import ColumnFiles
from ldb.objects.loose import loose_key, pack_loose, parse_loose
from ldb.objects.model import Blob, BlobType
from ldb.objects.pack import PackWriter
from ldb.objects.packcheck import entries, verify
from ldb.objects.packformat import (
    BLOCK,
    FANOUT,
    MAGIC,
    OFFSETS,
    TRAILER_BYTES,
    pack_key,
    slice_sums,
)
from ldb.objects.ranks import Ranks
from ldb.objects.store import ObjectStore
from ldb.places.file import parse_places, places_key
from ldb.places.find import places_of_map
from ldb.places.model import LIMIT
from ldb.places.write import make_places
from tests.fuzz.target import Target, byte_cases, each, value_cases

# -- loose blobs -----------------------------------------------------------------------


def _loose_samples() -> list[bytes]:
    return [
        b"annotation 4\0\xa3cat",
        b"record 1\0\x80",
        b"commit 00\0",
        b"map 300\0" + bytes(300),
        zstandard.decompress(pack_loose(Blob(BlobType.SETTINGS, encode({"locations": []})))),
    ]


def _loose(data: bytes) -> None:
    oid = Oid(bytes(32))
    with suppress(zstandard.ZstdError):
        if zstandard.frame_content_size(data) < 1 << 20:
            oid = Oid(hashlib.sha256(zstandard.decompress(data)).digest())
    backend = MemoryBackend()
    backend.create(loose_key(oid), data)
    store = ObjectStore(backend)
    each(lambda: parse_loose(data, oid), lambda: store.get(oid), store.counts)


# -- packs -----------------------------------------------------------------------------


@cache
def _pack_samples() -> list[bytes]:
    small = PackWriter()
    for at in range(12):
        kind = list(BlobType)[at % 6]
        small.add(kind, encode({"at": at, "text": "x" * at}))
    large = PackWriter()
    for at in range(300):
        large.add(BlobType.ANNOTATION, encode([at, "y" * 40]))
    packs = [small.finish(), large.finish()]
    return [bytes(pack.data) for pack in packs if pack]


@cache
def _pack_oids() -> list[Oid]:
    found = []
    for data in _pack_samples():
        store, _ = _store_with(data)
        found += list(store.oids())
    return found


def _store_with(data: bytes) -> tuple[ObjectStore, str]:
    backend = MemoryBackend()
    key = pack_key(hashlib.sha256(data).hexdigest())
    backend.create(key, data)
    return ObjectStore(backend), key


def _seal_pack(data: bytes) -> bytes:
    """The same with every checksum right that can still be found."""
    if len(data) < TRAILER_BYTES + 2 * FANOUT.size:
        return data
    end = data[-TRAILER_BYTES:]
    table, directory, blobs, blocks = OFFSETS.unpack_from(end)
    size = BLOCK.size * blocks + 2 * FANOUT.size
    start = len(data) - TRAILER_BYTES - size
    if not len(MAGIC) <= start or not table <= start or blobs > len(data):
        return data
    whole = bytearray(data)
    for at in range(start, start + BLOCK.size * blocks, BLOCK.size):
        offset, stored, raw, first, count, _, code = BLOCK.unpack_from(whole, at)
        frame = bytes(whole[offset : offset + stored]) if offset + stored <= start else b""
        BLOCK.pack_into(whole, at, offset, stored, raw, first, count, zlib.crc32(frame), code)
    fanout = start + BLOCK.size * blocks
    bounds = FANOUT.unpack_from(whole, fanout)
    if all(bound <= blobs for bound in bounds) and 36 * blobs <= start - table:
        sums = slice_sums(bytes(whole[table:start]), blobs, bounds)
        FANOUT.pack_into(whole, fanout + FANOUT.size, *sums)
    offsets = OFFSETS.pack(table, directory, blobs, blocks)
    digest = hashlib.sha256(bytes(whole[start : start + size]) + offsets).digest()
    whole[-TRAILER_BYTES:] = offsets + digest + MAGIC
    return bytes(whole)


def _pack(data: bytes) -> None:
    store, _ = _store_with(data)
    (pack,) = store.packs()
    verify(pack)
    column = np.frombuffer(b"".join(_pack_oids()), np.uint8).reshape(-1, 32)
    column = column[store.contains(column)]
    oids = [Oid(row.tobytes()) for row in column]
    for oid in oids[::9]:
        with suppress(LdbError):
            assert store.get(oid).oid == oid
    each(
        lambda: [list(group.payloads) for group in store.groups(column)],
        lambda: store.get_many(oids[:20]),
        lambda: [oids_by_type(pack, kind) for kind in (None, BlobType.RECORD)],
        lambda: [Ranks(pack, kind).of(np.arange(20)) for kind in BlobType],
        lambda: list(entries(pack)),
        lambda: list(store.oids(BlobType.MAP)),
        lambda: list(pack.oids()),
        lambda: [store.expand(str(oid)[:8]) for oid in oids[:3]],
        store.counts,
        lambda: [ColumnFiles().column(pack, kind, 300) for kind in BlobType],
    )


# -- column files ----------------------------------------------------------------------

ROWS: list[Any] = [
    {"a": 1, "t": "same", "u": "one", "l": [1, 2, 3], "m": 1, "f": True, "o": {"x": None}},
    {"a": 2, "t": "same", "u": "two!", "l": [], "m": "y", "f": False, "d": 0.5},
    {"t": "other", "u": "th\u00e9", "l": [[]], "m": None, "f": True, "o": {}, "w": [7, 8]},
    {"a": 4, "t": "same", "u": "4", "l": ["q", "q"], "m": [2.5], "f": True, "d": -1e300},
] * 9


@cache
def _column_files() -> list[bytes]:
    values: list[list[Any]] = [ROWS, [1, 2, 3] * 30, ["a", "b", None] * 20, [[[1.5]], []] * 20]
    return [encode_columns(from_values(each)) for each in values]


def _open_column(data: bytes) -> None:
    column = open_columns(lambda start, stop: data[start:stop], len(data), "some.arrow")
    assert len(column.values()) == column.size


def _directories() -> list[bytes]:
    found = []
    for data in _column_files():
        read = layout.unpack(lambda a, b: data[a:b], len(data), "sample")  # noqa: B023
        found.append(json.dumps(read).encode())
    return found


def _with_directory(text: bytes) -> bytes:
    """The first sample with this directory, all checksums right."""
    data = _column_files()[0]
    footer = struct.unpack("<i", data[-10:-6])[0]
    try:
        directory = json.loads(text)
        _mend_sums(directory, data)
        text = json.dumps(directory).encode()
    except (ValueError, RecursionError):
        pass
    packed = zstandard.compress(text)
    stored = packed if len(packed) < len(text) else text
    head = struct.pack("<8sII", layout.MAGIC, len(stored), len(text))
    tail = head + struct.pack("<II", zlib.crc32(head, zlib.crc32(stored)), 0)
    return data + stored + tail + data[len(data) - 10 - footer :]


def _mend_sums(node: Any, data: bytes) -> None:
    below = list(node.values()) if isinstance(node, dict) else node
    if isinstance(node, list) and len(node) == 5 and all(type(n) is int for n in node[:3]):
        node[4] = zlib.crc32(data[max(node[0], 0) : max(node[0] + node[1], 0)])
    elif isinstance(node, (dict, list)):
        for part in below:
            _mend_sums(part, data)


# -- place files -----------------------------------------------------------------------

SCHEMA = Schema("objects", 16, (("record", 32), ("annotation", 32)))


class _Placed:
    """A store with a map over two packs of blobs, and the place file of its leaves."""

    def __init__(self, rows: int = 1100) -> None:
        self.backend = MemoryBackend()
        store = ObjectStore(self.backend)
        columns = []
        for kind in (BlobType.RECORD, BlobType.ANNOTATION):
            with store.writer() as writer:
                oids = writer.add_many(kind, [encode([at, kind.value]) for at in range(rows)])
            columns.append(np.frombuffer(b"".join(oids), np.uint8).reshape(-1, 32).copy())
        columns[1][::5] = 0
        keys = {hashlib.md5(b"%d" % at).digest(): at for at in range(rows)}
        order = [keys[key] for key in sorted(keys)]
        table = {
            key: (columns[0][at].tobytes(), columns[1][at].tobytes())
            for key, at in zip(sorted(keys), order, strict=True)
        }
        with store.writer() as writer:
            self.root = build(writer, SCHEMA, [SCHEMA.rows(table)]).oid
        pack = store.packs()[0]
        self.key = places_key(pack.key[-69:-5])
        self.file = make_places(store, pack) or b""
        assert self.file
        self.store = store
        self.leaves = Leaves(store, SCHEMA, self.root)


@cache
def _placed() -> _Placed:
    return _Placed()


def _seal_places(data: bytes) -> bytes:
    return data[:8] + struct.pack("<I", zlib.crc32(data[20 + 4 :])) + data[12:]


def _places(data: bytes) -> None:
    world = _placed()
    world.backend.create(world.key, data, unconditional=True)
    for field in ("record", "annotation"):
        places = places_of_map(world.store, world.leaves, field)
        known = places.numbers[places.numbers < np.uint32(LIMIT)]
        assert not len(known) or int(known.max()) < len(places.table), "a place out of its table"
    parse_places(data, "some.places")


def _again(payload: bytes) -> bytes:
    """A column file whose directory is the value of a payload, or these bytes if it is none."""
    try:
        return _with_directory(annotation_text(payload))
    except LdbError:
        return _with_directory(payload)


TARGETS = (
    Target(
        "loose", byte_cases(lambda: [zstandard.compress(x) for x in _loose_samples()]), _loose, 1
    ),
    Target("loose-content", byte_cases(_loose_samples, zstandard.compress), _loose, 1),
    Target("pack", byte_cases(_pack_samples, _seal_pack), _pack, 3),
    Target("column", byte_cases(_column_files), _open_column, 1),
    Target(
        "column-directory",
        value_cases(lambda: [json.loads(each) for each in _directories()], _again),
        _open_column,
        3,
    ),
    Target("places", byte_cases(lambda: [_placed().file], _seal_places), _places, 3),
)
