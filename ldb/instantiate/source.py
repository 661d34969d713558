"""Taking a data object from one of the places where it was seen, verified by its hash.

What lands in the temporary file has the size and the hash that name the object, or `Stale`
says why this place cannot serve it. Bytes are hashed on their way (copy), in the clone
(reflink), or in the shared file itself (hardlink); linking.py has the
hard links that need no hash.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress

from ldb.errors import LdbError, Unsupported
from ldb.instantiate.options import Link
from ldb.instantiate.target import Target, write_all
from ldb.storage.location import local_path
from ldb.storage.reading import HASHES
from ldb.system import BINARY, CLOEXEC, NONBLOCK, WINDOWS, read_at, same_file

WHOLE = 4 * 1024 * 1024
"""Files up to this size in bytes are read in one call and verified before any is written."""

PIECE = 1024 * 1024

REFLINK_FROM = 64 * 1024
"""Bytes from which `auto` tries to clone; below, copying costs less than the attempt."""

_OPEN = os.O_RDONLY | NONBLOCK | CLOEXEC | BINARY
_FICLONE = 0x40049409

_CANNOT_SHARE = frozenset(
    {
        errno.EXDEV,
        errno.EOPNOTSUPP,
        errno.ENOTSUP,
        errno.EINVAL,
        errno.ENOTTY,
        errno.ENOSYS,
        errno.EPERM,
        errno.EMLINK,
        errno.ETXTBSY,
    }
)
"""Answers that mean: these two places cannot share one file's blocks."""


class Stale(LdbError):
    """A place does not hold the data object (any more)."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Elsewhere(Exception):
    """The data object has to be fetched from a remote place first."""


class Fetcher:
    """Brings data objects into a target's temporary file."""

    def __init__(self, target: Target, algorithm: str, link: Link) -> None:
        self._target = target
        self._algorithm = algorithm
        self._link = link
        self._cannot_clone: set[int] = set()
        """Devices from which cloning to the target failed."""

    def fetch(self, uri: str, object_id: bytes, size: int) -> None:
        """Make the temporary file from `uri`; raises `Stale`, or `OSError` of the target."""
        path = source_path(uri)
        try:
            source = os.open(path, _OPEN)
        except OSError as error:
            raise unreadable(error) from None
        try:
            found = os.fstat(source)
            if not stat.S_ISREG(found.st_mode):
                raise Stale("is not a regular file any more")
            if found.st_size != size:
                raise Stale(f"changed since it was indexed: {found.st_size} bytes, not {size}")
            if self._link == "hardlink":
                self._share(source, found, path, object_id)
            elif not self._cloned(source, found, object_id):
                self._copy(source, object_id, size)
        finally:
            os.close(source)

    def _copy(self, source: int, object_id: bytes, size: int) -> None:
        if size > WHOLE:
            self._copy_in_pieces(source, object_id)
            return
        try:
            data = os.read(source, size + 1)
            while len(data) < size and (piece := os.read(source, PIECE)):
                data += piece
        except OSError as error:
            raise unreadable(error) from None
        digest: bytes = HASHES[self._algorithm](data).digest()
        self._check(digest, object_id)
        self._target.make(data)

    def _copy_in_pieces(self, source: int, object_id: bytes) -> None:
        digest = HASHES[self._algorithm]()
        fd = self._target.new_file()
        try:
            for piece in _pieces(source):
                digest.update(piece)
                write_all(fd, piece)
        finally:
            os.close(fd)
        self._check(digest.digest(), object_id)

    def _cloned(self, source: int, found: os.stat_result, object_id: bytes) -> bool:
        """Try to share the blocks; the clone, which nobody else can change, is hashed."""
        if self._link == "copy" or found.st_dev in self._cannot_clone:
            return False
        if self._link == "auto" and found.st_size < REFLINK_FROM:
            return False
        fd = self._target.new_file()
        try:
            error = _clone(source, fd)
            if not error:
                self._check(digest_of(fd, self._algorithm), object_id)
                return True
        finally:
            os.close(fd)
        if self._link == "reflink":
            raise Unsupported(
                f"reflinks into {self._target.folder} ({os.strerror(error)})",
                "they need btrfs, XFS or the like, source and target on the same file system; "
                "use --link copy",
            )
        self._cannot_clone.add(found.st_dev)
        return False

    def _share(self, source: int, found: os.stat_result, path: bytes, object_id: bytes) -> None:
        """Link the user's own file; it must not have changed while it was hashed."""
        try:
            digest = digest_of(source, self._algorithm)
            real = os.path.realpath(path)  # the file, not a symbolic link that leads to it
        except OSError as error:
            raise unreadable(error) from None
        self._check(digest, object_id)
        self._target.drop()
        try:
            self._target.partial.adopt(real, self._target.temporary)
        except FileNotFoundError:
            raise Stale("vanished while it was read") from None
        except OSError as error:
            if error.errno not in _CANNOT_SHARE:
                raise
            raise Unsupported(
                f"hard links from {os.fsdecode(path)} into {self._target.folder} "
                f"({os.strerror(error.errno or 0)})",
                "source and target must be on the same file system; use --link copy",
            ) from None
        linked = self._target.partial.stat(self._target.temporary)
        if not same_file(linked, found) or (
            (linked.st_size, linked.st_mtime_ns) != (found.st_size, found.st_mtime_ns)
        ):
            raise Stale("changed while it was read")

    @staticmethod
    def _check(digest: bytes, object_id: bytes) -> None:
        if digest != object_id:
            raise Stale(f"changed since it was indexed: its hash is {digest.hex()} now")


def unreadable(error: OSError) -> Stale:
    """A failure to read the source is the source's, not the target's."""
    if isinstance(error, FileNotFoundError):
        return Stale("is not there any more")
    return Stale(f"cannot be read: {error.strerror}")


def source_path(uri: str) -> bytes:
    try:
        path = local_path(uri).encode()
    except Unsupported as error:
        raise Stale(f"cannot be read: {error.hint}") from None
    if b"\0" in path or not _is_whole(path):
        raise Stale("is not a path")
    return path


def _is_whole(path: bytes) -> bool:
    """Whether a path names one place whatever folder, or on Windows drive, the process is in."""
    return os.path.isabs(path) and (not WINDOWS or bool(os.path.splitdrive(path)[0]))


def _pieces(source: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(source, PIECE)
        except OSError as error:
            raise unreadable(error) from None
        if not piece:
            return
        yield piece


def _clone(source: int, fd: int) -> int:
    """FICLONE; gives the errno, 0 when done."""
    if sys.platform != "linux":
        return errno.EOPNOTSUPP
    import fcntl

    try:
        fcntl.ioctl(fd, _FICLONE, source)
    except OSError as error:
        if error.errno not in _CANNOT_SHARE:
            raise
        return error.errno or errno.EIO
    return 0


def digest_of(fd: int, algorithm: str) -> bytes:
    """Hash of an open file from its start."""
    digest = HASHES[algorithm]()
    offset = 0
    while piece := read_at(fd, PIECE, offset):
        digest.update(piece)
        offset += len(piece)
    found: bytes = digest.digest()
    return found


def is_object(fd: int, object_id: bytes, size: int, algorithm: str) -> bool:
    """Whether an open file is the data object; `size` < 0: not known."""
    with suppress(OSError):
        if size < 0 or os.fstat(fd).st_size == size:
            return digest_of(fd, algorithm) == object_id
    return False
