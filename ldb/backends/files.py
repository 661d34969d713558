"""What `local.py` does with one file: publish it, flush it, read a part of it.

Plain `os` calls in the order that durability asks for, and nothing that knows of keys.
The rules and the reasons: docs/formats/instance.md.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ldb.backends import noreplace
from ldb.backends.base import Buffer, Outcome
from ldb.errors import StoreFailed
from ldb.system import BINARY, NOFOLLOW, NONBLOCK, WINDOWS, read_at

MAP_FROM = 1 << 20
"""Ranges of at least this many bytes are mapped rather than copied."""

ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
"""Errors that say: there is no such file."""

# A pipe that somebody put in the place of a value must not block its reader.
_READ = os.O_RDONLY | BINARY | NOFOLLOW | NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY
# Windows cannot delete a read-only file, not even one of its two names.
_FILE_MODE = 0o666 if WINDOWS else 0o444

_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})

_WHY = {errno.ELOOP: "a symbolic link where a plain file or folder is needed"}
_HINTS = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EROFS: "it is mounted read-only",
    errno.EACCES: "ask its owner for the right to do this",
}


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Turn the system's refusals into `StoreFailed(where, why)`."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        why = _WHY.get(number) or error.strerror or type(error).__name__
        raise StoreFailed(where, why, _HINTS.get(number, "")) from error


# -- publishing ------------------------------------------------------------------------


def write_durably(path: str, data: Buffer, open_to: int) -> None:
    """Make the file `path` of `data`, flushed to the disk.

    `open_to`: mode bits of those who may read it whatever the writer's umask.
    """
    fd = os.open(path, _WRITE, _FILE_MODE)
    try:
        share(fd, open_to & 0o444)
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[os.write(fd, rest) :]
        _flush(fd)
    finally:
        os.close(fd)


def publish(temporary: str, target: str) -> Outcome:
    """Give the file `temporary` the name `target` unless that is taken.

    May leave the old name in place; the caller removes it.
    """
    try:
        os.link(temporary, target)
    except OSError as error:
        if _is_same(temporary, target):  # done, and the answer was lost (NFS)
            return Outcome.CREATED
        if isinstance(error, FileExistsError):
            return _exists(target)
        if error.errno in _NO_LINKS:
            return _publish_by_rename(temporary, target)
        raise
    return Outcome.CREATED


def replace(temporary: str, target: str) -> Outcome:
    """Give `temporary` the name `target`, which may be taken by a file of the same bytes."""
    if WINDOWS:  # where a file that is being read cannot be replaced
        return publish(temporary, target)
    os.replace(temporary, target)
    return Outcome.CREATED


def _publish_by_rename(temporary: str, target: str) -> Outcome:
    try:
        noreplace.rename_new(temporary, target)
    except FileExistsError:
        return _exists(target)
    return Outcome.CREATED


def _exists(target: str) -> Outcome:
    refuse_special(target, os.lstat(target))
    return Outcome.EXISTS


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def refuse_special(path: str, found: os.stat_result) -> None:
    """Raise `StoreFailed` unless `found` is a plain file's."""
    if not stat.S_ISREG(found.st_mode):
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "link, pipe or device"
        raise StoreFailed(path, f"a {kind} where a plain file is needed")


def share(made: str | int, open_to: int) -> None:
    """Add the mode bits `open_to` to those of a file or folder just made."""
    if WINDOWS:
        return
    mode = stat.S_IMODE(os.stat(made).st_mode)
    if mode | open_to != mode:
        with suppress(PermissionError):  # file systems without modes
            os.chmod(made, mode | open_to)


# -- flushing --------------------------------------------------------------------------


def flush_folder(folder: str) -> None:
    """Put the names in `folder` on the disk."""
    if WINDOWS:  # folders cannot be opened there
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        _flush(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(fd)


def _flush(fd: int) -> None:
    if sys.platform == "darwin":  # fsync leaves the bytes in the drive's cache there
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
    os.fsync(fd)


# -- reading ---------------------------------------------------------------------------


def open_to_read(path: str) -> int:
    """A descriptor; never follows a link at the end of `path`, never waits for a pipe."""
    return os.open(path, _READ)


def read_range(fd: int, size: int, start: int, stop: int | None) -> Buffer:
    """Bytes `[start, stop)` of an open file of `size` bytes; mapped when there are many."""
    if start < 0 or (stop is not None and stop < 0):
        raise ValueError(f"negative range [{start}, {stop})")
    count = (size if stop is None else min(stop, size)) - start
    if count <= 0:
        return b""
    if count >= MAP_FROM:
        with suppress(OSError):  # some file systems cannot map
            return _mapped(fd, start, count)
    return _copied(fd, start, count)


def _mapped(fd: int, start: int, count: int) -> memoryview:
    skipped = start % mmap.ALLOCATIONGRANULARITY
    length, offset = count + skipped, start - skipped
    if sys.version_info >= (3, 13):  # before, each map keeps a descriptor open
        window = mmap.mmap(fd, length, access=mmap.ACCESS_READ, offset=offset, trackfd=False)
    else:
        window = mmap.mmap(fd, length, access=mmap.ACCESS_READ, offset=offset)
    return memoryview(window)[skipped:]


def _copied(fd: int, start: int, count: int) -> bytes:
    parts = []
    while count > 0:
        part = read_at(fd, count, start)  # the descriptor is its reader's alone
        if not part:
            break
        parts.append(part)
        start += len(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
