"""Listing what lies under a prefix of an object store, in the order of the index's keys.

Stores list keys in plain order; here a folder's own files come first, then its sub-folders,
as in a walk of local folders. The listing is sorted on disk, so memory does not grow with
it, and it is complete (or known not to be) before the first window of it is handed out.
Why: docs/design/013-cloud-locations.md.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from ldb.clouds.base import Stat
from ldb.errors import StoreFailed
from ldb.storage.listing import Report, name_objection
from ldb.storage.remote import key_of

RUN = 100_000
"""Entries sorted in memory at a time."""

WINDOW = 65_536
"""Names of one folder that are handed out together, at least where there are more."""

MERGED, LEAST_BLOCK, MOST_BLOCK = 32 << 20, 4096, 65_536
"""Bytes read of all runs together while they are merged, and bounds for each."""

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


def line_of(uri: bytes, stat: Stat) -> bytes:
    """An entry as `Sorted` keeps it; its URI has no control characters."""
    folder, slash, name = uri.rpartition(b"/")
    rest = f"\0{stat.size}\0{stat.modified}\0{stat.token}\0{(stat.md5 or b'').hex()}\0"
    return folder + slash + _MARK + name + f"{rest}{stat.version or ''}\n".encode()


class Sorted:
    """Entries of a listing, taken in any order and given back in the index's."""

    def __init__(self, run: int = RUN) -> None:
        self._run = run
        self._lines: list[bytes] = []
        self._file: BinaryIO | None = None
        self._ends: list[int] = []
        """Where each run in the file ends."""

    def add(self, uri: bytes, stat: Stat) -> None:
        """Take one entry."""
        self._lines.append(line_of(uri, stat))
        if len(self._lines) >= self._run:
            self._spill()

    def add_lines(self, lines: list[bytes]) -> None:
        """Take entries as `line_of` makes them."""
        self._lines += lines
        if len(self._lines) >= self._run:
            self._spill()

    def windows(self, size: int = WINDOW) -> Iterator[Window]:
        """All entries by folder, sorted; a folder comes in several windows if it is large."""
        self._lines.sort()
        lines = heapq.merge(*self._runs(), self._lines) if self._ends else iter(self._lines)
        entries = map(_parsed, lines)
        for folder, group in itertools.groupby(entries, key=lambda entry: entry[0]):
            yield from _windows(folder, group, size)

    def close(self) -> None:
        """Drop the temporary file."""
        if self._file is not None:
            self._file.close()
        self._file, self._lines, self._ends = None, [], []

    def _spill(self) -> None:
        self._lines.sort()
        with _temporary():
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
            self._file.writelines(self._lines)
            self._ends.append(self._file.tell())
        self._lines = []

    def _runs(self) -> list[Iterator[bytes]]:
        block = max(LEAST_BLOCK, min(MOST_BLOCK, MERGED // len(self._ends)))
        return [self._read(*run, block) for run in zip([0, *self._ends], self._ends)]

    def _read(self, at: int, end: int, block: int) -> Iterator[bytes]:
        """The lines of a run, so many bytes in memory at a time."""
        begun = b""
        while at < end:
            with _temporary():
                assert self._file is not None
                self._file.seek(at)
                data = self._file.read(min(block, end - at))
            at += len(data)
            *lines, begun = (begun + data).split(b"\n")
            for line in lines:
                yield line + b"\n"


@contextlib.contextmanager
def _temporary() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreFailed(tempfile.gettempdir(), error.strerror or str(error)) from None


def taken(
    stats: Iterable[Stat], folder: bytes, own: bytes, report: Report
) -> Iterator[tuple[bytes, Stat] | None]:
    """What of a listing can be indexed, after its URI; for each of the others None.

    `folder`: URI with a trailing slash, of what is listed. `own`: what the URIs of the instance's
    own objects begin with, or empty.
    """
    below, text = len(folder), folder.decode()
    bucket = text[: len(text) - len(key_of(text))]
    for stat in stats:
        name = bucket + stat.key
        try:
            uri = name.encode()
        except UnicodeEncodeError:
            objection = "has a name that is not UTF-8; rename it to index it"
            report(name.encode("utf-8", "surrogateescape"), objection)
            yield None
            continue
        if (own and uri.startswith(own)) or not fit(uri, uri[below:], stat.size, report):
            yield None
        else:
            yield uri, stat


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
