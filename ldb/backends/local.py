"""A store in a folder: one plain file a value. Layout: docs/formats/instance.md.

A value is written whole to `<root>/tmp/`, flushed to the disk, and then gets its name in
one atomic step that fails when the name is taken (a hard link); so a reader sees all of
it or nothing, and a writer killed at any moment leaves at most a file in `tmp/` that no
listing shows. Folders are flushed too: after a power cut the name is still there.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from pathlib import Path

from ldb.backends.base import Buffer, Entry, Outcome, Range, check_key
from ldb.backends.files import (
    ABSENT,
    flush_folder,
    open_to_read,
    publish,
    read_range,
    refuse_special,
    replace,
    share,
    store_errors,
    write_durably,
)
from ldb.errors import BadInput, BadName, NotFound, StoreFailed
from ldb.system import WINDOWS, is_link

_TMP = "tmp"
_TMP_NAME = re.compile(r"[0-9a-f]{32}")


class LocalBackend:
    """The store in the folder `root` (an absolute path), made when first written to."""

    def __init__(self, root: str | Path) -> None:
        self._root = str(Path(root))
        if not os.path.isabs(self._root) or "\0" in self._root:
            raise BadInput(repr(str(root)), "not an absolute path")
        self._tmp = os.path.join(self._root, _TMP)
        # Folders found to be plain ones, and those whose own names are on the disk.
        self._plain: set[str] = set()
        self._durable: set[str] = set()

    @property
    def url(self) -> str:
        return self._root

    @property
    def far(self) -> bool:
        return False

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        with self._opened(key) as (fd, size):
            return read_range(fd, size, start, stop)

    def read_many(self, ranges: Sequence[Range]) -> list[Buffer]:
        found: list[Buffer] = []
        for key, wanted in groupby(ranges, key=lambda one: one.key):
            with self._opened(key) as (fd, size):
                found.extend(read_range(fd, size, one.start, one.stop) for one in wanted)
        return found

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        target = self._path(key)
        folder = os.path.dirname(target)
        with store_errors(target):
            self._make_durable(folder)
            with self._temporary(data) as temporary:
                outcome = (replace if unconditional else publish)(temporary, target)
            # Also for EXISTS: the winner may not have come to this line yet, and our
            # caller goes on to write things that need the value.
            flush_folder(folder)
        return outcome

    def folders(self, prefix: str) -> list[str]:
        base = self._folder(prefix)
        with store_errors(os.path.join(self._root, base)):
            names = [name for name, _ in self._found(base) if name.endswith("/")]
            return sorted(name[:-1] for name in names if self._holds_values(base + name))

    def prefetch(self, ranges: Sequence[Range]) -> None:
        pass

    def forget(self, key: str) -> bool:
        return False

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self._path(key)
            with store_errors(path):
                try:
                    os.unlink(path)
                except OSError as error:
                    # What unlink says of a folder differs by system; no value is there.
                    if error.errno not in ABSENT and not os.path.isdir(path):
                        raise

    def last_listed(self, prefix: str) -> list[Entry] | None:
        return None

    def stale_temporaries(self, older_than: float) -> list[Path]:
        """Files of `tmp/` last written before `older_than` (seconds since 1970).

        Left by processes that were killed; nothing refers to them and they may be
        deleted. A slow writer whose file is deleted too early fails with `StoreFailed`.
        """
        stale = []
        self._check_plain(self._tmp)
        with store_errors(self._tmp), suppress(FileNotFoundError), os.scandir(self._tmp) as found:
            for entry in found:
                if _TMP_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        if entry.stat(follow_symlinks=False).st_mtime < older_than:
                            stale.append(Path(entry.path))
        return sorted(stale)

    def delete_temporaries(self, older_than: float) -> int:
        """Delete such files; how many there were."""
        stale = self.stale_temporaries(older_than)
        for path in stale:
            with store_errors(str(path)), suppress(FileNotFoundError):
                os.unlink(path)
        return len(stale)

    # -- names -------------------------------------------------------------------------

    def _path(self, key: str) -> str:
        """The file of `key`, every folder on the way to it below the root being plain."""
        check_key(key)
        first, *names = key.split("/")
        if first.lower() == _TMP:
            raise BadName(repr(key), f"'{_TMP}' is kept for temporary files")
        path = os.path.join(self._root, first)
        for name in names:
            if path not in self._plain:
                self._check_plain(path)
            path = os.path.join(path, name)
        return path

    def _folder(self, prefix: str) -> str:
        """The part of `prefix` up to its last `/`, checked as keys are."""
        folder = prefix.rpartition("/")[0]
        if not folder:
            return ""
        self._check_plain(self._path(folder))
        return folder + "/"

    def _check_plain(self, folder: str) -> None:
        """Refuse a link to elsewhere: nobody's instance leads us out of its root."""
        with store_errors(folder):
            try:
                found = os.lstat(folder)
            except OSError as error:
                if error.errno in ABSENT:
                    return
                raise
            if is_link(found):
                raise OSError(errno.ELOOP, "")
            if stat.S_ISDIR(found.st_mode):
                self._plain.add(folder)

    # -- reading -----------------------------------------------------------------------

    @contextmanager
    def _opened(self, key: str) -> Iterator[tuple[int, int]]:
        """Descriptor and size of the value at `key`."""
        path = self._path(key)
        with store_errors(path):
            try:
                fd = open_to_read(path)
            except OSError as error:
                if error.errno in ABSENT:
                    raise NotFound("key", key) from None
                raise
            try:
                found = os.fstat(fd)
                if stat.S_ISDIR(found.st_mode):
                    raise NotFound("key", key)
                refuse_special(path, found)
                yield fd, found.st_size
            finally:
                os.close(fd)

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[Entry]:
        with store_errors(os.path.join(self._root, folder)):
            # The `/` after folders puts `a-b` before what is in `a`: the order of keys.
            files = sorted(self._found(folder), key=lambda pair: pair[0])
        for name, file in files:
            key = folder + name
            if key.endswith("/"):
                wanted = key.startswith(prefix) or prefix.startswith(key)
                if wanted and (key > after or after.startswith(key)):
                    yield from self._walk(key, prefix, after)
            elif key > after and key.startswith(prefix):
                entry = _entry(key, file)
                if entry:
                    yield entry

    def _found(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Plain files, and folders with a `/` after their names.

        Names that are not storable are not ours and are passed over.
        """
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(os.path.join(self._root, folder)) as found,
        ):
            for entry in found:
                if not _is_key(folder + entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield entry.name + "/", entry
                elif entry.is_file(follow_symlinks=False):
                    yield entry.name, entry

    def _holds_values(self, folder: str) -> bool:
        """Whether a value is below; a killed `create` may leave a folder without any."""
        below = []
        for name, _ in self._found(folder):
            if not name.endswith("/"):
                return True
            below.append(folder + name)
        return any(self._holds_values(each) for each in below)

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Entry]:
        found = self._walk(self._folder(prefix), prefix, after)
        return found if limit is None else islice(found, limit)

    # -- writing -----------------------------------------------------------------------

    @contextmanager
    def _temporary(self, data: Buffer) -> Iterator[str]:
        """A file of `data` in `tmp/`, on the disk; its name there goes at the end."""
        self._check_plain(self._tmp)
        self._make_folder(self._tmp)
        path = os.path.join(self._tmp, os.urandom(16).hex())
        try:
            write_durably(path, data, self._open_to())
            yield path
        finally:
            with suppress(OSError):  # a second name in tmp/ harms nobody
                os.unlink(path)

    def _make_durable(self, folder: str) -> None:
        """Make `folder`, and see that its name and those above it are on the disk.

        Even where another process made it: that one may not have flushed it yet.
        """
        if folder in self._durable and os.path.isdir(folder):
            return
        self._make_folder(folder)
        above = folder
        while above != self._root:
            above = os.path.dirname(above)
            flush_folder(above)
        self._durable.add(folder)

    def _make_folder(self, folder: str) -> None:
        if os.path.isdir(folder):
            return
        parent = os.path.dirname(folder)
        if parent != folder:
            self._make_folder(parent)
        try:
            os.mkdir(folder)
        except FileExistsError:
            if not os.path.isdir(folder):
                raise StoreFailed(folder, "a file where a folder is needed") from None
            return
        if len(folder) > len(self._root):
            share(folder, self._open_to())
        else:
            flush_folder(parent)

    def _open_to(self) -> int:
        """Mode bits of the root folder: whoever may enter it may read all that is in it.

        Else one member's private umask locks the team out of what this member writes.
        """
        return stat.S_IMODE(os.stat(self._root).st_mode) & 0o777


def _is_key(key: str) -> bool:
    if key.lower() == _TMP:
        return False
    try:
        check_key(key)
    except BadName:
        return False
    return True


def _entry(key: str, file: os.DirEntry[str]) -> Entry | None:
    """None where the file has been deleted meanwhile.

    `stored` is the change time, which linking sets: a laptop may sleep for hours between
    writing and linking. On Windows that field holds the time of creation.
    """
    with store_errors(file.path), suppress(FileNotFoundError):
        found = file.stat(follow_symlinks=False)
        stored = found.st_mtime if WINDOWS else max(found.st_mtime, found.st_ctime)
        return Entry(key, found.st_size, stored)
    return None
