"""Listing local folders: names, sizes and times, in the order of the index's keys.

A folder's own files come first, then its sub-folders one by one, each sorted by bytes.
Hidden entries are skipped. What cannot be listed is reported and the rest goes on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Report = Callable[[bytes, str], None]
"""Called with a path and what is wrong with it."""


@dataclass(slots=True)
class Folder:
    """The regular files right in one folder, sorted by name; three lists of one length."""

    path: bytes
    """Absolute, with a trailing slash."""
    names: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    mtimes: list[int] = field(default_factory=list)
    """Nanoseconds since 1970."""
    unlisted: bool = False
    """Whether the folder could not be listed, so that nothing is known of what lies below."""


def walk(
    root: bytes, report: Report, skip: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[Folder]:
    """Every folder below `root` (absolute), `root` first; `skip` holds (device, inode) pairs.

    Symbolic links are followed; one that leads back to a folder above it is reported.
    """
    stack = [(os.path.join(root, b""), frozenset(skip))]
    while stack:
        path, above = stack.pop()
        try:
            here = _identity(path)
        except OSError as error:
            report(path, f"cannot be listed: {error.strerror}")
            yield Folder(path, unlisted=True)
            continue
        if here in above:
            if here not in skip:
                report(path, "is a symbolic link to a folder above it; skipped")
            continue
        folder, below = read_folder(path, report)
        yield folder
        inside = above | {here}
        below.sort(key=lambda name: name + b"/", reverse=True)
        stack.extend((path + name + b"/", inside) for name in below)


def _identity(path: bytes) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def read_folder(path: bytes, report: Report) -> tuple[Folder, list[bytes]]:
    """The files of one folder, sorted, and the names of its sub-folders, in any order."""
    found: list[tuple[bytes, int, int]] = []
    below: list[bytes] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                _sort_in(entry, found, below, report)
    except OSError as error:
        report(path, f"cannot be listed: {error.strerror}")
        return Folder(path, unlisted=True), []
    found.sort()
    folder = Folder(path)
    if found:
        names, sizes, mtimes = zip(*found)
        folder = Folder(path, list(names), list(sizes), list(mtimes))
    return folder, below


def _sort_in(
    entry: os.DirEntry[bytes],
    found: list[tuple[bytes, int, int]],
    below: list[bytes],
    report: Report,
) -> None:
    name = entry.name
    if name.startswith(b"."):
        return
    objection = "" if name.isascii() and name.isalnum() else name_objection(name)
    if objection:
        report(entry.path, objection)
        return
    try:
        if entry.is_dir():
            below.append(name)
            return
        status = entry.stat()
    except OSError as error:
        report(entry.path, f"cannot be read: {error.strerror}")
        return
    if stat.S_ISREG(status.st_mode):
        found.append((name, status.st_size, status.st_mtime_ns))
    else:
        report(entry.path, "is not a regular file; skipped")


def name_objection(name: bytes) -> str:
    """Why a file of this name cannot be indexed; empty where it can."""
    if not name.isascii():
        try:
            text = name.decode("utf-8")
        except UnicodeDecodeError:
            return "has a name that is not UTF-8; rename it to index it"
        if text.isprintable():
            return ""
        name = bytes(min(ord(char), 127) for char in text)
    if min(name) < 32:
        return "has a control character in its name; rename it to index it"
    return ""
