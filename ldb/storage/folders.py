"""Open folders, entered one step at a time and never through a link.

Whoever can write in a folder may put a link where another user is about to write; a path
given whole to the system would be followed to wherever that leads. Where the system opens
files relative to an open folder (Linux, macOS) a link can never be followed. Elsewhere every
step is looked at before it is taken, which leaves a moment in between: docs/security.md.
Which way is which: docs/design/030-windows-and-macos.md.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from ldb.storage.windowsnames import windows_objection
from ldb.system import (
    BINARY,
    CLOEXEC,
    NOFOLLOW,
    NONBLOCK,
    WINDOWS,
    is_link,
    same_file,
    try_lock,
)

BY_HANDLE = os.open in os.supports_dir_fd
"""Whether this system opens files relative to an open folder."""

WINDOWS_NAMES = WINDOWS
"""Whether names have to be such that Windows takes them for what they are."""

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
READ = os.O_RDONLY | NONBLOCK

_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | CLOEXEC
_ALWAYS = NOFOLLOW | CLOEXEC | BINARY


class Folder:
    """An open folder; to be closed. Names are single ones; every method raises `OSError`.

    No method follows a link that has the given name.
    """

    __slots__ = ("fd",)

    fd: int
    """Descriptor; -1 where the system has none for folders."""

    def enter(self, name: str, make: bool) -> Folder:
        """The folder of this name, made where it is missing and `make`."""
        raise NotImplementedError

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """A descriptor of a file."""
        raise NotImplementedError

    def stat(self, name: str) -> os.stat_result:
        """What has this name, a link itself included."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """All that is in the folder."""
        raise NotImplementedError

    def unlink(self, name: str) -> None:
        """Remove a file, or a link itself."""
        raise NotImplementedError

    def rmdir(self, name: str) -> None:
        """Remove an empty folder."""
        raise NotImplementedError

    def replace(self, name: str, into: Folder, new: str) -> None:
        """Give a file a name in an open folder, in the place of whatever has it."""
        raise NotImplementedError

    def link(self, name: str, into: Folder, new: str) -> None:
        """Give a file a second name in an open folder; `FileExistsError` where that is taken."""
        raise NotImplementedError

    def move_new(self, name: str, into: Folder, new: str) -> None:
        """Give a file another name; `FileExistsError` where that is taken."""
        try:
            self.link(name, into, new)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # FAT and some network mounts. Only what others make here within these
            # microseconds could be replaced.
            if into.has(new):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from None
            self.replace(name, into, new)
            return
        self.unlink(name)

    def has(self, name: str) -> bool:
        """Whether anything, be it a dangling link, has this name."""
        try:
            self.stat(name)
        except FileNotFoundError:
            return False
        return True

    def adopt(self, path: str | bytes, new: str) -> None:
        """Give the file at a path a second name here."""
        raise NotImplementedError

    def try_lock(self, name: str) -> bool | None:
        """Lock the folder until it is closed; False where somebody has, None where that cannot
        be. `name`: of a file that is made, locked and removed where folders cannot be locked."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of it."""
        raise NotImplementedError


def open_folder(path: str | bytes) -> Folder:
    """The folder that the user has named, which may be a link."""
    if BY_HANDLE:
        return HandleFolder(os.open(path, _DIRECTORY))
    return PathFolder(os.fsdecode(path))


