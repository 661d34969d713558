"""Condemned lists: names of packs and loose blobs that are about to be deleted.

What a listing says of them (`Lists`), and the value of one (`Condemned`). Format and rules:
docs/formats/garbage.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ldb.backends.base import Backend, Entry
from ldb.errors import Corrupt
from ldb.ids import Oid
from ldb.objects.packformat import PACKS, pack_key

FOLDER = f"{PACKS}-gc/"
"""Sorts before all packs: a listing shows what is condemned before what is there."""

DONE = b"\n"
"""What a `done` mark holds. It stays for ever, and of S3 obstore cannot list an empty object:
whoever wrote to the instance had to load s3fs."""

MAX_NAMES = 50_000
MAX_NUMBER = 9_999_999_999

_KEY = re.compile(re.escape(FOLDER) + r"(\d{10})\.(list|done|sweep-(\d{4}))")
_CLOCK = re.compile(re.escape(FOLDER) + r"clock-[0-9a-f]{32}")


def list_key(number: int) -> str:
    """Where list `number` is."""
    return f"{FOLDER}{number:010}.list"


def done_key(number: int) -> str:
    """What says that list `number` is finished."""
    return f"{FOLDER}{number:010}.done"


def claim_key(number: int, claim: int) -> str:
    """What says that a run is working on list `number`."""
    return f"{FOLDER}{number:010}.sweep-{claim:04}"


def is_garbage_key(key: str) -> bool:
    """Whether a key is one of these, or a probe of the clock."""
    return bool(_KEY.fullmatch(key) or _CLOCK.fullmatch(key))


def list_number(key: str) -> int | None:
    """The number of the list that a key names; None for any other key."""
    match = _KEY.fullmatch(key)
    return int(match[1]) if match and match[2] == "list" else None


@dataclass(frozen=True, slots=True)
class Lists:
    """What a listing of the folder shows; two are equal where nothing happened in between.

    Claims and probes change nothing for writers and are left out of the comparison.
    """

    lists: frozenset[int] = frozenset()
    done: frozenset[int] = frozenset()

    @property
    def active(self) -> tuple[int, ...]:
        """Numbers of the lists whose names are condemned, ascending."""
        return tuple(sorted(self.lists - self.done))

    @property
    def highest(self) -> int:
        """The highest number used; 0 for none."""
        return max(self.lists | self.done, default=0)


def lists_among(keys: Iterable[str]) -> Lists:
    """What these keys say; others are passed over."""
    found: dict[str, set[int]] = {"list": set(), "done": set()}
    for key in keys:
        match = _KEY.fullmatch(key)
        if match and match[2] in found:
            found[match[2]].add(int(match[1]))
    return Lists(frozenset(found["list"]), frozenset(found["done"]))


def read_lists(backend: Backend) -> Lists:
    """The lists as they are now: one request."""
    return lists_among(entry.key for entry in backend.list(FOLDER))


def claims_among(entries: Iterable[Entry]) -> dict[int, tuple[int, Entry]]:
    """The newest claim on each list: its number, and the entry."""
    found: dict[int, tuple[int, Entry]] = {}
    for entry in entries:
        match = _KEY.fullmatch(entry.key)
        if match and match[3]:
            found[int(match[1])] = int(match[3]), entry  # listed in their order
    return found


@dataclass(frozen=True, slots=True)
class Condemned:
    """Names on a list, or on several."""

    packs: frozenset[str] = frozenset()
    loose: frozenset[Oid] = frozenset()

    def __len__(self) -> int:
        return len(self.packs) + len(self.loose)

    def __or__(self, other: Condemned) -> Condemned:
        return Condemned(self.packs | other.packs, self.loose | other.loose)

    def __and__(self, other: Condemned) -> Condemned:
        return Condemned(self.packs & other.packs, self.loose & other.loose)

    def __sub__(self, other: Condemned) -> Condemned:
        return Condemned(self.packs - other.packs, self.loose - other.loose)

    @property
    def pack_keys(self) -> frozenset[str]:
        return frozenset(map(pack_key, self.packs))


def encode_list(number: int, names: Condemned) -> bytes:
    """The value of list `number`."""
    lines = ["ldb-condemned 1", f"key {list_key(number)}"]
    lines += [f"pack {name}" for name in sorted(names.packs)]
    lines += [f"loose {oid}" for oid in sorted(names.loose)]
    head = "".join(f"{line}\n" for line in lines).encode()
    return head + b"check %s\n" % hashlib.sha256(head).hexdigest().encode()


def decode_list(number: int, data: bytes) -> Condemned:
    """Parse a list; raises `Corrupt`."""
    key = list_key(number)
    head, mark, check = data.rpartition(b"check ")
    if not mark or check != hashlib.sha256(head).hexdigest().encode() + b"\n":
        raise Corrupt(key, "its checksum is of something else")
    first, where, *lines = head.decode("ascii", "replace").splitlines()
    if first != "ldb-condemned 1" or where != f"key {key}":
        raise Corrupt(key, "the list of another place, or of a later format")
    names = [line.partition(" ") for line in lines]
    packs = frozenset(name for kind, _, name in names if kind == "pack")
    loose = frozenset(Oid.from_hex(name) for kind, _, name in names if kind == "loose")
    return Condemned(packs, loose)


def read_condemned(backend: Backend, numbers: Iterable[int]) -> Condemned:
    """All names on these lists; raises `NotFound` where one has just been finished."""
    names = Condemned()
    for number in numbers:
        names |= decode_list(number, bytes(backend.read(list_key(number))))
    return names
