"""Renaming a file to a name that must not be taken, in one atomic step.

The second choice of `local.py`, for file systems without hard links (FAT, exFAT, some
network and FUSE mounts). Plain POSIX `rename` replaces silently, so the system's own
call is used: `renameat2(RENAME_NOREPLACE)` on Linux, `renamex_np(RENAME_EXCL)` on
macOS, the ordinary rename on Windows. Where there is none the store is refused: an
exclusive claim file would stay behind when its owner is killed.
"""

from __future__ import annotations

import errno
import os
import sys

from ldb.errors import Unsupported

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCL = 4
_REFUSED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def rename_new(source: str, target: str) -> None:
    """Rename `source` to `target`; `FileExistsError` where `target` is taken.

    Raises `Unsupported` where system or file system cannot do it atomically, other
    `OSError`s as the system gives them.
    """
    if os.name == "nt":
        os.rename(source, target)
        return
    number = _rename_without_replacing(os.fsencode(source), os.fsencode(target))
    if number in _REFUSED:
        raise Unsupported(
            f"an instance at {target}: this file system has neither hard links "
            "nor renaming without replacing",
            "put the instance on another file system",
        )
    if number:
        raise OSError(number, os.strerror(number), source, None, target)


def _rename_without_replacing(source: bytes, target: bytes) -> int:
    """Give the errno, 0 when done."""
    # Loaded here: every command would pay its milliseconds, and few file systems need it.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if sys.platform == "darwin":
            failed = libc.renamex_np(source, target, _RENAME_EXCL)
        else:
            failed = libc.renameat2(_AT_FDCWD, source, _AT_FDCWD, target, _RENAME_NOREPLACE)
    except AttributeError:  # an older libc
        return errno.ENOSYS
    return ctypes.get_errno() if failed else 0
