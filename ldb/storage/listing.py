"""Listing local folders: names, sizes and times, in the order of the index's keys.

A folder's own files come first, then its sub-folders one by one, each sorted by bytes.
Hidden entries are skipped. What cannot be listed is reported and the rest goes on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
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


def walk(
    root: bytes,
    report: Report,
    skip: Skip = frozenset(),
    above: Skip = frozenset(),
    stats: bool = True,
) -> Iterator[Folder]:
    """Every folder below `root` (absolute), `root` first; those in `skip` are left out.

    Without `stats` all sizes and times are 0, and listing takes a third of the time.

    Symbolic links are followed; one that leads back to a folder above it is reported, those
    in `above` included.
    """
    stack = [(os.path.join(root, b""), skip | above)]
    while stack:
        path, above = stack.pop()
        try:
            here = identity(path)
        except OSError as error:
            report(path, f"cannot be listed: {error.strerror}")
            yield Folder(path, unlisted=True)
            continue
        if here in above:
            if here not in skip:
                report(path, "is a symbolic link to a folder above it; skipped")
            continue
        folder, below = read_folder(path, report, stats)
        yield folder
        inside = above | {here}
        below.sort(key=lambda name: name + b"/", reverse=True)
        stack.extend((path + name + b"/", inside) for name in below)


def identity(path: bytes) -> tuple[int, int]:
    """Device and inode of a folder; raises `OSError`."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def read_folder(path: bytes, report: Report, stats: bool = True) -> tuple[Folder, list[bytes]]:
    """The files of one folder, sorted, and the names of its sub-folders, in any order."""
    states: dict[bytes, os.stat_result | None] = {}
    others: list[os.DirEntry[bytes]] = []
    unread: list[bytes] = []
    try:
        with os.scandir(path) as entries:
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
                    unread.append(entry.name)
                    report(entry.path, f"cannot be read: {error.strerror}")
    except OSError as error:
        report(path, f"cannot be listed: {error.strerror}")
        return Folder(path, unlisted=True), []
    names = _fit_names(path, sorted(states), report)
    found = [states[name] for name in names]
    sizes = [state.st_size if state else 0 for state in found]
    mtimes = [state.st_mtime_ns if state else 0 for state in found]
    return Folder(path, names, sizes, mtimes, unread), _below(path, others, report)


def _below(path: bytes, others: list[os.DirEntry[bytes]], report: Report) -> list[bytes]:
    """Names of the sub-folders among what is no regular file; the rest is reported."""
    below = []
    for entry in others:
        if entry.name.startswith(b"."):
            continue
        try:
            if entry.is_dir():
                below.append(entry.name)
            elif entry.is_symlink():
                report(entry.path, "is a symbolic link that leads nowhere")
            else:
                report(entry.path, "is not a regular file; skipped")
        except OSError as error:
            report(entry.path, f"cannot be read: {error.strerror}")
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
