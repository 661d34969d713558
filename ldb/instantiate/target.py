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
from ldb.storage import folders
from ldb.storage.folders import NEW, READ, Folder
from ldb.storage.folders import open_folder as open_named
from ldb.storage.windowsnames import windows_objection

WORKSPACE = ".ldb_workspace"
MANIFEST = ".ldb_instantiated"
PARTIAL = ".ldb_instantiating"
"""Holds files that are not complete yet."""

LOCK = ".ldb_instantiating.lock"
"""Only there during a run, and only on systems that cannot lock a folder."""
OWN = frozenset({WORKSPACE, MANIFEST, PARTIAL, LOCK})

OPEN_FOLDERS = 64

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
        self._folders: OrderedDict[str, Folder] = OrderedDict()
        self.root = open_named(folder)
        own = own or str(os.getpid())
        partial = self.root.enter(PARTIAL, True)
        try:
            # One for each worker: two that make files in one folder wait for each other.
            self.partial = partial.enter(own, True)
        finally:
            partial.close()
        self.temporary = own
        """Name in `partial` of the file that is being made."""

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *failed: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop an unfinished file and close all folders."""
        self.drop()
        for each in (*self._folders.values(), self.partial, self.root):
            each.close()
        self._folders.clear()

    # -- folders -----------------------------------------------------------------------

    def open_folder(self, path: str, make: bool = True) -> Folder:
        """A folder below the target; kept open, so not to be closed."""
        if not path:
            return self.root
        found = self._folders.get(path)
        if found is not None:
            self._folders.move_to_end(path)
            return found
        found = self._walk(path.split("/"), make)
        if len(self._folders) >= OPEN_FOLDERS:
            self._folders.popitem(last=False)[1].close()
        self._folders[path] = found
        return found

    def _walk(self, parts: list[str], make: bool) -> Folder:
        folder = self.root
        for part in parts:
            above = folder
            try:
                folder = above.enter(plain(part), make)
            finally:
                if above is not self.root:
                    above.close()
        return folder

    def remove_empty(self, path: str) -> None:
        """Remove a folder below the target, and those above it, as far as they are empty."""
        parts = path.split("/") if path else []
        while parts:
            gone = "/".join(parts)
            opened = self._folders.pop(gone, None)
            if opened is not None:
                opened.close()
            name = parts.pop()
            try:
                self.open_folder("/".join(parts), make=False).rmdir(name)
            except OSError:
                return

    # -- files -------------------------------------------------------------------------

    def new_file(self) -> int:
        """A new, empty temporary file, open for reading and writing."""
        try:
            return self.partial.open(self.temporary, NEW)
        except FileExistsError:
            self.partial.unlink(self.temporary)
            return self.partial.open(self.temporary, NEW)

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
            self.partial.unlink(self.temporary)

    def publish(self, folder: Folder, name: str, replace: bool) -> bool:
        """Give the temporary file its final name; False (and it stays) where that is taken.

        With `replace` whatever has the name is replaced: a link itself, not where it leads.
        """
        if replace:
            self.partial.replace(self.temporary, folder, name)
            return True
        try:
            self.partial.move_new(self.temporary, folder, name)
        except FileExistsError:
            return False
        return True


def open_regular(folder: Folder, name: str) -> int | None:
    """A regular file open for reading; None where the name is something else, or unreadable.

    Raises `FileNotFoundError`. Never follows a link and never waits for a pipe.
    """
    try:
        fd = folder.open(name, READ)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def plain(part: str) -> str:
    """`part` if it names an entry of the folder it is looked up in, else `Refused`."""
    if part in ("", ".", "..") or "/" in part or "\0" in part:
        raise Refused(f"{part!r} is no file name")
    if folders.WINDOWS_NAMES and (objection := windows_objection(part)):
        raise Refused(f"{part!r} {objection}")
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
    if not os.path.isabs(folder):
        raise BadInput(folder, "not an absolute path")
    real = os.path.realpath(folder)
    if forbidden and _inside(real, os.path.realpath(forbidden)):
        raise BadInput(folder, "lies inside the LDB instance itself", "name another folder: -t")
    with target_errors(folder):
        _make(folder)
        _check_content(folder, force)
        root = open_named(folder)
    try:
        _lock(root, folder)
        with target_errors(folder):
            _clear_partial(root)
        try:
            yield
        finally:
            with suppress(OSError):
                _clear_partial(root)
                root.rmdir(PARTIAL)
    finally:
        root.close()


def _inside(path: str, folder: str) -> bool:
    path, folder = os.path.normcase(path), os.path.normcase(folder)
    return path == folder or path.startswith(os.path.join(folder, ""))


def _make(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise BadInput(folder, "not a folder", "name another one: -t FOLDER") from None


def _check_content(folder: str, force: bool) -> None:
    names = set(os.listdir(folder))
    if not names or force or names & OWN:
        return
    raise BadInput(
        folder,
        "has other files in it and is not a workspace",
        "name an empty folder with -t, or write beside those files with -f",
    )


def _lock(root: Folder, folder: str) -> None:
    # Where the file system has no locks, names still never get half a file.
    with target_errors(folder):
        locked = root.try_lock(LOCK)
    if locked is False:
        raise Conflict(
            folder, "no other run", "another `ldb instantiate` writing there", "wait for it to end"
        )


def _clear_partial(root: Folder) -> None:
    """Remove what a killed run left behind."""
    try:
        partial = root.enter(PARTIAL, False)
    except FileNotFoundError:
        return
    try:
        _empty(partial)
    finally:
        partial.close()


def _empty(folder: Folder) -> None:
    """Remove all in an open folder; links themselves, not what they lead to."""
    for name in folder.names():
        try:
            below = folder.enter(name, False)
        except OSError:  # no folder
            with suppress(FileNotFoundError):
                folder.unlink(name)
            continue
        try:
            _empty(below)
        finally:
            below.close()
        with suppress(OSError):  # a worker of a killed run may still be at its last file
            folder.rmdir(name)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however many calls it takes."""
    written = os.write(fd, data)
    if written < len(data):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]
