"""What the systems have in common under other names: flags of `open`, locks, what a link is.

Windows opens files in text mode unless told otherwise, has no `pread`, no locks of whole files
and more kinds of links; its own flags and calls are absent elsewhere. Reasons and what was
tried: docs/design/030-windows-and-macos.md.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_byte_locks: Any = None
try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    _byte_locks = msvcrt

WINDOWS = os.name == "nt"

BINARY = getattr(os, "O_BINARY", 0)
"""Without it Windows writes a line feed as two bytes, and takes Ctrl-Z for the end."""
CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK = getattr(os, "O_NONBLOCK", 0)

_DRIVE = re.compile(r"/[A-Za-z]:(?=[\\/]|$)")
_SURROGATE = 0x20000000
"""Bit of a reparse tag: the entry stands for another one, as links and junctions do."""
_FAR = 0x7FFFFFF0
"""Where the byte lies that is locked while a file is appended to: behind all that is in it."""
_NO_LOCKS = frozenset({errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP})
_PAUSE, _TRIES = 0.002, 5000


def local_part(path: str) -> str:
    """The local path that stands behind `file://`: on Windows a drive has a slash before it."""
    return path[1:] if WINDOWS and _DRIVE.match(path) else path


def is_link(found: os.stat_result) -> bool:
    """Whether what `lstat` found leads elsewhere: a symbolic link, or a junction of Windows."""
    return stat.S_ISLNK(found.st_mode) or bool(getattr(found, "st_reparse_tag", 0) & _SURROGATE)


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether two looks, by name or by handle, were at one file of one file system.

    A file system of Windows without numbers for its files has 0 for all.
    """
    if not WINDOWS:
        return os.path.samestat(one, other)
    # Versions of Python differ in what `st_dev` is, and in how many bits a number has.
    numbers = {each.st_ino & 0xFFFFFFFFFFFFFFFF for each in (one, other)}
    return len(numbers) == 1 or 0 in numbers


_seeking = threading.Lock()

if hasattr(os, "pread"):
    read_at = os.pread
else:

    def read_at(fd: int, size: int, offset: int) -> bytes:
        """`os.pread`, where there is none."""
        with _seeking:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.read(fd, size)


def set_mode(fd: int, mode: int) -> None:
    """Set the mode of an open file, where files have one: Windows knows only a read-only file,
    which cannot be removed there."""
    if hasattr(os, "fchmod") and not WINDOWS:
        os.fchmod(fd, mode)


# -- locks -----------------------------------------------------------------------------


def try_lock(fd: int, at: int = 0) -> bool | None:
    """Lock an open file until it is closed; False where somebody else has, None where the
    file system cannot. `at`: which byte of it, where the system locks bytes."""
    if _byte_locks is not None:
        return _lock_byte(fd, at)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@contextmanager
def appending(fd: int) -> Iterator[None]:
    """While this process appends to a file: Windows looks for its end and writes there in two
    steps, so that others have to wait. POSIX does both at once."""
    if _byte_locks is None:
        yield
        return
    _await_byte(fd, _FAR)
    try:
        yield
    finally:
        _unlock_byte(fd, _FAR)


def lock_folder(folder: str) -> int:
    """A descriptor, to be closed, that holds others off who ask for the same; waits for them.

    Of the folder, or on Windows, which opens none, of a file `.lock` that stays there.
    """
    if _byte_locks is not None:
        fd = os.open(os.path.join(folder, ".lock"), os.O_RDWR | os.O_CREAT | BINARY | CLOEXEC)
        _await_byte(fd, 0)
        return fd
    fd = os.open(folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def _lock_byte(fd: int, at: int) -> bool | None:
    os.lseek(fd, at, os.SEEK_SET)
    try:
        _byte_locks.locking(fd, _byte_locks.LK_NBLCK, 1)
    except OSError as error:
        return None if error.errno in _NO_LOCKS else False
    finally:
        os.lseek(fd, 0, os.SEEK_SET)
    return True


def _await_byte(fd: int, at: int) -> None:
    # What is not to be had for so long cannot be had: some file systems never give one.
    for _ in range(_TRIES):
        if _lock_byte(fd, at) is not False:
            return
        time.sleep(_PAUSE)


def _unlock_byte(fd: int, at: int) -> None:
    os.lseek(fd, at, os.SEEK_SET)
    with suppress(OSError):
        _byte_locks.locking(fd, _byte_locks.LK_UNLCK, 1)
