"""An instance inside a tar file, read where it lies: nothing is ever unpacked.

Read only. The headers are read once, by rules as narrow as the writer's: regular files,
plain names, sizes that lie inside the file. Format: docs/formats/export.md.
"""

from __future__ import annotations

import builtins
import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ldb.backends.base import Buffer, Entry, Outcome, Range, check_key
from ldb.backends.files import open_to_read, refuse_special, store_errors
from ldb.errors import BadName, Corrupt, NotFound, StoreFailed
from ldb.system import read_at

BLOCK = 512
INSIDE = "instance/"
DATA = "data/"
MAX_MEMBERS = 100_000
"""Files of the instance."""
MAX_PAX = 4096
_DATA_NAME = re.compile(r"data/[0-9a-f]{32}(?:[0-9a-f]{32})?(?:\.(?!json$)[a-z0-9]{1,16})?")
_PAX = re.compile(rb"(\d{1,4}) (path|size)=([^\n]*)\n")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive."""

    name: str
    offset: int
    size: int


class Archive:
    """An open tar file: its members, and the bytes of each."""

    def __init__(self, path: str) -> None:
        self.path = path
        with store_errors(path):
            self._file = open(open_to_read(path), "rb")  # noqa: SIM115  (closed by `close`)
        try:
            found = os.fstat(self._file.fileno())
            refuse_special(path, found)
        except BaseException:
            self._file.close()
            raise
        self.size = found.st_size

    def close(self) -> None:
        self._file.close()

    def read(self, start: int, size: int) -> bytes:
        """Bytes from a place in the file; fewer where it ends."""
        with store_errors(self.path):
            return read_at(self._file.fileno(), size, start)

    def members(self) -> Iterator[Member]:
        """Every member in its order; raises `Corrupt` at what may not be there."""
        at, long_name, long_size = 0, "", -1
        while True:
            header = self.read(at, BLOCK)
            if header == bytes(BLOCK):
                return
            name, size, kind = self._header(header, at)
            at += BLOCK
            if kind == b"x":
                long_name, long_size = self._pax(at, size)
            elif kind in (b"0", b"\0"):
                member = Member(long_name or name, at, size if long_size < 0 else long_size)
                size, long_name, long_size = member.size, "", -1
                if at + size > self.size:
                    raise self._bad(f"{member.name} runs past the end of the file")
                yield member
            else:
                raise self._bad(f"{name} is no plain file")
            at += -(-size // BLOCK) * BLOCK

    def _header(self, header: bytes, at: int) -> tuple[str, int, bytes]:
        if len(header) < BLOCK:
            raise self._bad("it ends before its end mark")
        sum_of = sum(header) - sum(header[148:156]) + 8 * 32
        try:
            if int(header[148:156].rstrip(b"\0 ") or b"x", 8) != sum_of:
                raise ValueError
            size = int(header[124:136].rstrip(b"\0 ") or b"0", 8)
            name = header[:100].split(b"\0")[0].decode("ascii")
            prefix = header[345:500].split(b"\0")[0].decode("ascii")
        except ValueError:
            raise self._bad(f"no header of a file at byte {at}") from None
        if header[257:263] != b"ustar\0" or size < 0:
            raise self._bad(f"no header of a file at byte {at}")
        return (f"{prefix}/{name}" if prefix else name), size, header[156:157]

    def _pax(self, at: int, size: int) -> tuple[str, int]:
        """Name and size out of an extended header; empty and -1 where it has none."""
        if size > MAX_PAX:
            raise self._bad("an extended header that is too long")
        data, name, number = self.read(at, size), "", -1
        while data:
            found = _PAX.match(data)
            if found is None or int(found[1]) != found.end():
                raise self._bad("an extended header of another kind")
            if found[2] == b"path":
                name = found[3].decode("ascii", "replace")
            else:
                number = int(found[3]) if found[3].isdigit() and len(found[3]) < 20 else self.size
            data = data[found.end() :]
        return name, number

    def _bad(self, why: str) -> Corrupt:
        error = Corrupt(self.path, why)
        error.hint = "it is no export, or was cut short: export it once more"
        return error


class ArchiveBackend:
    """The part `instance/` of an export as a store. Keeps every promise of reading verbs."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.data: dict[str, Member] = {}
        """Members of `data/`, by name without the folder."""
        self._values: dict[str, Member] = {}
        for member in archive.members():
            self._place(member)
        self._keys = sorted(self._values)

    def _place(self, member: Member) -> None:
        if _DATA_NAME.fullmatch(member.name):
            where, name = self.data, member.name[len(DATA) :]
        elif member.name.startswith(INSIDE):
            where, name = self._values, member.name[len(INSIDE) :]
            try:
                check_key(name)
            except BadName:
                raise Corrupt(self._archive.path, f"{member.name!r} is no name") from None
            if len(self._values) >= MAX_MEMBERS:
                raise Corrupt(self._archive.path, f"more than {MAX_MEMBERS} files")
        else:
            raise Corrupt(self._archive.path, f"{member.name!r} does not belong in an export")
        if name in where:
            raise Corrupt(self._archive.path, f"{member.name} is there twice")
        where[name] = member

    @property
    def url(self) -> str:
        return f"{self._archive.path}!{INSIDE}"

    @property
    def far(self) -> bool:
        return False

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        check_key(key)
        member = self._values.get(key)
        if member is None:
            raise NotFound("key", key)
        end = member.size if stop is None else min(stop, member.size)
        return self._archive.read(member.offset + start, max(0, end - start))

    def read_many(self, ranges: Sequence[Range]) -> builtins.list[Buffer]:
        return [self.read(each.key, each.start, each.stop) for each in ranges]

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Entry]:
        at, found = bisect_right(self._keys, max(after, "")), 0
        for key in self._keys[at:]:
            if key.startswith(prefix):
                if limit is not None and found >= limit:
                    return
                found += 1
                yield Entry(key, self._values[key].size, 0.0)

    def folders(self, prefix: str) -> builtins.list[str]:
        below = (key[len(prefix) :] for key in self._keys if key.startswith(prefix))
        return sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def last_listed(self, prefix: str) -> None:
        return None

    def prefetch(self, ranges: Sequence[Range]) -> None:
        pass

    def forget(self, key: str) -> bool:
        return False

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        raise StoreFailed(self.url, "an export is only read")

    def delete(self, keys: Iterable[str]) -> None:
        raise StoreFailed(self.url, "an export is only read")


def is_data_name(name: str) -> bool:
    """Whether a data object may have this name in an export. Not as JSON, which might be taken
    for an annotation."""
    return _DATA_NAME.fullmatch(DATA + name) is not None
