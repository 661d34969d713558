"""Which blobs a store holds, of which type, sound or not, and which of them are used.

Oid tables stay where they are (mapped from the packs), so a blob costs some ten bytes here.
The tables of small packs are merged: an instance with thousands of commits is looked
through once, not pack by pack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.ids import Oid
from ldb.objects.loose import loose_key
from ldb.objects.model import TYPE_OF_CODE, BlobType
from ldb.objects.oidtable import Columns, Oids, build, columns, find, heads

MISSING = 0
DAMAGED = 255
"""Codes beside those of `BlobType`."""

MERGED_BELOW = 65536
"""Packs of fewer blobs share a shelf."""

Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Part:
    """The blobs of one file: `codes[i]` is the type of the blob in row i of its table."""

    name: str
    """The file's; of loose blobs, each in a file of its own, what goes before their keys."""
    loose: bool
    columns: Columns
    codes: Codes


class _Shelf:
    """The blobs of one large file or of several small ones, in the order of their oids."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        sizes = [len(part.codes) for part in parts]
        codes = np.concatenate([part.codes for part in parts])
        file = np.repeat(np.arange(len(parts), dtype=np.uint32), sizes)
        if len(parts) == 1:
            keys, rests = parts[0].columns.keys, parts[0].columns.rests
        else:
            oids = np.concatenate([part.columns.oids() for part in parts])
            table = columns(build(oids)[0], len(oids))
            keys, rests = table.keys, table.rests
            codes, file = codes[table.ordinals], file[table.ordinals]
        self.codes, self.file = codes, file
        self.used = np.zeros(len(codes), np.bool_)
        self.columns = Columns(keys, rests, np.arange(len(codes), dtype=np.uint32))

    def oids(self, rows: NDArray[np.int64]) -> Oids:
        return oids_in(self.columns, rows)

    def same_used(self) -> None:
        if len(self.parts) == 1 or not len(self.used):
            return  # no file has a blob twice
        keys, rests = self.columns.keys, self.columns.rests
        differs = (keys[1:] != keys[:-1]) | (rests[1:] != rests[:-1]).any(axis=1)
        first = np.concatenate(([True], differs))
        runs = np.logical_or.reduceat(self.used, np.flatnonzero(first))
        self.used = runs[np.cumsum(first) - 1]


def oids_in(table: Columns, rows: NDArray[np.int64]) -> Oids:
    """The oids in these rows of a table."""
    return Columns(table.keys[rows], table.rests[rows], table.ordinals[rows]).oids()


@dataclass(frozen=True, slots=True)
class Use:
    """The used blobs of one shelf, in the order of their oids."""

    parts: list[Part]
    table: Columns
    rows: NDArray[np.int64]
    """In the table."""
    file: NDArray[np.uint32]
    """For each of `rows` the place of its file in `parts`."""

    def oids(self, start: int = 0, stop: int | None = None) -> Oids:
        """Oids of the used blobs [start, stop)."""
        return oids_in(self.table, self.rows[start:stop])


class Shelves:
    """All blobs of an instance, and of a workspace over it."""

    def __init__(self, lasting: Iterable[Part], passing: Iterable[Part] = ()) -> None:
        """`passing`: blobs that go some day anyhow, so that it is no matter who uses them."""
        self._lasting = _shelves(lasting)
        self._shelves = self._lasting + _shelves(passing)

    def look(self, oids: Oids) -> Codes:
        """The type of each blob (a code), `MISSING` or `DAMAGED`; marks all as used."""
        codes = np.zeros(len(oids), np.uint8)
        for positions, shelf, rows in self._found(oids):
            shelf.used[rows] = True
            better = codes[positions] == MISSING
            better |= shelf.codes[rows] != DAMAGED
            codes[positions[better]] = shelf.codes[rows[better]]
        return codes

    def type_of(self, oid: Oid) -> int:
        """The same for one blob."""
        return int(self.look(np.frombuffer(oid, np.uint8).reshape(1, 32))[0])

    def file_of(self, oid: bytes) -> str:
        """Name of a file that holds a blob; empty where none does."""
        for _, shelf, rows in self._found(np.frombuffer(oid, np.uint8).reshape(1, 32)):
            part = shelf.parts[int(shelf.file[rows[0]])]
            return part.name + (loose_key(Oid(oid)) if part.loose else "")
        return ""

    def same_used(self) -> None:
        """Mark every copy of a blob as used where one is: `look` finds one on each shelf."""
        for shelf in self._shelves:
            shelf.same_used()

    def uses(self) -> Iterator[Use]:
        """For each shelf, the blobs used: their oids, and which file each is in."""
        for shelf in self._shelves:
            rows = np.flatnonzero(shelf.used)
            yield Use(shelf.parts, shelf.columns, rows, shelf.file[rows])

    def used(self, kind: BlobType, chunk: int) -> Iterable[Oids]:
        """Oids of the sound blobs of a type that were looked up so far."""
        for shelf in self._shelves:
            rows = np.flatnonzero(shelf.used & (shelf.codes == kind.code))
            for at in range(0, len(rows), chunk):
                yield shelf.oids(rows[at : at + chunk])

    def unused(self) -> tuple[dict[BlobType, int], int]:
        """Sound blobs that were never looked up, by type; and how many more are copies."""
        counts = np.zeros(256, np.int64)
        copies = 0
        for shelf in self._lasting:
            rows = np.flatnonzero(~shelf.used)
            known = self._is_used(shelf.oids(rows))
            copies += int(known.sum())
            counts += np.bincount(shelf.codes[rows[~known]], minlength=256)
        kinds = {TYPE_OF_CODE[code]: int(counts[code]) for code in TYPE_OF_CODE if counts[code]}
        return kinds, copies

    def unused_of(self, kind: BlobType, most: int) -> list[Oid]:
        """Some oids of a type that were never looked up."""
        found: list[Oid] = []
        for shelf in self._lasting:
            rows = np.flatnonzero(~shelf.used)
            rows = rows[shelf.codes[rows] == kind.code][:most]
            oids = shelf.oids(rows)
            found += [Oid(row.tobytes()) for row in oids[~self._is_used(oids)]]
        return found[:most]

    def _is_used(self, oids: Oids) -> NDArray[np.bool_]:
        known = np.zeros(len(oids), np.bool_)
        for positions, shelf, rows in self._found(oids):
            known[positions] |= shelf.used[rows]
        return known

    def _found(self, oids: Oids) -> Iterable[tuple[NDArray[np.int64], _Shelf, NDArray[np.int64]]]:
        """For each shelf: positions in `oids` of what it holds, and the rows there."""
        numbers = heads(oids)
        order = np.argsort(numbers)
        numbers, ordered = numbers[order], oids[order]
        for shelf in self._shelves:
            rows = find(shelf.columns, ordered, numbers)
            hit = rows >= 0
            if hit.any():
                yield order[hit], shelf, rows[hit]


def _shelves(parts: Iterable[Part]) -> list[_Shelf]:
    whole = [part for part in parts if len(part.codes)]
    small = [part for part in whole if len(part.codes) < MERGED_BELOW]
    large = [[part] for part in whole if len(part.codes) >= MERGED_BELOW]
    return [_Shelf(each) for each in ([small] if small else []) + large]
