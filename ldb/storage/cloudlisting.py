"""Listing what lies under a prefix of an object store, in the order of the index's keys.

Stores list keys in plain order; here a folder's own files come first, then its sub-folders,
as in a walk of local folders. The listing is sorted on disk, so memory does not grow with
it, and it is complete (or known not to be) before the first window of it is handed out.
Why: docs/design/013-cloud-locations.md.
"""

from __future__ import annotations

import heapq
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from ldb.clouds.base import Stat
from ldb.errors import StoreFailed
from ldb.storage.listing import Report, name_objection

RUN = 100_000
"""Entries sorted in memory at a time."""

WINDOW = 65_536
"""Names of one folder that are handed out together, at least where there are more."""

MAX_NAME = 255
"""Bytes: what file systems take for one part of a path."""

MAX_URI = 4000
"""Bytes: what fits into a key of the index."""

_MARK = b"\x01"
"""Put before the file name, as in the keys of `paths`; no name can hold it."""


class Fact(NamedTuple):
    """What a listing tells of one object."""

    size: int
    mtime: int
    """Nanoseconds since 1970 by the store's clock."""
    token: str = ""
    md5: bytes = b""
    """Empty where the store does not vouch for one."""
    version: str = ""


@dataclass(slots=True)
class Window:
    """Some or all objects right in one folder, by name; two lists of one length."""

    folder: bytes
    """URI with a trailing slash."""
    names: list[bytes] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


class Sorted:
    """Entries of a listing, taken in any order and given back in the index's."""

    def __init__(self, run: int = RUN) -> None:
        self._run = run
        self._lines: list[bytes] = []
        self._files: list[BinaryIO] = []

    def add(self, uri: bytes, stat: Stat) -> None:
        """Take one entry; its URI has no control characters."""
        folder, slash, name = uri.rpartition(b"/")
        rest = f"\0{stat.size}\0{stat.modified}\0{stat.token}\0{(stat.md5 or b'').hex()}\0"
        self._lines.append(
            folder + slash + _MARK + name + f"{rest}{stat.version or ''}\n".encode()
        )  # fmt: skip
        if len(self._lines) >= self._run:
            self._spill()

    def windows(self, size: int = WINDOW) -> Iterator[Window]:
        """All entries by folder, sorted; a folder comes in several windows if it is large."""
        self._lines.sort()
        runs: list[Iterable[bytes]] = [*self._files, self._lines]
        lines = heapq.merge(*runs) if self._files else iter(self._lines)
        entries = map(_parsed, lines)
        for folder, group in itertools.groupby(entries, key=lambda entry: entry[0]):
            yield from _windows(folder, group, size)

    def close(self) -> None:
        """Drop the temporary files."""
        for file in self._files:
            file.close()
        self._files, self._lines = [], []

    def _spill(self) -> None:
        self._lines.sort()
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
            self._files.append(file)
            file.writelines(self._lines)
            file.seek(0)
        except OSError as error:
            raise StoreFailed(tempfile.gettempdir(), error.strerror or str(error)) from None
        self._lines = []


def _parsed(line: bytes) -> tuple[bytes, bytes, Fact]:
    path, size, mtime, token, md5, version = line[:-1].split(b"\0")
    folder, _, name = path.rpartition(_MARK)
    fact = Fact(
        int(size), int(mtime), token.decode(), bytes.fromhex(md5.decode()), version.decode()
    )
    return folder, name, fact


def _windows(
    folder: bytes, entries: Iterable[tuple[bytes, bytes, Fact]], size: int
) -> Iterator[Window]:
    window = Window(folder)
    stems: set[bytes] = set()
    for _, name, fact in entries:
        if len(window.names) >= size and not _torn(name, stems):
            yield window
            window, stems = Window(folder), set()
        window.names.append(name)
        window.facts.append(fact)
        stems.add(name.rpartition(b".")[0] or name)
    yield window


def _torn(name: bytes, stems: set[bytes]) -> bool:
    """Whether a cut before `name` may part names that share a stem.

    All names between two with one stem begin with that stem.
    """
    return any(name[:end] in stems for end in range(1, len(name) + 1))


def fit(uri: bytes, below: bytes, size: int, report: Report) -> bool:
    """Whether an object can be indexed; hidden ones are left out, others reported.

    `below`: the part of its URI that follows the folder which the user named.
    """
    parts = below.split(b"/")
    if not (parts[-1] or size):
        return False  # what consoles put where a folder is wanted
    if any(part.startswith(b".") and part not in (b".", b"..") for part in parts):
        return False  # hidden
    objection = _objection(uri, parts)
    if objection:
        report(uri, objection)
    return not objection


def _objection(uri: bytes, parts: list[bytes]) -> str:
    if not parts[-1]:
        return "has a name that ends in a slash; rename it to index it"
    if b"" in parts:
        return "has two slashes in a row in its name; rename it to index it"
    if b"." in parts or b".." in parts:
        return "has a part `.` or `..` in its name; rename it to index it"
    if max(map(len, parts)) > MAX_NAME or len(uri) > MAX_URI:
        return f"has a name that is too long, or a part of more than {MAX_NAME} bytes"
    return name_objection(uri)
