"""All annotations that data objects ever had, as columns: what `v1`, `v2` … stand for.

Columns of records tell how many each object has, and where it is one at most, that is the
current annotation. So only the records of objects with several are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog
from ldb.columns.model import Column, Kind, spread
from ldb.errors import Corrupt
from ldb.ids import OID_BYTES
from ldb.objects.codec import fields_of
from ldb.objects.columnfiles import ColumnFiles
from ldb.objects.model import BlobType
from ldb.places.model import Places
from ldb.places.search import places_of_oids
from ldb.query.recordview import is_usual
from ldb.query.rowcolumns import record_places, row_column
from ldb.query.scanning import scan_annotations
from ldb.query.selected import Oids, Selected

AT_ONCE = 4096
"""Objects whose annotations are held together where they are read one by one."""


class _Notes(TypedDict):
    annotations: list[bytes]


def version_key(number: int) -> str:
    """How expressions call the version of this number."""
    return f"v{number}"


@dataclass(frozen=True, slots=True)
class Versions:
    """Every annotation of n objects: those of object i are `oids[starts[i] : starts[i + 1]]`."""

    starts: NDArray[np.intp]
    """Shape (n + 1,)."""
    oids: Oids
    """Shape (m, 32), v1 of an object first."""
    current: Places | None
    """Where the current annotations lie, where that is known without a search."""

    @property
    def counts(self) -> NDArray[np.intp]:
        """How many each object has; shape (n,)."""
        return np.diff(self.starts)

    def of(self, number: int) -> Oids:
        """Version `number` (from 1) of each object, shape (n, 32); zeros where there is none."""
        found = np.zeros((len(self.starts) - 1, OID_BYTES), np.uint8)
        there = self.counts >= number
        found[there] = self.oids[self.starts[:-1][there] + number - 1]
        return found

    def values(
        self, catalog: Catalog, which: NDArray[np.intp]
    ) -> Iterator[tuple[NDArray[np.intp], list[dict[str, Any]]]]:
        """`{v1: …, v2: …}` of these objects, some at a time: which, and their values."""
        for at in range(0, len(which), AT_ONCE):
            some = which[at : at + AT_ONCE]
            counts = self.counts[some]
            notes = self.oids[spread(self.starts[some], counts)]
            read: list[Any] = [None] * len(notes)
            for positions, values in scan_annotations(catalog.instance, notes):
                for position, value in zip(positions.tolist(), values):
                    read[position] = value
            every = iter(read)
            yield (
                some,
                [
                    {version_key(number): next(every) for number in range(1, count + 1)}
                    for count in counts.tolist()
                ],
            )

    def columns(
        self, catalog: Catalog, files: ColumnFiles
    ) -> Iterator[tuple[NDArray[np.intp], Column]]:
        """The same column-wise, for objects with equally many: which, and their values.

        Objects of which a version is in no column are left out.
        """
        for count in np.unique(self.counts).tolist():
            which = np.flatnonzero(self.counts == count)
            parts = {}
            for number in range(1, count + 1):
                found = row_column(files, self._places(catalog, which, number))
                parts[version_key(number)] = (which[found.rows], found.column)
            for rows, _ in parts.values():
                which = which[np.isin(which, rows, assume_unique=True)]
            if len(which):
                fields = {
                    key: column.take(np.searchsorted(rows, which))
                    for key, (rows, column) in parts.items()
                }
                yield which, Column(len(which), Kind.OBJECT, fields=fields)

    def _places(self, catalog: Catalog, which: NDArray[np.intp], number: int) -> Places:
        if self.current is not None and number == 1 and (self.counts[which] == 1).all():
            return self.current.take(which)
        oids = self.oids[self.starts[which] + number - 1]
        return places_of_oids(catalog.instance.objects, oids, BlobType.ANNOTATION)


def versions_of(catalog: Catalog, rows: Selected) -> Versions:
    """Every annotation of the objects of rows; none of those that the index does not know."""
    indexed = rows.record_places() is not None
    found = None if indexed else catalog.find(rows.ids)
    current = rows.annotations if found is None else found.annotations
    counts = _counts(catalog, rows)
    several = np.flatnonzero(counts < 0)
    notes = _read(catalog, rows.ids[several]) if len(several) else []
    counts[several] = [len(each) // OID_BYTES for each in notes]
    starts = np.concatenate((np.zeros(1, np.intp), np.cumsum(counts)))
    oids = np.zeros((int(starts[-1]), OID_BYTES), np.uint8)
    read = np.frombuffer(b"".join(notes), np.uint8).reshape(-1, OID_BYTES)
    oids[spread(starts[several], counts[several])] = read
    counts[several] = 0
    oids[starts[:-1][counts == 1]] = current[counts == 1]
    return Versions(starts, oids, rows.places(catalog.instance.objects) if indexed else None)


def _counts(catalog: Catalog, rows: Selected) -> NDArray[np.intp]:
    """How many annotations each object has, as columns tell; -1 where the record must be read."""
    counts = np.full(len(rows), -1, np.intp)
    with suppress(Corrupt):  # a damaged part of a column file: all records are read
        found = row_column(ColumnFiles(), record_places(catalog, rows).places)
        if found.column.size and is_usual(found.column):
            known = found.column.fields["annotations"].lengths
            counts[found.rows] = np.where(known > 1, -1, known)
    return counts


def _read(catalog: Catalog, ids: NDArray[np.bytes_]) -> list[bytes]:
    """The annotation oids of each object, put together; empty for one that is not known."""
    notes = [b""] * len(ids)
    found = catalog.find(ids)
    where = np.flatnonzero(found.known)
    records = found.records[where]
    for positions, payloads in catalog.instance.objects.scan(records, BlobType.RECORD):
        for at, payload in zip(where[positions].tolist(), payloads):
            oids = fields_of(payload, _Notes)["annotations"]
            if any(len(oid) != OID_BYTES for oid in oids):
                raise Corrupt("record", "an annotation whose oid has another length")
            notes[at] = b"".join(oids)
    return notes
