"""The byte layout of a pack file, shared by its writer and its reader.

    header      8      magic and version
    blocks             zstd frames, one type of blob each, back to back
    oid table          sorted: first 8 bytes of each oid, the other 24, blob ordinals
    directory          32 bytes a block, fan-out and checksums of the oid table's slices
    trailer     64     offsets, counts, SHA-256 of directory and offsets, magic

Rules, byte tables and a worked example: docs/formats/pack.md.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ldb.backends.base import Buffer
from ldb.errors import Corrupt
from ldb.objects.model import MAX_PAYLOAD, BlobType

VERSION = 1
MAGIC = b"LDBPACK" + bytes((VERSION,))
PACKS = "objects/pack/"

PACK_BYTES = 64 * 1024 * 1024
"""File size at which a pack is closed."""

MAX_BLOCK = 1024 * 1024
"""Most raw bytes of a block that holds several blobs."""

MAX_DIRECTORY = 64 * 1024 * 1024
"""Most bytes of block table and fan-out, which are read whole; 64 MiB of blocks need a tenth."""

TABLE_COLUMNS = (8, 24, 4)
"""Widths of the oid table: head of the oid, its rest, ordinal."""
TABLE_ROW = sum(TABLE_COLUMNS)
FANOUT = struct.Struct("<256I")
BLOCK = struct.Struct("<QIIIIIB3x")
FIRST_AT = 16
"""Where a row of the block table has the ordinal of the block's first blob."""
OFFSETS = struct.Struct("<QQII")
TRAILER_BYTES = OFFSETS.size + hashlib.sha256().digest_size + len(MAGIC)

_KEY = re.compile(re.escape(PACKS) + r"([0-9a-f]{64})\.pack")
_DERIVED = re.compile(
    re.escape(PACKS) + r"([0-9a-f]{64})\.(annotation\.arrow|record\.arrow|places)"
)


def block_target(kind: BlobType) -> int:
    """Raw bytes at which a block is closed: maps are read a node at a time, others in bulk."""
    return 64 * 1024 if kind is BlobType.MAP else 256 * 1024


def max_raw(count: int) -> int:
    """Most raw bytes that a block of `count` blobs may have."""
    return MAX_BLOCK if count > 1 else MAX_PAYLOAD + 8


def pack_key(name: str) -> str:
    """Where the pack of this name (64 hex digits) is."""
    return f"{PACKS}{name}.pack"


def columns_key(name: str, kind: BlobType) -> str:
    """Where the columns of the blobs of a type are of the pack of this name."""
    return f"{PACKS}{name}.{kind.value}.arrow"


def pack_name(key: str) -> str | None:
    """The name in a pack's key; None for any other key."""
    found = _KEY.fullmatch(key)
    return found[1] if found else None


def derived_from(key: str) -> tuple[str, str] | None:
    """Name of the pack that a file beside packs is made from, and what follows it in the key."""
    found = _DERIVED.fullmatch(key)
    return (found[1], found[2]) if found else None


def aligned(offset: int) -> int:
    """The next multiple of 8."""
    return -(-offset // 8) * 8


@dataclass(frozen=True, slots=True)
class Block:
    """One row of the block table."""

    number: int
    type: BlobType
    first: int
    """Ordinal of its first blob."""
    count: int
    offset: int
    stored: int
    """Bytes in the file."""
    raw: int
    """Bytes once decompressed."""
    crc: int

    @property
    def stop(self) -> int:
        """Offset of the byte after the block."""
        return self.offset + self.stored


@dataclass(frozen=True, slots=True)
class Trailer:
    """The end of a pack: where its parts are."""

    table: int
    directory: int
    blobs: int
    blocks: int

    @property
    def directory_bytes(self) -> int:
        return BLOCK.size * self.blocks + 2 * FANOUT.size

    def pack(self, directory: bytes) -> bytes:
        """The trailer's bytes, given the directory they vouch for."""
        offsets = OFFSETS.pack(self.table, self.directory, self.blobs, self.blocks)
        return offsets + hashlib.sha256(directory + offsets).digest() + MAGIC


def read_trailer(key: str, size: int, end: bytes) -> Trailer:
    """The trailer in the last bytes of a file of `size` bytes, its offsets proven to fit."""
    if len(end) != TRAILER_BYTES or end[-8:-1] != MAGIC[:-1]:
        raise Corrupt(key, f"no trailer at the end of its {size} bytes: truncated or overwritten")
    if end[-1] != VERSION:
        raise Corrupt(key, f"pack format {end[-1]}, this is a reader of format {VERSION}")
    trailer = Trailer(*OFFSETS.unpack_from(end))
    if trailer.directory_bytes > MAX_DIRECTORY:
        raise Corrupt(key, f"directory of {trailer.directory_bytes} bytes, which no writer makes")
    table_end = trailer.table + TABLE_ROW * trailer.blobs
    if (
        trailer.table < len(MAGIC)
        or trailer.table % 8
        or aligned(table_end) != trailer.directory
        or trailer.directory + trailer.directory_bytes + TRAILER_BYTES != size
    ):
        raise Corrupt(key, f"trailer does not fit a file of {size} bytes")
    return trailer


def check_directory(key: str, directory: bytes, end: bytes) -> None:
    """Raise `Corrupt` unless the trailer's digest vouches for the directory."""
    digest = end[OFFSETS.size : OFFSETS.size + 32]
    if hashlib.sha256(directory + end[: OFFSETS.size]).digest() != digest:
        raise Corrupt(key, "directory or trailer damaged (checksum)")


def slice_ranges(count: int, start: int, stop: int) -> list[tuple[int, int]]:
    """Byte ranges of the three column parts of rows `[start, stop)`, table of `count` oids."""
    at, ranges = 0, []
    for width in TABLE_COLUMNS:
        ranges.append((at + width * start, at + width * stop))
        at += width * count
    return ranges


def slice_sum(parts: Iterable[Buffer]) -> int:
    """CRC-32 over the column parts of one fan-out slice."""
    total = 0
    for part in parts:
        total = zlib.crc32(part, total)
    return total


def slice_sums(table: Buffer, count: int, bounds: Sequence[int]) -> list[int]:
    """The checksum of each fan-out slice; `bounds` are the fan-out's cumulative counts."""
    view = memoryview(table)
    sums = []
    for start, stop in zip([0, *bounds[:-1]], bounds):
        sums.append(slice_sum(view[a:b] for a, b in slice_ranges(count, start, stop)))
    return sums
