"""Reading local files whole or in pieces, and noticing when they change underneath.

Called for every file that is indexed, so the usual small file costs four system calls and
little else: the state that comes back is the system's own `os.stat_result`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from ldb.errors import BadInput
from ldb.system import BINARY, NONBLOCK

PIECE = 1024 * 1024
WHOLE = 8 * 1024 * 1024
"""Files up to this size in bytes are read in one call."""

SMALL = 64 * 1024
"""Files up to this size in bytes are read without asking for their size first."""

TRIES = 3
COARSE_NS = 2_000_000_000
FINE_NS = 20_000_000

_READ = os.O_RDONLY | NONBLOCK | BINARY
"""Without O_NONBLOCK, opening what has just become a pipe would wait for ever."""

HASHES: dict[str, Callable[..., Any]] = {
    "md5": partial(hashlib.md5, usedforsecurity=False),
    "sha256": hashlib.sha256,
}


class Changing(BadInput):
    """The file kept changing while it was read."""


def read_settled(
    folder: bytes, names: Iterable[bytes], now: int
) -> Iterator[tuple[bytes, os.stat_result] | None]:
    """For each named file of a folder its content and state, if it is small and settled.

    None for any other, unreadable ones included: `read_bytes` and `hash_file` are for all
    that this leaves. `now` (nanoseconds since 1970) lies before the call, so a time of
    change well before it proves that the file held still. One system call fewer than those,
    and none that walks down from the root.
    """
    directory = _opened(folder)
    if directory is None:
        yield from (None for _ in names)
        return
    opened, read, state_of, close = os.open, os.read, os.fstat, os.close
    settled = now - COARSE_NS
    try:
        for name in names:
            try:
                handle = opened(name, _READ, dir_fd=directory)
            except OSError:
                yield None
                continue
            try:
                data = read(handle, SMALL + 1)
                state = state_of(handle)
            except OSError:
                yield None
                continue
            finally:
                close(handle)
            size, mtime = len(data), state.st_mtime_ns
            still = 0 < mtime < settled or settled_mtime(mtime, now)
            whole = size == state.st_size and size <= SMALL
            # Only what is empty can be a pipe here.
            fit = still and whole and (size or stat.S_ISREG(state.st_mode))
            yield (data, state) if fit else None
    finally:
        close(directory)


def _opened(folder: bytes) -> int | None:
    """A handle to open the folder's files by; None where that cannot be had."""
    if os.open not in os.supports_dir_fd:
        return None
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None


def read_bytes(path: bytes, limit: int) -> tuple[bytes, os.stat_result]:
    """The content of a file of at most `limit` bytes, and its state; stable, or `Changing`.

    Raises `OSError` where it cannot be read, `BadInput` where it is larger.
    """
    for _ in range(TRIES):
        handle = os.open(path, _READ)
        try:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise BadInput(os.fsdecode(path), "is not a regular file any more")
            size = before.st_size
            if size > limit:
                raise BadInput(os.fsdecode(path), f"is {size} bytes; the limit is {limit}")
            # A byte more than there should be, to see growth.
            data = os.read(handle, size + 1)
            if len(data) != size:
                data += b"".join(iter(lambda: os.read(handle, PIECE), b""))  # noqa: B023
            after = os.fstat(handle)
        finally:
            os.close(handle)
        if len(data) == after.st_size and before.st_mtime_ns == after.st_mtime_ns:
            return data, after
    raise _changing(path)


def hash_file(path: bytes, algorithm: str) -> tuple[bytes, os.stat_result]:
    """Digest of a file's content and its state; stable, or `Changing`. Raises `OSError`."""
    new = HASHES[algorithm]
    for _ in range(TRIES):
        handle = os.open(path, _READ)
        try:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise BadInput(os.fsdecode(path), "is not a regular file any more")
            size = before.st_size
            piece = os.read(handle, size + 1 if size <= WHOLE else PIECE)
            digest, count = new(piece), len(piece)
            if count != size:
                for piece in _rest(handle):
                    digest.update(piece)
                    count += len(piece)
            after = os.fstat(handle)
        finally:
            os.close(handle)
        if count == after.st_size and before.st_mtime_ns == after.st_mtime_ns:
            return digest.digest(), after
    raise _changing(path)


def _rest(handle: int) -> Iterator[bytes]:
    while piece := os.read(handle, PIECE):
        yield piece


def _changing(path: bytes) -> Changing:
    return Changing(os.fsdecode(path), "kept changing while it was read; index it again later")


def settled_mtime(mtime: int, now: int) -> int:
    """`mtime` if a later change would surely alter it, else 0: read the file again next time.

    A file written within one tick of the file system's clock can change without its time
    changing. Whole seconds mean a coarse clock (FAT, some network disks). A time before
    1970 or in the future proves nothing.
    """
    if mtime < 0:
        return 0
    if now - mtime > COARSE_NS:
        return mtime
    tick = COARSE_NS if mtime % 1_000_000_000 == 0 else FINE_NS
    return mtime if now - mtime > tick else 0
