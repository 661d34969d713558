"""Reading and advancing refs on a backend.

Format and promises: docs/formats/refs.md. A ref file is created once and never changed;
advancing is creating the next number, and losing that race is a value (`Lost`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice

from ldb.backends.base import Backend, Buffer, Outcome, Range
from ldb.errors import BadName, Corrupt, LdbError, NotFound
from ldb.ids import Oid
from ldb.refs.name import INDEX, MAX_NUMBER, RefKind, RefName, dataset_ref, unquote

MAX_AUTHOR = 4096
"""Characters of an author's name that are kept."""
MAX_BODY = 64 * 1024
"""Bytes of a ref file that are read; one has a few hundred, and its author's name."""
TOGETHER = 64
"""Version files of a history that are read at a time."""
PAGE = 1000
"""Keys that a store far away gives with one answer."""


@dataclass(frozen=True, slots=True)
class Ref:
    """One version file of a ref; `target` is None for a tombstone."""

    name: RefName
    number: int
    target: Oid | None
    writer: str
    author: str
    time: str
    """UTC, ISO 8601 with milliseconds, by the writer's clock."""
    renamed: RefName | None = None
    """Of a tombstone: the name that the dataset has got instead."""

    def __str__(self) -> str:
        return f"{self.name}.v{self.number}"


@dataclass(frozen=True, slots=True)
class Advanced:
    """The ref now points where the caller wanted."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Lost:
    """Somebody else advanced the ref first; `head` is what they made of it."""

    head: Ref | None


class RefStore:
    """The refs of one instance."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def head(self, name: RefName) -> Ref | None:
        """The newest version file of `name`, tombstones included; None if there is none."""
        first = next(self._backend.list(name.prefix, limit=1), None)
        if first is None:
            return None
        number = _number_of(name, first.key)
        if number is None:  # a name that is no version
            number = next(self._numbers(name), None)
        return self._load(name, number) if number is not None else None

    def live(self, name: RefName) -> Ref:
        """The head of `name`; raises `NotFound` where there is none or it is deleted."""
        head = self.head(name)
        if head is None or head.target is None:
            raise NotFound("dataset" if name != INDEX else "index", name)
        return head

    def called_now(self, gone: Ref) -> RefName | None:
        """What a deleted dataset is called now; None where it was not renamed, or is gone there."""
        seen: set[RefName] = set()
        newest: Ref | None = gone
        while newest is not None and newest.target is None and newest.name not in seen:
            seen.add(newest.name)
            newest = self.head(newest.renamed) if newest.renamed else None
        return newest.name if newest is not None and newest.target is not None else None

    def get(self, name: RefName, number: int) -> Ref:
        """Version `number` of `name`, for ever the same; raises `NotFound`."""
        try:
            ref = self._load(name, number)
        except NotFound:
            raise NotFound("version", f"{name}.v{number}") from None
        if ref.target is None:
            raise NotFound("version", f"{name}.v{number} (the dataset was deleted here)")
        return ref

    def history(self, name: RefName) -> Iterator[Ref]:
        """Every version file of `name`, newest first, tombstones included: the reflog."""
        numbers = self._numbers(name)
        while some := list(islice(numbers, TOGETHER)):
            keys = [name.key(number) for number in some]
            ranges = [Range(key, 0, MAX_BODY + 1) for key in keys]
            for number, key, data in zip(some, keys, self._backend.read_many(ranges)):
                yield _bounded(name, number, data, key)

    def names(self, kind: RefKind) -> list[RefName]:
        """Every ref of a kind that has a version file, deleted ones included, sorted."""
        folders = self._backend.folders(f"refs/{kind.value}/")
        return sorted(name for folder in folders if (name := _name_of(kind, folder)))

    def heads(self, kind: RefKind) -> list[Ref]:
        """The newest version file of every ref of a kind, tombstones included, by name."""
        if not self._backend.far:
            return [ref for name in self.names(kind) if (ref := self.head(name)) is not None]
        found = sorted(self._listed_heads(kind))
        heads = []
        for at in range(0, len(found), TOGETHER):
            some = found[at : at + TOGETHER]
            ranges = [Range(name.key(number), 0, MAX_BODY + 1) for name, number in some]
            for (name, number), each, data in zip(some, ranges, self._backend.read_many(ranges)):
                heads.append(_bounded(name, number, data, each.key))
        return heads

    def _listed_heads(self, kind: RefKind) -> Iterator[tuple[RefName, int]]:
        """The same as names and numbers, in few requests: a page of keys has many datasets with
        few versions each, and what has more than that is skipped after its first."""
        prefix, after, last = f"refs/{kind.value}/", "", None
        while True:
            page = list(self._backend.list(prefix, after, PAGE))
            for entry in page:
                name = _name_of(kind, entry.key[len(prefix) :].partition("/")[0])
                if name and name != last and (number := _number_of(name, entry.key)) is not None:
                    last = name
                    yield name, number
            if len(page) < PAGE:
                return
            after = f"{last.prefix}~" if last and name == last else page[-1].key

    def advance(
        self,
        name: RefName,
        expected: Ref | None,
        target: Oid | None,
        author: str,
        renamed: RefName | None = None,
    ) -> Advanced | Lost:
        """Make `target` (None: a tombstone) the version after `expected`, if that is the head.

        Durable on return. The caller must have written every blob that `target` needs.
        """
        ref = Ref(
            name=name,
            number=expected.number + 1 if expected else 1,
            target=target,
            writer=secrets.token_hex(16),
            author=" ".join(author.split())[:MAX_AUTHOR],
            time=_now(),
            renamed=renamed,
        )
        if ref.number >= MAX_NUMBER:
            raise BadName(name, "has used up its version numbers")
        outcome = self._backend.create(name.key(ref.number), encode(ref))
        if outcome is Outcome.CREATED:
            return Advanced(ref)
        return Lost(self.head(name))

    def withdraw(self, ref: Ref) -> None:
        """Delete the file of a version of ours that lacks blobs. For `garbage/guard.py` only."""
        if self._load(ref.name, ref.number).writer == ref.writer:
            self._backend.delete([ref.name.key(ref.number)])

    def _numbers(self, name: RefName) -> Iterator[int]:
        for entry in self._backend.list(name.prefix):
            number = _number_of(name, entry.key)
            if number is not None:
                yield number

    def _load(self, name: RefName, number: int) -> Ref:
        key = name.key(number)
        return _bounded(name, number, self._backend.read(key, 0, MAX_BODY + 1), key)


