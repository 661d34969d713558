"""Listing local folders: names, sizes and times, in the order of the index's keys.

A folder's own files come first, then its sub-folders one by one, each sorted by bytes.
Hidden entries are skipped. What cannot be listed is reported and the rest goes on.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

Report = Callable[[bytes, str], None]
"""Called with a path and what is wrong with it."""

Skip = frozenset[tuple[int, int]]
"""Folders by device and inode."""


@dataclass(slots=True)
class Folder:
    """The regular files right in one folder, sorted by name; three lists of one length."""

    path: bytes
    """Absolute, with a trailing slash."""
    names: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    mtimes: list[int] = field(default_factory=list)
    """Nanoseconds since 1970."""
    unread: list[bytes] = field(default_factory=list)
    """Names, in any order, of entries that are there but could not be looked at."""
    unlisted: bool = False
    """Whether the folder could not be listed, so that nothing is known of what lies below."""


class Walk:
    """Every folder below `root` (absolute), `root` first; those in `skip` are left out.

    Without `stats` all sizes and times are 0, and listing takes a third of the time.

    Symbolic links are followed; one that leads back to a folder above it is reported, those
    in `above` included.
    """

    def __init__(
        self,
        root: bytes,
        report: Report,
        skip: Skip = frozenset(),
        above: Skip = frozenset(),
        stats: bool = True,
    ) -> None:
        self._stack = [(root if root.endswith(b"/") else root + b"/", skip | above)]
        self._report = report
        self._skip = skip
        self._stats = stats

    def left(self) -> list[bytes]:
        """The folders that are still to be walked, in order, with a trailing slash."""
        return [path for path, _ in reversed(self._stack)]

    def __iter__(self) -> Iterator[Folder]:
        stack, report = self._stack, self._report
        while stack:
            path, above = stack.pop()
            try:
                here = identity(path)
            except OSError as error:
                report(path, f"cannot be listed: {error.strerror}")
                yield Folder(path, unlisted=True)
                continue
            if here in above:
                if here not in self._skip:
                    report(path, "is a symbolic link to a folder above it; skipped")
                continue
            folder, below = read_folder(path, report, self._stats)
            inside = above | {here}
            below.sort(key=lambda name: name + b"/", reverse=True)
            stack.extend((path + name + b"/", inside) for name in below)
            yield folder


def walk(
    root: bytes,
    report: Report,
    skip: Skip = frozenset(),
    above: Skip = frozenset(),
    stats: bool = True,
) -> Iterator[Folder]:
    """All folders of a `Walk`."""
    return iter(Walk(root, report, skip, above, stats))


def identity(path: bytes) -> tuple[int, int]:
    """Device and inode of a folder; raises `OSError`."""
    status = os.stat(path)
    return status.st_dev, status.st_ino or hash(path)  # 0: some file systems of Windows


def identities(paths: Iterable[bytes]) -> Skip:
    """Those of the folders that are there."""
    found = set()
    for path in paths:
        with contextlib.suppress(OSError):
            found.add(identity(path))
    return frozenset(found)


def read_folder(path: bytes, report: Report, stats: bool = True) -> tuple[Folder, list[bytes]]:
    """The files of one folder, sorted, and the names of its sub-folders, in any order."""
    states: dict[str, os.stat_result | None] = {}
    others: list[os.DirEntry[str]] = []
    unread: list[bytes] = []
    try:
        with _scan(path) as entries:
            for entry in entries:
                # The common case inline: this runs once a file even when nothing changed.
                try:
                    if entry.is_file():
                        states[entry.name] = entry.stat() if stats else None
                    else:
                        others.append(entry)
                except FileNotFoundError:
                    continue  # gone since the folder was listed
                except OSError as error:
                    unread.append(os.fsencode(entry.name))
                    report(path + unread[-1], f"cannot be read: {error.strerror}")
            below = _below(path, others, report)
    except OSError as error:
        report(path, f"cannot be listed: {error.strerror}")
        return Folder(path, unlisted=True), []
    listed = sorted(states)
    names = _encoded(listed)
    if names is None:
        listed.sort(key=os.fsencode)
        names = [os.fsencode(name) for name in listed]
    if stats:
        found = [state for name in listed if (state := states[name])]
        sizes = [state.st_size for state in found]
        mtimes = [state.st_mtime_ns for state in found]
    else:
        sizes = mtimes = [0] * len(names)
    fit = _fit_names(path, names, report)
    if len(fit) < len(names):
        chosen = set(fit)
        kept = [at for at, name in enumerate(names) if name in chosen]
        sizes, mtimes = [sizes[at] for at in kept], [mtimes[at] for at in kept]
    return Folder(path, fit, sizes, list(mtimes), unread), below


@contextlib.contextmanager
def _scan(path: bytes) -> Iterator[Iterator[os.DirEntry[str]]]:
    """The entries of a folder, to be used while it is open.

    By a handle where the system can: then no look at a file walks down from the root, which
    saves a sixth of the time of listing.
    """
    if os.scandir not in os.supports_fd:
        with os.scandir(os.fsdecode(path)) as entries:
            yield entries
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(handle) as entries:
            yield entries
    finally:
        os.close(handle)


def _encoded(names: list[str]) -> list[bytes] | None:
    """The names as bytes, if they are such that text sorts as its bytes do."""
    together = "/".join(names)
    if not together.isascii():
        return None
    return together.encode().split(b"/") if names else []


def _below(path: bytes, others: list[os.DirEntry[str]], report: Report) -> list[bytes]:
    """Names of the sub-folders among what is no regular file; the rest is reported."""
    below = []
    for entry in others:
        if entry.name.startswith("."):
            continue
        name = os.fsencode(entry.name)
        try:
            if entry.is_dir():
                below.append(name)
            elif entry.is_symlink():
                report(path + name, "is a symbolic link that leads nowhere")
            else:
                report(path + name, "is not a regular file; skipped")
        except OSError as error:
            report(path + name, f"cannot be read: {error.strerror}")
    return _fit_names(path, below, report)


def _fit_names(path: bytes, names: list[bytes], report: Report) -> list[bytes]:
    """The names that can be indexed; hidden ones are left out, the others reported."""
    together = b"/".join(names)
    hidden = together.startswith(b".") or b"/." in together
    if not hidden and together.isascii() and together.decode().isprintable():
        return names
    fit = []
    for name in names:
        objection = name_objection(name)
        if name.startswith(b"."):
            continue
        if objection:
            report(path + name, objection)
        else:
            fit.append(name)
    return fit


def name_objection(name: bytes) -> str:
    """Why a file of this name (or path) cannot be indexed; empty where it can."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return "has a name that is not UTF-8; rename it to index it"
    if not text.isprintable() and _CONTROL.search(text):
        return "has a control character in its name; rename it to index it"
    return ""


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Line breaks and what terminals obey; \\x01 has a meaning in the keys of the index."""