class HandleFolder(Folder):
    """A folder by its descriptor."""

    __slots__ = ()

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def enter(self, name: str, make: bool) -> Folder:
        flags = _DIRECTORY | NOFOLLOW
        try:
            fd = os.open(name, flags, dir_fd=self.fd)
        except FileNotFoundError:
            if not make:
                raise
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=self.fd)
            fd = os.open(name, flags, dir_fd=self.fd)
        return HandleFolder(fd)

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        return os.open(name, flags | _ALWAYS, mode, dir_fd=self.fd)

    def stat(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def names(self) -> list[str]:
        return os.listdir(self.fd)

    def unlink(self, name: str) -> None:
        os.unlink(name, dir_fd=self.fd)

    def rmdir(self, name: str) -> None:
        os.rmdir(name, dir_fd=self.fd)

    def replace(self, name: str, into: Folder, new: str) -> None:
        os.replace(name, new, src_dir_fd=self.fd, dst_dir_fd=into.fd)

    def link(self, name: str, into: Folder, new: str) -> None:
        os.link(name, new, src_dir_fd=self.fd, dst_dir_fd=into.fd, follow_symlinks=False)

    def adopt(self, path: str | bytes, new: str) -> None:
        os.link(path, os.fsencode(new), dst_dir_fd=self.fd)

    def try_lock(self, name: str) -> bool | None:
        return try_lock(self.fd)

    def close(self) -> None:
        os.close(self.fd)


class PathFolder(Folder):
    """A folder by its path, with what it was when it was entered.

    Before each use every step from the first folder on is looked at again: it must still be that
    folder, and no link. Whoever puts a link there between that look and the use is followed.
    """

    __slots__ = ("_above", "_lock", "_was", "path")

    def __init__(self, path: str, above: PathFolder | None = None) -> None:
        self.fd = -1
        self.path = path if above else os.path.realpath(path)
        self._above = above
        self._lock: tuple[int, str] | None = None
        self._was = _looked_at_folder(self.path)

    def enter(self, name: str, make: bool) -> Folder:
        path = self._at(name)
        try:
            return PathFolder(path, self)
        except FileNotFoundError:
            if not make:
                raise
        with suppress(FileExistsError):
            os.mkdir(path)
        return PathFolder(path, self)

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        path = self._at(name)
        flags |= _ALWAYS
        if flags & os.O_EXCL:  # which follows nothing
            return os.open(path, flags, mode)
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            if not flags & os.O_CREAT:
                raise
            with suppress(FileExistsError):
                return os.open(path, flags | os.O_EXCL, mode)
            found = os.lstat(path)
        if is_link(found):
            raise _error(errno.ELOOP, path)
        if not stat.S_ISREG(found.st_mode):
            raise _error(errno.EISDIR, path)
        fd = os.open(path, flags, mode)
        if not same_file(found, os.fstat(fd)):
            os.close(fd)
            raise _error(errno.ELOOP, path)
        return fd

    def stat(self, name: str) -> os.stat_result:
        return os.lstat(self._at(name))

    def names(self) -> list[str]:
        self._look()
        return os.listdir(self.path)

    def unlink(self, name: str) -> None:
        os.unlink(self._at(name))

    def rmdir(self, name: str) -> None:
        path = self._at(name)
        if is_link(os.lstat(path)):  # Windows would remove a link to a folder
            raise _error(errno.ENOTDIR, path)
        os.rmdir(path)

    def replace(self, name: str, into: Folder, new: str) -> None:
        assert isinstance(into, PathFolder)
        os.replace(self._at(name), into._at(new))

    def link(self, name: str, into: Folder, new: str) -> None:
        assert isinstance(into, PathFolder)
        path = self._at(name)
        if is_link(os.lstat(path)):  # some systems would link to where it leads
            raise _error(errno.ELOOP, path)
        os.link(path, into._at(new))

    def move_new(self, name: str, into: Folder, new: str) -> None:
        if not WINDOWS:
            super().move_new(name, into, new)
            return
        # It refuses a name that is taken, and takes files that are read-only: a second name of
        # such a file could not be removed again.
        assert isinstance(into, PathFolder)
        os.rename(self._at(name), into._at(new))

    def adopt(self, path: str | bytes, new: str) -> None:
        os.link(os.fsdecode(path), self._at(new))

    def try_lock(self, name: str) -> bool | None:
        fd = self.open(name, os.O_RDWR | os.O_CREAT)
        locked = try_lock(fd)
        if locked is False:
            os.close(fd)
        else:
            self._lock = fd, name
        return locked

    def close(self) -> None:
        if self._lock is not None:
            (fd, name), self._lock = self._lock, None
            os.close(fd)
            with suppress(OSError):  # Windows keeps it for whoever has just opened it
                self.unlink(name)

    def _at(self, name: str) -> str:
        """The path of an entry, once the way to it has been looked at."""
        if name in ("", ".", "..") or os.path.basename(name) != name:
            raise _error(errno.EINVAL, name)
        if WINDOWS_NAMES and windows_objection(name):
            raise _error(errno.EINVAL, name)
        self._look()
        return os.path.join(self.path, name)

    def _look(self) -> None:
        if self._above is not None:
            self._above._look()
        if not same_file(_looked_at_folder(self.path), self._was):
            raise _error(errno.ELOOP, self.path)


def _looked_at_folder(path: str) -> os.stat_result:
    """What `lstat` says of a folder, which is no link."""
    found = os.lstat(path)
    if is_link(found):
        raise _error(errno.ELOOP, path)
    if not stat.S_ISDIR(found.st_mode):
        raise _error(errno.ENOTDIR, path)
    return found


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
