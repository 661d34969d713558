"""The list of files that instantiate runs made in a folder: `.ldb_instantiated`.

A journal: each run appends a line for every file *before* it is written, and at last `end`;
so a file that LDB made is listed even after a kill. Only listed files are ever replaced or
removed. Format: docs/formats/pairs.md. The file may come from anywhere: what it says is
checked where it is used (`target.split`), and lines that mean nothing are ignored.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from ldb.errors import StoreFailed
from ldb.ids import is_hex
from ldb.instantiate.annotation import payload_of, read_text
from ldb.instantiate.model import Entry
from ldb.instantiate.source import is_object
from ldb.instantiate.target import (
    MANIFEST,
    OWN,
    Target,
    open_regular,
    target_errors,
    write_all,
)
from ldb.objects.model import BlobType, oid_of
from ldb.storage.folders import Folder, open_folder
from ldb.system import NONBLOCK, appending

HEADER = "ldb-instantiated 1"

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | NONBLOCK


@dataclass(slots=True)
class Listed:
    """What a manifest says."""

    entries: dict[str, Entry] = field(default_factory=dict)
    """Path below the folder → what was written there."""
    unfinished: set[str] = field(default_factory=set)
    """Listed by a run that did not end: perhaps never written."""


def parse(text: str) -> Listed:
    """Read a manifest; a torn or foreign line lists nothing, a foreign file is `StoreFailed`."""
    listed = Listed()
    lines = text.split("\n")
    if text and lines[0] != HEADER:
        raise StoreFailed(MANIFEST, "is not a list that LDB made", "move it out of the folder")
    for line in lines[1:-1]:  # what follows the last newline was cut off
        mark, _, rest = line.partition(" ")
        if line == "end":
            listed.unfinished.clear()
        elif mark == "-":
            listed.entries.pop(rest, None)
            listed.unfinished.discard(rest)
        elif (mark == "+" and (found := _entry(rest))) or (
            mark == "*" and (found := _label_entry(rest))
        ):
            path, entry = found
            if listed.entries.get(path) != entry:
                listed.entries[path] = entry
                listed.unfinished.add(path)
    return listed


def _entry(rest: str) -> tuple[str, Entry] | None:
    object_id, _, rest = rest.partition(" ")
    annotation, _, path = rest.partition(" ")
    if len(object_id) not in (32, 64) or not is_hex(object_id) or not path:
        return None
    if annotation == "-":
        return path, Entry(bytes.fromhex(object_id))
    if len(annotation) != 64 or not is_hex(annotation):
        return None
    return path, Entry(bytes.fromhex(object_id), bytes.fromhex(annotation))


def _label_entry(rest: str) -> tuple[str, Entry] | None:
    digest, _, path = rest.partition(" ")
    if len(digest) != 64 or not is_hex(digest) or not path:
        return None
    return path, Entry(bytes.fromhex(digest), is_label=True)


def is_entry(fd: int, entry: Entry, algorithm: str) -> bool:
    """Whether an open file holds what the manifest says was written there."""
    if entry.is_label:
        return is_object(fd, entry.object_id, -1, "sha256")
    if not entry.annotation:
        return is_object(fd, entry.object_id, -1, algorithm)
    payload = payload_of(read_text(fd))
    return payload is not None and oid_of(BlobType.ANNOTATION, payload) == entry.annotation


def line_of(path: str, entry: Entry) -> str:
    """The line that lists a file."""
    if entry.is_label:
        return f"* {entry.object_id.hex()} {path}\n"
    return f"+ {entry.object_id.hex()} {entry.annotation.hex() or '-'} {path}\n"


def _load(root: Folder) -> tuple[Listed, bool]:
    """The manifest of an open folder, empty where there is none; whether its end is whole."""
    with suppress(FileNotFoundError):
        fd = open_regular(root, MANIFEST)
        if fd is None:
            raise StoreFailed(MANIFEST, "is not a plain file")
        with open(fd, encoding="utf-8", errors="replace", newline="\n") as file:
            text = file.read()
        return parse(text), text.endswith("\n")
    return Listed(), True


def open_to_append(root: Folder) -> int:
    """The manifest of an open folder, made where it is missing; never through a link."""
    return root.open(MANIFEST, _APPEND)


def append(fd: int, data: bytes) -> None:
    """Add lines to the manifest, which those of other processes do not mix with."""
    with appending(fd):
        write_all(fd, data)


class Journal:
    """A folder's manifest over one run: workers append to it what they list meanwhile."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._path = os.path.join(target.folder, MANIFEST)
        self._gone: set[str] = set()
        with target_errors(self._path):
            self.listed, whole = _load(target.root)
            self.has_files = bool({*target.root.names()} - OWN)
            self._fd = open_to_append(target.root)
            self._size = os.fstat(self._fd).st_size
            if not self._size:
                append(self._fd, f"{HEADER}\n".encode())
            elif not whole:
                append(self._fd, b"\n")  # ends the line that a killed run left torn
        self.remaining = dict(self.listed.entries)
        """Files of earlier runs that this one has not planned."""

    def close(self) -> None:
        """Leave the journal as it is; without `finish` the run counts as not ended."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def planned(self, paths: list[str]) -> None:
        """Workers will have written these, or left them as they should be."""
        for path in paths:
            self.remaining.pop(path, None)

    def was_written(self, path: str, fd: int, algorithm: str) -> bool:
        """Whether a file of an earlier run is sure to be LDB's."""
        entry = self.listed.entries[path]
        return path not in self.listed.unfinished or is_entry(fd, entry, algorithm)

    def forget(self, path: str) -> None:
        """A listed file is gone."""
        self._gone.add(path)

    def finish(self) -> None:
        """Mark the run as ended; where there were runs before, write the list anew."""
        with target_errors(self._path):
            same = os.fstat(self._fd).st_size == self._size
            if same and not self._gone and not self.listed.unfinished:
                return
            append(self._fd, b"end\n")
            if self.listed.entries:
                self.close()  # Windows replaces no file that is open
                self._rewrite()

    def _rewrite(self) -> None:
        entries, _ = _load(self._target.root)
        for path in self._gone:
            entries.entries.pop(path, None)
        fd = self._target.new_file()
        try:
            for piece in _all_lines(entries):
                write_all(fd, piece.encode())
        finally:
            os.close(fd)
        self._target.publish(self._target.root, MANIFEST, replace=True)


def _all_lines(listed: Listed) -> Iterator[str]:
    yield f"{HEADER}\n"
    entries = iter(listed.entries.items())
    while some := list(itertools.islice(entries, 10_000)):
        yield "".join(line_of(path, entry) for path, entry in some)
    yield "end\n"


def listed_files(folder: str) -> Listed:
    """What runs listed in a folder; nothing where there were none."""
    try:
        root = open_folder(folder)
    except (FileNotFoundError, NotADirectoryError):
        return Listed()
    try:
        return _load(root)[0]
    finally:
        root.close()


def instantiated_files(folder: str) -> dict[str, Entry]:
    """The files that runs made in a folder, by path below it."""
    return listed_files(folder).entries
