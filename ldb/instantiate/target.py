"""The folder that is written to, and the promise that nothing outside of it is touched.

Every step is taken relative to an open folder and never through a symbolic link, so a link
that lies in the target, or is put there meanwhile, leads nowhere. A file gets its final name
only when it is complete; until then it lies in a folder of its own that is emptied at the
end of every run and at the start of the next. docs/design/006-instantiate.md has the reasons.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ldb.errors import BadInput, Conflict, LdbError, StoreFailed
from ldb.storage.folders import (
    CLOEXEC,
    FLAGS,
    FOLLOWED,
    NOFOLLOW,
    NONBLOCK,
    enter,
    require_handles,
)

try:
    import fcntl
except ImportError:  # Windows, where `require_handles` ends it
    fcntl = None  # type: ignore[assignment]

WORKSPACE = ".ldb_workspace"
MANIFEST = ".ldb_instantiated"
PARTIAL = ".ldb_instantiating"
"""Holds files that are not complete yet."""

OPEN_FOLDERS = 64

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | NOFOLLOW | CLOEXEC
_READ = os.O_RDONLY | NOFOLLOW | NONBLOCK | CLOEXEC

_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})
_ABOUT_THE_NAME = {
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.EINVAL: "this file system does not take the name",
    errno.EILSEQ: "this file system does not take the name",
    errno.EISDIR: "a folder of this name is in the way",
    errno.ENOTDIR: "a file or link is where a folder is needed",
    errno.ELOOP: "a symbolic link is where a folder is needed",
    errno.EEXIST: "something else is there",
}
_HINTS = {
    errno.ENOSPC: "free some space there, then run it again: it goes on where it stopped",
    errno.EDQUOT: "free some of your quota there, then run it again: it goes on where it stopped",
    errno.EROFS: "it is mounted read-only",
    errno.EACCES: "ask its owner for the right to do this",
}


class Refused(LdbError):
    """One name cannot be written; others can."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@contextmanager
def target_errors(path: str) -> Iterator[None]:
    """The system's refusals as `StoreFailed`: the whole run has to stop."""
    try:
        yield
    except OSError as error:
        raise failure(path, error) from error


def failure(path: str, error: OSError) -> StoreFailed:
    """What to raise where `path` cannot be written for a reason that others share."""
    why = error.strerror or type(error).__name__
    return StoreFailed(path, why, _HINTS.get(error.errno or 0, ""))


def refusal(error: OSError) -> str:
    """Why just this name cannot be written; empty where the reason is not the name."""
    return _ABOUT_THE_NAME.get(error.errno or 0, "")


class Target:
    """An open target folder, used by one process; `close` it, or use it in a `with`."""

    def __init__(self, folder: str, own: str = "") -> None:
        """`own` names this process among all that write there; empty: by its id."""
        self.folder = folder
        self._folders: OrderedDict[str, int] = OrderedDict()
        self.root = os.open(folder, FOLLOWED)
        own = own or str(os.getpid())
        partial = enter(self.root, PARTIAL, True)
        try:
            # One for each worker: two that make files in one folder wait for each other.
            self.partial = enter(partial, own, True)
        finally:
            os.close(partial)
        self.temporary = own
        """Name in `partial` of the file that is being made."""

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *failed: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop an unfinished file and close all folders."""
        self.drop()
        for fd in (*self._folders.values(), self.partial, self.root):
            os.close(fd)
        self._folders.clear()

    # -- folders -----------------------------------------------------------------------

    def open_folder(self, path: str, make: bool = True) -> int:
        """Descriptor of a folder below the target; kept open, so not to be closed."""
        if not path:
            return self.root
        fd = self._folders.get(path)
        if fd is not None:
            self._folders.move_to_end(path)
            return fd
        fd = self._walk(path.split("/"), make)
        if len(self._folders) >= OPEN_FOLDERS:
            os.close(self._folders.popitem(last=False)[1])
        self._folders[path] = fd
        return fd

    def _walk(self, parts: list[str], make: bool) -> int:
        fd = self.root
        for part in parts:
            above, fd = fd, -1
            try:
                fd = enter(above, plain(part), make)
            finally:
                if above != self.root:
                    os.close(above)
        return fd

    def remove_empty(self, path: str) -> None:
        """Remove a folder below the target, and those above it, as far as they are empty."""
        parts = path.split("/") if path else []
        while parts:
            gone = "/".join(parts)
            fd = self._folders.pop(gone, None)
            if fd is not None:
                os.close(fd)
            name = parts.pop()
            try:
                os.rmdir(name, dir_fd=self.open_folder("/".join(parts), make=False))
            except OSError:
                return

    # -- files -------------------------------------------------------------------------

    def new_file(self) -> int:
        """A new, empty temporary file, open for reading and writing."""
        try:
            return os.open(self.temporary, _NEW, 0o666, dir_fd=self.partial)
        except FileExistsError:
            os.unlink(self.temporary, dir_fd=self.partial)
            return os.open(self.temporary, _NEW, 0o666, dir_fd=self.partial)

    def make(self, data: bytes) -> None:
        """Make the temporary file, with this content."""
        fd = self.new_file()
        try:
            write_all(fd, data)
        finally:
            os.close(fd)

    def drop(self) -> None:
        """Remove the temporary file if there is one."""
        with suppress(FileNotFoundError):
            os.unlink(self.temporary, dir_fd=self.partial)

    def publish(self, folder: int, name: str, replace: bool) -> bool:
        """Give the temporary file its final name; False (and it stays) where that is taken.

        With `replace` whatever has the name is replaced: a link itself, not where it leads.
        """
        if replace:
            os.rename(self.temporary, name, src_dir_fd=self.partial, dst_dir_fd=folder)
            return True
        try:
            os.link(self.temporary, name, src_dir_fd=self.partial, dst_dir_fd=folder)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._publish_without_links(folder, name)
        os.unlink(self.temporary, dir_fd=self.partial)
        return True

    def _publish_without_links(self, folder: int, name: str) -> bool:
        # FAT and some network mounts. Only a file made here by somebody else within these
        # microseconds could be replaced; another run is kept out by the lock.
        if exists(folder, name):
            return False
        os.rename(self.temporary, name, src_dir_fd=self.partial, dst_dir_fd=folder)
        return True


def open_regular(folder: int, name: str) -> int | None:
    """A regular file open for reading; None where the name is something else, or unreadable.

    Raises `FileNotFoundError`. Never follows a link and never waits for a pipe.
    """
    try:
        fd = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def exists(folder: int, name: str) -> bool:
    """Whether anything, be it a dangling link, has this name."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def plain(part: str) -> str:
    """`part` if it names an entry of the folder it is looked up in, else `Refused`."""
    if part in ("", ".", "..") or "/" in part or "\0" in part:
        raise Refused(f"{part!r} is no file name")
    return part


