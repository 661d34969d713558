"""The directory of a column file: which parts there are, and where their bytes lie.

Invariant: what `unpack` gives has passed its checksum and is JSON of bounded size; that its
entries make sense is for the reader to check. Format: docs/formats/columns.md.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from typing import Any
from zlib import crc32

import zstandard

from ldb.backends.base import Buffer
from ldb.columns import arrow
from ldb.errors import Corrupt

MAGIC = b"LDBCOLS\x01"
MAX_JSON = 16 * 1024 * 1024
MAX_ENTRIES = 64 * 1024
"""Most objects and arrays of the directory: 1,024 columns have a tenth of that."""
MAX_LEVELS = 128
"""Levels of nodes; Arrow readers stop at 64 levels of fields, so nobody writes as many."""

_HEAD = struct.Struct("<8sII")
_TAIL_SIZE = _HEAD.size + 8
_END = struct.Struct("<i6s")
FIRST_READ = 64 * 1024

Read = Callable[[int, int], Buffer]
"""Gives the bytes from one place of a file up to another."""


def largest_part(file_size: int) -> int:
    """How many bytes a part may have unpacked, and how many values a column."""
    return 16 * 1024 * 1024 + 64 * file_size


def pack(directory: dict[str, Any]) -> bytes:
    """Directory and tail as they stand in the file, but for the last sum: see `sealed`."""
    raw = json.dumps(directory, separators=(",", ":")).encode()
    if len(raw) > MAX_JSON:
        raise ValueError(f"directory of columns: {len(raw)} bytes, more than {MAX_JSON}")
    packed = zstandard.ZstdCompressor(level=3).compress(raw)
    stored = packed if len(packed) < len(raw) else raw
    head = _HEAD.pack(MAGIC, len(stored), len(raw))
    return stored + head + struct.pack("<II", crc32(head, crc32(stored)), 0)


def sealed(directory: bytes, before: Iterable[bytes], after: bytes) -> bytes:
    """What `pack` gave, with the sum of what stands before and after it in the file."""
    total = 0
    for part in before:
        total = crc32(part, total)
    return directory[:-4] + struct.pack("<I", crc32(after, total))


def check_rest(data: Buffer, where: str) -> None:
    """Raise Corrupt unless what surrounds the directory of a file is what was written.

    For a file that could be opened. Readers do not ask: each part has a sum of its own.
    """
    view = memoryview(data)
    footer, _ = _END.unpack(view[-_END.size :])
    stop = len(view) - _END.size - footer
    _, stored, _ = _HEAD.unpack(view[stop - _TAIL_SIZE : stop - 8])
    start = stop - _TAIL_SIZE - stored
    if view[stop - 4 : stop] != struct.pack("<I", crc32(view[stop:], crc32(view[:start]))):
        raise Corrupt(where, "bytes around the directory")


def unpack(read: Read, size: int, where: str) -> dict[str, Any]:
    """The directory of a file of `size` bytes; raises Corrupt."""
    start = max(0, size - FIRST_READ)
    end = bytes(read(start, size))
    if len(end) != size - start or len(end) < _END.size:
        raise Corrupt(where, "truncated")
    footer, magic = _END.unpack(end[-_END.size :])
    stop = size - _END.size - footer
    if magic != arrow.MAGIC or not _TAIL_SIZE <= stop <= size - _END.size:
        raise Corrupt(where, "end")
    tail = _slice(read, start, end, stop - _TAIL_SIZE, stop)
    magic, stored, raw = _HEAD.unpack(tail[: _HEAD.size])
    if magic != MAGIC or stored > stop - _TAIL_SIZE or not stored <= raw <= MAX_JSON:
        raise Corrupt(where, "tail of the directory")
    data = _slice(read, start, end, stop - _TAIL_SIZE - stored, stop - _TAIL_SIZE)
    expected = struct.pack("<I", crc32(tail[: _HEAD.size], crc32(data)))
    if tail[_HEAD.size : -4] != expected:
        raise Corrupt(where, "directory")
    try:
        text = bytes(unpacked(data, raw))
        if text.count(b"{") + text.count(b"[") > MAX_ENTRIES:
            raise ValueError("more than any writer writes")
        found = json.loads(text)
    except (ValueError, RecursionError, zstandard.ZstdError) as error:
        raise Corrupt(where, "directory") from error
    if type(found) is not dict:
        raise Corrupt(where, "directory")
    return found


def unpacked(stored: Buffer, raw: int) -> Buffer:
    """`raw` bytes; raises ZstdError where it is not so many, before making room for more."""
    if len(stored) == raw:
        return stored
    if zstandard.frame_content_size(stored) != raw:
        raise zstandard.ZstdError("another content size")
    return zstandard.ZstdDecompressor().decompress(stored)


def _slice(read: Read, known: int, data: bytes, start: int, stop: int) -> bytes:
    """Bytes of the file, of which `data` from `known` on has been read."""
    if start >= known:
        return data[start - known : stop - known]
    return bytes(read(start, stop))
