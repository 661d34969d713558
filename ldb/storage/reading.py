"""Reading local files whole or in pieces, and noticing when they change underneath."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ldb.errors import BadInput

PIECE = 1024 * 1024
WHOLE = 8 * 1024 * 1024
"""Files up to this size in bytes are read in one call."""

TRIES = 3
COARSE_NS = 2_000_000_000
FINE_NS = 20_000_000


@dataclass(frozen=True, slots=True)
class FileState:
    """A file's attributes at the moment it was read."""

    size: int
    mtime: int
    """Nanoseconds since 1970."""
    mode: int
    uid: int
    gid: int


class Changing(BadInput):
    """The file kept changing while it was read."""


def read_bytes(path: bytes, limit: int) -> tuple[bytes, FileState]:
    """The content of a file of at most `limit` bytes, and its state; stable, or `Changing`.

    Raises `OSError` where it cannot be read, `BadInput` where it is larger.
    """
    for _ in range(TRIES):
        handle = os.open(path, os.O_RDONLY)
        try:
            before = os.fstat(handle)
            if before.st_size > limit:
                why = f"is {before.st_size} bytes; the limit is {limit}"
                raise BadInput(os.fsdecode(path), why)
            data = _read_all(handle, before.st_size)
            after = os.fstat(handle)
        finally:
            os.close(handle)
        if _same(before, after) and len(data) == after.st_size:
            return data, _state(after)
    raise Changing(os.fsdecode(path), "kept changing while it was read; index it again later")


def hash_file(path: bytes, algorithm: str) -> tuple[bytes, FileState]:
    """Digest of a file's content and its state; stable, or `Changing`. Raises `OSError`."""
    for _ in range(TRIES):
        digest = hashlib.new(algorithm, usedforsecurity=False)
        handle = os.open(path, os.O_RDONLY)
        try:
            before = os.fstat(handle)
            count = 0
            for piece in _pieces(handle, before.st_size):
                digest.update(piece)
                count += len(piece)
            after = os.fstat(handle)
        finally:
            os.close(handle)
        if _same(before, after) and count == after.st_size:
            return digest.digest(), _state(after)
    raise Changing(os.fsdecode(path), "kept changing while it was read; index it again later")


def _pieces(handle: int, size: int) -> Iterator[bytes]:
    """The content; a small file in one read, which asks for a byte more to see growth."""
    piece = os.read(handle, size + 1 if size <= WHOLE else PIECE)
    if len(piece) == size:
        yield piece
        return
    while piece:
        yield piece
        piece = os.read(handle, PIECE)


def _read_all(handle: int, size: int) -> bytes:
    data = os.read(handle, size + 1)
    if len(data) == size:
        return data
    return data + b"".join(iter(lambda: os.read(handle, PIECE), b""))


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return before.st_mtime_ns == after.st_mtime_ns and before.st_size == after.st_size


def _state(status: os.stat_result) -> FileState:
    return FileState(
        status.st_size, status.st_mtime_ns, status.st_mode, status.st_uid, status.st_gid
    )


def settled_mtime(mtime: int, now: int) -> int:
    """`mtime` if a later change would surely alter it, else 0: read the file again next time.

    A file written within one tick of the file system's clock can change without its time
    changing. Whole seconds mean a coarse clock (FAT, some network disks).
    """
    tick = COARSE_NS if mtime % 1_000_000_000 == 0 else FINE_NS
    return mtime if now - mtime > tick else 0
