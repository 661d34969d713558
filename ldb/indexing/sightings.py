"""What the workers saw of data objects, as columns: about 150 bytes a sighting.

One run may see millions, so what is not needed after the `paths` rows are written is
dropped at once, and a sighting becomes an object only where several have to be merged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ldb.catalog import SeenPath, key_path
from ldb.indexing.read import BatchResult
from ldb.indexing.records import file_type


@dataclass(frozen=True, slots=True)
class Sighting:
    """A data object seen at a path in this run."""

    seen: SeenPath
    size: int
    type: str
    annotation: bytes
    known: bool
    """Only the annotation is new; the path and its attributes are as before."""


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the objects of one batch were seen; arrays of one length."""

    keys: NDArray[np.bytes_]
    sizes: NDArray[np.uint64]
    attributes: NDArray[np.int64]
    known: NDArray[np.bool_]
    pins: tuple[NDArray[np.bytes_], NDArray[np.bytes_]] | None
    """Tokens and version ids of object stores."""

    def pin_at(self, at: int) -> tuple[str, str]:
        """Token and version id of one place; empty where there are none."""
        if self.pins is None:
            return "", ""
        tokens, versions = self.pins
        return bytes(tokens[at]).decode(), bytes(versions[at]).decode()


@dataclass(slots=True)
class Sightings:
    """Grows batch by batch, in path order; `sorted` uses it up."""

    _ids: list[NDArray[np.bytes_]] = field(default_factory=list)
    _records: list[NDArray[np.uint8]] = field(default_factory=list)
    _annotations: list[NDArray[np.uint8]] = field(default_factory=list)
    _places: list[_Places] = field(default_factory=list)

    def add(self, result: BatchResult) -> None:
        """Take what a batch says of data objects."""
        if not len(result.ids):
            return
        known = result.rows < 0
        # Known data has no row of its own in this run: its place is never asked for.
        rows = result.rows if len(result.keys) else np.zeros(0, np.int64)
        there = np.where(known, 0, rows) if len(rows) else rows
        self._ids.append(result.ids)
        self._records.append(result.records)
        self._annotations.append(result.annotations)
        self._places.append(
            _Places(result.keys[there], result.sizes[there], result.attributes, known, result.pins)
        )

    def sorted(self, width: int) -> SortedSightings:
        """All sightings by data object id, those of one object in path order."""
        ids = _concat(self._ids, f"S{width}")
        order = np.argsort(ids, kind="stable")
        records = _concat(self._records, np.uint8).reshape(-1, 32)
        annotations = _concat(self._annotations, np.uint8).reshape(-1, 32)
        ends = np.cumsum([len(each) for each in self._ids], dtype=np.int64)
        self._ids, self._records, self._annotations = [], [], []
        return SortedSightings(ids[order], order, records, annotations, self._places, ends)


@dataclass(frozen=True, slots=True)
class SortedSightings:
    """Sightings reached through their ids, which are sorted."""

    ids: NDArray[np.bytes_]
    _order: NDArray[np.intp]
    _records: NDArray[np.uint8]
    _annotations: NDArray[np.uint8]
    _places: list[_Places]
    _ends: NDArray[np.int64]

    @property
    def names(self) -> NDArray[np.bytes_]:
        """Every id once."""
        first = np.ones(len(self.ids), np.bool_)
        first[1:] = self.ids[1:] != self.ids[:-1]
        return self.ids[first]

    def of(self, ids: NDArray[np.bytes_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where each id's sightings start, and how many they are."""
        first = np.searchsorted(self.ids, ids, side="left")
        last = np.searchsorted(self.ids, ids, side="right")
        return first, last - first

    def columns(self, first: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Record and annotation oids of sightings, each shape (n, 32)."""
        places = self._order[first]
        return self._records[places], self._annotations[places]

    def sightings(self, first: int, count: int) -> list[Sighting]:
        """Sightings of one object, in path order."""
        return [self._sighting(int(place)) for place in self._order[first : first + count]]

    def _sighting(self, place: int) -> Sighting:
        batch = int(np.searchsorted(self._ends, place, side="right"))
        at = place - (int(self._ends[batch - 1]) if batch else 0)
        places = self._places[batch]
        note = self._annotations[place].tobytes()
        if places.known[at]:
            return Sighting(SeenPath("", 0), 0, "", note, known=True)
        uri = key_path(bytes(places.keys[at])).decode()
        mtime, mode, uid, gid = places.attributes[at].tolist()
        return Sighting(
            seen=SeenPath(uri, mtime, mode, uid, gid, *places.pin_at(at)),
            size=int(places.sizes[at]),
            type=file_type(uri),
            annotation=note,
            known=False,
        )


def _concat(parts: list[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