def _bounded(name: RefName, number: int, data: Buffer, where: str) -> Ref:
    if len(data) > MAX_BODY:
        raise Corrupt(f"{name}.v{number}", f"{where}: more than {MAX_BODY} bytes")
    return decode(name, number, bytes(data), where)


def _name_of(kind: RefKind, folder: str) -> RefName | None:
    """The ref whose versions lie in a folder; None: it is none."""
    try:
        return RefName(kind, unquote(folder))
    except BadName:
        return None


def _number_of(name: RefName, key: str) -> int | None:
    """The version that a key below the ref's prefix is; None: it is none."""
    digits = key[len(name.prefix) :]
    return MAX_NUMBER - int(digits) if len(digits) == 10 and digits.isdecimal() else None


def encode(ref: Ref) -> bytes:
    """The body of a ref file."""
    target = str(ref.target) if ref.target is not None else "-"
    author = "".join(char if char.isprintable() else " " for char in ref.author)
    renamed = f"renamed {ref.renamed}\n" if ref.renamed else ""
    head = (
        f"ldb-ref 1\nkey {ref.name.key(ref.number)}\ncommit {target}\n"
        f"writer {ref.writer}\nauthor {author}\ntime {ref.time}\n{renamed}"
    ).encode("utf-8", "replace")
    return head + b"check %s\n" % hashlib.sha256(head).hexdigest().encode()


def decode(name: RefName, number: int, data: bytes, where: str) -> Ref:
    """Parse the body of a ref file; raises `Corrupt` naming `where`."""
    head, mark, check = data.rpartition(b"check ")
    if not mark or check != hashlib.sha256(head).hexdigest().encode() + b"\n":
        raise Corrupt(f"{name}.v{number}", where)
    try:
        first, *lines = head.decode("utf-8").splitlines()
        fields = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
        if first != "ldb-ref 1":
            raise ValueError(first)
        if fields["key"] != name.key(number):
            raise ValueError(f"the file of {fields['key']}, moved here")
        target = None if fields["commit"] == "-" else Oid.from_hex(fields["commit"])
        renamed = fields.get("renamed")
        return Ref(
            name,
            number,
            target,
            fields["writer"],
            fields["author"],
            fields["time"],
            dataset_ref(renamed.removeprefix("ds:")) if renamed else None,
        )
    except (ValueError, KeyError, LdbError) as error:
        raise Corrupt(f"{name}.v{number}", f"{where}: {error}") from None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