def split(path: str) -> tuple[str, str]:
    """Folder and name of a path below the target; `Refused` where it could lead outside."""
    for part in path.split("/"):
        plain(part)
    folder, _, name = path.rpartition("/")
    return folder, name


@contextmanager
def prepared(folder: str, force: bool, forbidden: str) -> Iterator[None]:
    """The target folder exists, may be written to, and is this run's alone.

    Raises `BadInput` for a folder with other files (unless `force`), and for one inside
    `forbidden` (the instance's own folder); `Conflict` while another run writes there.
    """
    require_handles()
    if not os.path.isabs(folder):
        raise BadInput(folder, "not an absolute path")
    real = os.path.realpath(folder)
    if forbidden and _inside(real, os.path.realpath(forbidden)):
        raise BadInput(folder, "lies inside the LDB instance itself", "name another folder: -t")
    with target_errors(folder):
        _make(folder)
        _check_content(folder, force)
        root = os.open(folder, FOLLOWED)
    try:
        _lock(root, folder)
        with target_errors(folder):
            _clear_partial(root)
        try:
            yield
        finally:
            with suppress(OSError):
                _clear_partial(root)
                os.rmdir(PARTIAL, dir_fd=root)
    finally:
        os.close(root)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _make(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise BadInput(folder, "not a folder", "name another one: -t FOLDER") from None


def _check_content(folder: str, force: bool) -> None:
    names = set(os.listdir(folder))
    if not names or force or names & {WORKSPACE, MANIFEST, PARTIAL}:
        return
    raise BadInput(
        folder,
        "has other files in it and is not a workspace",
        "name an empty folder with -t, or write beside those files with -f",
    )


def _lock(root: int, folder: str) -> None:
    try:
        fcntl.flock(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(
            folder, "no other run", "another `ldb instantiate` writing there", "wait for it to end"
        ) from None
    except OSError:
        pass  # a file system without locks: names still never get half a file


def _clear_partial(root: int) -> None:
    """Remove what a killed run left behind."""
    try:
        partial = os.open(PARTIAL, FLAGS, dir_fd=root)
    except FileNotFoundError:
        return
    try:
        _empty(partial)
    finally:
        os.close(partial)


def _empty(folder: int) -> None:
    """Remove all in an open folder; links themselves, not what they lead to."""
    for name in os.listdir(folder):
        try:
            below = os.open(name, FLAGS, dir_fd=folder)
        except OSError:  # no folder
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            continue
        try:
            _empty(below)
        finally:
            os.close(below)
        with suppress(OSError):  # a worker of a killed run may still be at its last file
            os.rmdir(name, dir_fd=folder)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however many calls it takes."""
    written = os.write(fd, data)
    if written < len(data):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]
