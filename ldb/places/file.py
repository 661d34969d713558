"""The bytes of a place file. Byte table and rules: docs/formats/places.md.

A file is believed once its checksum holds; whoever finds a damaged one does without it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.backends.base import Buffer
from ldb.errors import Corrupt
from ldb.objects.model import BlobType
from ldb.objects.packformat import PACKS

MAGIC = b"LDBPLAC\x01"
HEADER = struct.Struct("<8sIII4x")
"""Magic, CRC-32 of all that follows, number of sections, number of packs."""
SECTION = struct.Struct("<B3xIQ")
"""Code of the field, leaves, rows."""
PACK = struct.Struct("<32sII")
"""Name of a pack, its annotations, its records."""

FIELDS = {"annotation": (1, BlobType.ANNOTATION), "record": (2, BlobType.RECORD)}
"""Fields of map rows that name blobs: code in the file, and type of the blobs."""
NAMING = {"objects": ("record", "annotation"), "dataset": ("annotation",)}
"""Schemas of maps whose first fields name blobs, and those fields."""
_NAMES = {code: name for name, (code, _) in FIELDS.items()}


def places_key(name: str) -> str:
    """Where the place file of the pack of this name is."""
    return f"{PACKS}{name}.places"


@dataclass(frozen=True, slots=True)
class PackCounts:
    """A pack that places point into, as it was when they were written."""

    name: str
    annotations: int
    records: int

    def count(self, field: str) -> int:
        """How many blobs of the field's type it has."""
        return self.annotations if field == "annotation" else self.records


@dataclass(frozen=True, slots=True)
class Section:
    """The places of one field of many leaves."""

    field: str
    leaves: NDArray[np.uint32]
    """Ordinals of the leaves in their pack, ascending; shape (m,)."""
    starts: NDArray[np.int64]
    """Where the rows of each leaf start in `numbers`, and the end; shape (m + 1,)."""
    numbers: NDArray[np.uint32]
    """Numbers of blobs among those of the packs named; shape (rows,)."""


@dataclass(frozen=True, slots=True)
class PlaceFile:
    """What a place file says."""

    packs: tuple[PackCounts, ...]
    sections: tuple[Section, ...]

    def section(self, field: str) -> Section | None:
        """The section of a field, if there is one."""
        return next((each for each in self.sections if each.field == field), None)


def encode_places(packs: Sequence[PackCounts], sections: Sequence[Section]) -> bytes:
    """The bytes of a place file."""
    parts = [PACK.pack(bytes.fromhex(each.name), each.annotations, each.records) for each in packs]
    for each in sections:
        code, _ = FIELDS[each.field]
        parts.append(SECTION.pack(code, len(each.leaves), len(each.numbers)))
        parts.append(each.starts.astype("<i8").tobytes())
        parts.append(each.leaves.astype("<u4").tobytes())
        parts.append(each.numbers.astype("<u4").tobytes())
        parts.append(bytes(-(len(each.leaves) + len(each.numbers)) % 2 * 4))
    body = b"".join(parts)
    return HEADER.pack(MAGIC, zlib.crc32(body), len(sections), len(packs)) + body


def most_bytes(pack_size: int) -> int:
    """How large the place file of a pack of `pack_size` bytes can be.

    A row of a map is a hash at least, which does not shrink in its pack, and four bytes a field
    here; what names packs is not bound to the pack.
    """
    return pack_size + 64 * 1024 * 1024


def parse_places(data: Buffer, where: str, most: int | None = None) -> PlaceFile:
    """The inverse of `encode_places`; raises `Corrupt`, also for more than `most` bytes."""
    view = memoryview(data)
    if most is not None and len(view) > most:
        raise Corrupt(where, "place file: larger than its pack allows")
    if len(view) < HEADER.size:
        raise Corrupt(where, "place file: truncated")
    magic, crc, sections, packs = HEADER.unpack_from(view)
    if magic != MAGIC:
        raise Corrupt(where, "place file: not one of this format")
    if zlib.crc32(view[HEADER.size :]) != crc:
        raise Corrupt(where, "place file (checksum)")
    try:
        at = HEADER.size
        named = []
        for _ in range(packs):
            name, annotations, records = PACK.unpack_from(view, at)
            named.append(PackCounts(name.hex(), annotations, records))
            at += PACK.size
        found = []
        for _ in range(sections):
            section, at = _section(view, at)
            found.append(section)
        if at != len(view):
            raise ValueError
    except (struct.error, ValueError, KeyError):
        raise Corrupt(where, "place file: parts that do not fit") from None
    return PlaceFile(tuple(named), tuple(found))


def _section(view: memoryview, at: int) -> tuple[Section, int]:
    code, leaves, rows = SECTION.unpack_from(view, at)
    at += SECTION.size
    if rows > len(view):  # or numpy is asked for more than it can count
        raise ValueError
    starts = np.frombuffer(view, "<i8", leaves + 1, at)
    at += starts.nbytes
    ordinals = np.frombuffer(view, "<u4", leaves, at)
    at += ordinals.nbytes
    numbers = np.frombuffer(view, "<u4", rows, at)
    at += numbers.nbytes + (leaves + rows) % 2 * 4
    if starts[0] != 0 or starts[-1] != rows or bool((starts[1:] < starts[:-1]).any()):
        raise ValueError
    return Section(_NAMES[code], ordinals, starts, numbers), at
