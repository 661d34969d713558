"""The cache of data objects, laid out as DVC's: `files/md5/ab/cdef…`, shared by processes.

A name stands for a whole file with the size and hash that it says: files are made elsewhere
in the cache, hashed on the way, and renamed. `find` compares the size only; whoever uses
the file hashes it. Rules and reasons: docs/design/014-fetching.md.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ldb.errors import BadInput, StoreFailed
from ldb.storage.reading import HASHES
from ldb.system import BINARY, CLOEXEC, WINDOWS, set_mode, try_lock

UNFINISHED = ".ldb_fetching"
OURS = ".ldb_cache"
"""Only in a cache that LDB made; nothing is ever removed from another."""

_LOCK = "lock"
_NOTE = b"A cache of data objects made by LDB: any file in it may be deleted at any time.\n"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | CLOEXEC | BINARY
_ABANDONED = 24 * 3600
"""Seconds after which an unfinished file is a left-over where there are no locks."""
_YOUNG = 60
_RECENT = 24 * 3600
"""Seconds within which a use of a file is not noted again."""
_SHARED = stat.S_ISGID | stat.S_IWGRP

_FULL = "free some space there, set core.cache_dir to another disk, or: ldb cache clean"
_HINTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: "set core.cache_dir to a folder that can be written to",
    errno.EACCES: "set core.cache_dir to a folder that you may write to",
    errno.EPERM: "set core.cache_dir to a folder that you may write to",
    errno.ENOTDIR: "core.cache_dir has to name a folder",
    errno.EEXIST: "core.cache_dir has to name a folder",
}


class Wrong(BadInput):
    """What came is not the data object that was to be kept."""


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """Which cache to use, and how."""

    folder: str
    """Absolute; made when something is kept in it."""
    local: bool = False
    """Whether objects that lie in local files go through it too."""
    limit: int | None = None
    """Bytes it may grow to; None: without end."""


class Cache:
    """One process's way into a cache for objects named by one hash. Safe in many threads."""

    def __init__(self, folder: str, algorithm: str) -> None:
        self.folder = folder
        self.added = 0
        """Bytes kept by this process."""
        self._algorithm = algorithm
        self._files = os.path.join(folder, "files", algorithm)
        self._mine = ""
        self._lock = -1
        self._beginning = threading.Lock()
        self._known: set[str] = set()
        """Folders that are there."""

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was not finished."""
        if self._lock >= 0:  # before, since Windows removes no open file
            os.close(self._lock)
            self._lock = -1
        if self._mine:
            _remove(self._mine)
            self._mine = ""

    def path(self, object_id: bytes) -> str:
        """Where an object's file is, or would be."""
        name = object_id.hex()
        return os.path.join(self._files, name[:2], name[2:])

    def find(self, object_id: bytes, size: int) -> str | None:
        """The path of an object's file, if it is there with this size: hash it before use."""
        path = self.path(object_id)
        try:
            found = os.stat(path, follow_symlinks=False)
        except OSError:
            return None
        if found.st_size != size or not stat.S_ISREG(found.st_mode):
            return None
        now = time.time()
        if found.st_atime < now - _RECENT:
            with suppress(OSError):  # not our file: its owner's uses count
                os.utime(path, ns=(int(now * 1e9), found.st_mtime_ns))
        return path

    def keep(self, object_id: bytes, size: int, pieces: Iterable[bytes]) -> str:
        """Keep the bytes of an object under its name; the path.

        Raises `Wrong` where size or hash are others, `StoreFailed` where the cache cannot
        be written, and what `pieces` raises; then nothing of it is left.
        """
        with _as_failure(self.folder):
            temporary = self._new_name()
            fd = os.open(temporary, _NEW, 0o600)
        try:
            self._fill(fd, object_id, size, pieces)
            path = self.path(object_id)
            with _as_failure(self.folder):
                self._make(os.path.dirname(path))
                self._publish(temporary, path, object_id, size)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        self.added += size
        return path

    def _publish(self, temporary: str, path: str, object_id: bytes, size: int) -> None:
        try:
            os.replace(temporary, path)
        except PermissionError:
            # Windows does not replace what somebody reads: it is the same, or is damaged.
            if not WINDOWS or self.find(object_id, size) is None:
                raise
            os.unlink(temporary)

    def _fill(self, fd: int, object_id: bytes, size: int, pieces: Iterable[bytes]) -> None:
        digest, count = HASHES[self._algorithm](), 0
        try:
            for piece in pieces:
                count += len(piece)
                if count > size:
                    break
                digest.update(piece)
                with _as_failure(self.folder):
                    _write_all(fd, piece)
            check(object_id, size, count, digest.digest())
            with _as_failure(self.folder):
                set_mode(fd, 0o444)
        finally:
            os.close(fd)

    def _new_name(self) -> str:
        with self._beginning:
            if not self._mine:
                self._begin()
        return os.path.join(self._mine, secrets.token_hex(8))

    def _begin(self) -> None:
        """Make the cache, if need be, and a folder of this process's own in it."""
        prepare(self.folder)
        above = os.path.join(self.folder, UNFINISHED)
        self._make(above)
        _remove_abandoned(above)
        mine = os.path.join(above, f"{os.getpid()}-{secrets.token_hex(4)}")
        os.mkdir(mine, 0o700)
        self._lock = os.open(os.path.join(mine, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        try_lock(self._lock)
        self._mine = mine

    def _make(self, folder: str) -> None:
        """Make a folder with those above it, shared with the group where the cache is."""
        if folder in self._known:
            return
        if not os.path.isdir(folder):
            above = os.path.dirname(folder)
            self._make(above)
            with suppress(FileExistsError):
                os.mkdir(folder)
                mode = os.stat(above).st_mode
                if mode & _SHARED == _SHARED:
                    os.chmod(folder, stat.S_IMODE(mode))
        self._known.add(folder)


def check(object_id: bytes, size: int, count: int, digest: bytes) -> None:
    """Raise `Wrong` where so many bytes with this hash are not the object."""
    if count > size:
        raise Wrong("size", f"changed since it was indexed: it has more than {size} bytes")
    if count < size:
        raise Wrong("size", f"changed since it was indexed: {count} bytes, not {size}")
    if digest != object_id:
        raise Wrong("hash", f"changed since it was indexed: its hash is {digest.hex()} now")


def prepare(folder: str) -> None:
    """Make a cache folder, and mark it as LDB's own if nobody else's files are in it."""
    if not os.path.isabs(folder):
        raise BadInput("core.cache_dir", f"{folder} is not an absolute path")
    with _as_failure(folder):
        os.makedirs(folder, exist_ok=True)
        if not os.listdir(folder):
            with suppress(FileExistsError):
                fd = os.open(os.path.join(folder, OURS), _NEW, 0o644)
                try:
                    _write_all(fd, _NOTE)
                finally:
                    os.close(fd)


@dataclass(frozen=True, slots=True)
class Usage:
    """What is in a cache."""

    files: int
    size: int
    """Bytes."""


def usage(folder: str) -> Usage:
    """Count what is in a cache; nothing where there is none."""
    sizes = [size for _, size, _ in _cached(folder)]
    return Usage(len(sizes), sum(sizes))


def may_be_cleaned(folder: str) -> bool:
    """Whether LDB made this cache, or may still make it."""
    if not os.path.isfile(os.path.join(folder, OURS)):
        with suppress(FileNotFoundError):
            return not os.listdir(folder)
    return ".dvc" not in os.path.normpath(folder).split(os.sep)


def clean(folder: str, limit: int) -> Usage:
    """Remove the files that were not used for longest until `limit` bytes are left; what went.

    Raises `BadInput` for a cache that LDB did not make, or that DVC has come to use.
    """
    files = sorted(_cached(folder))
    if not may_be_cleaned(folder) or any(path.endswith(".dir") for _, _, path in files):
        raise BadInput(
            folder,
            "is not LDB's alone, and may hold what is nowhere else",
            "clean it with the program that made it, for example `dvc gc`",
        )
    left = sum(size for _, size, _ in files)
    count = freed = 0
    for _, size, path in files:
        if left <= limit:
            break
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _failure(path, error) from error
        left, freed, count = left - size, freed + size, count + 1
    above = os.path.join(folder, UNFINISHED)
    if os.path.isdir(above):
        _remove_abandoned(above)
    return Usage(count, freed)


def _cached(folder: str) -> Iterator[tuple[float, int, str]]:
    """Last use, size and path of each file."""
    for algorithm in HASHES:
        files = os.path.join(folder, "files", algorithm)
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(files) as folders:
            for each in folders:
                if each.is_dir(follow_symlinks=False):
                    yield from _files(each.path)


def _files(folder: str) -> Iterator[tuple[float, int, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield max(found.st_atime, found.st_mtime), found.st_size, entry.path


def _remove_abandoned(above: str) -> None:
    """Remove unfinished files of processes that are gone."""
    with suppress(OSError), os.scandir(above) as entries:
        for entry in entries:
            with suppress(OSError):
                if _is_abandoned(entry.path):
                    _remove(entry.path)


def _is_abandoned(folder: str) -> bool:
    """Whether nobody holds the lock; where there are no locks, whether it is old."""
    age = time.time() - os.stat(folder).st_mtime
    if age < _YOUNG:
        return False  # it may not have got its lock yet
    is_old = age > _ABANDONED
    try:
        fd = os.open(os.path.join(folder, _LOCK), os.O_RDWR)
    except FileNotFoundError:
        return is_old
    try:
        locked = try_lock(fd)
    finally:
        os.close(fd)
    return is_old if locked is None else locked


def _remove(folder: str) -> None:
    with suppress(OSError):
        # The lock last: what still has one is not taken for a folder that is being made.
        for name in sorted(os.listdir(folder), key=lambda name: name == _LOCK):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


@contextmanager
def _as_failure(folder: str) -> Iterator[None]:
    """The system's refusals as `StoreFailed`: the whole run has to stop."""
    try:
        yield
    except OSError as error:
        raise _failure(folder, error) from error


def _failure(path: str, error: OSError) -> StoreFailed:
    why = error.strerror or type(error).__name__
    return StoreFailed(f"cache {path}", why, _HINTS.get(error.errno or 0, ""))
