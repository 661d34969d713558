"""`ldb list`: what there is to say of each row, as columns, so that a million lines are soon told.

Paths, sizes and types come out of the columns of the object records. A record is read by
itself where those do not tell: objects with several annotations, and what lies in no column.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, key_bytes
from ldb.columns.model import Column
from ldb.errors import Corrupt
from ldb.objects.columnfiles import ColumnFiles
from ldb.porcelain.look import KEPT, pieces
from ldb.query.asking import FEW
from ldb.query.recordview import is_usual
from ldb.query.rowcolumns import record_places, row_column
from ldb.query.scanning import scan_records
from ldb.query.selected import Selected
from ldb.storage.location import shown


@dataclass(slots=True)
class Listing:
    """Some rows: lists of one length."""

    rows: Selected
    versions: list[int]
    """Which of the object's annotations a row has, from 1; 0: none, or not known."""
    paths: list[str]
    """The first path of each, as users write it."""
    sizes: list[int]
    types: list[str]
    tags: list[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def ids(self) -> list[str]:
        """Data object ids in hex."""
        return _hex(np.ascontiguousarray(self.rows.ids).tobytes(), self.rows.ids.dtype.itemsize)

    @property
    def annotations(self) -> list[str]:
        """Oids of the annotations in hex, empty where there is none."""
        there = has_annotation(self.rows).tolist()
        oids = _hex(np.ascontiguousarray(self.rows.annotations).tobytes(), 32)
        return [oid if known else "" for oid, known in zip(oids, there)]


def has_annotation(rows: Selected) -> NDArray[np.bool_]:
    """Which rows have an annotation."""
    return np.asarray(rows.annotations.any(axis=1), np.bool_)


def _hex(raw: bytes, width: int) -> list[str]:
    text, step = raw.hex(), 2 * width
    return [text[at : at + step] for at in range(0, len(text), step)]


def list_rows(catalog: Catalog, rows: Selected) -> Iterator[Listing]:
    """All rows, in the order of the selection, many at a time."""
    files = ColumnFiles(keep=KEPT)
    for piece in pieces(rows):
        yield _told(catalog, piece, files)


def _told(catalog: Catalog, rows: Selected, files: ColumnFiles) -> Listing:
    if len(rows) > FEW:
        with suppress(Corrupt):  # a damaged part of a column file: all records are read
            return _out_of_columns(catalog, rows, files)
    return _read(catalog, rows)


def _out_of_columns(catalog: Catalog, rows: Selected, files: ColumnFiles) -> Listing:
    where = record_places(catalog, rows)
    found = row_column(files, where.places)
    plain = _plain(found.column, where.same[found.rows])
    numbers = found.rows[plain]
    listing = _listing(rows, numbers, found.column.take(plain))
    if len(numbers) < len(rows):
        left = np.setdiff1d(np.arange(len(rows)), numbers)
        _put(listing, left.tolist(), _read(catalog, rows.take(left)))
    return listing


def _plain(records: Column, same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Records that columns say all of: those with one annotation at most, the row's own."""
    if not records.size or not is_usual(records):
        return np.zeros(records.size, np.bool_)
    plain: NDArray[np.bool_] = same & (records.fields["annotations"].lengths <= 1)
    return plain


def _listing(rows: Selected, numbers: NDArray[np.intp], records: Column) -> Listing:
    """What `records` say of the rows of these numbers; the other rows stay empty."""
    listing = _empty(rows)
    if not records.size:
        return listing
    fields = records.fields
    paths = fields["paths"]
    there = paths.lengths > 0
    firsts = [""] * records.size
    if there.any():
        column = paths.items.fields["path"].take(paths.offsets[:-1][there])
        firsts = list(map(shown, column.texts()))
        if not there.all():
            firsts = _scattered(np.flatnonzero(there).tolist(), firsts, records.size, "")
    tags: list[tuple[str, ...]] = [()] * records.size
    if fields["tags"].items.size:
        tags = list(map(tuple, fields["tags"].values()))
    versions = has_annotation(rows)[numbers].astype(int).tolist()
    sizes, types = fields["size"].ints.tolist(), fields["type"].texts()
    told = Listing(rows, versions, firsts, sizes, types, tags)
    if len(numbers) == len(rows):
        return told
    _put(listing, numbers.tolist(), told)
    return listing


def _empty(rows: Selected) -> Listing:
    size = len(rows)
    return Listing(rows, [0] * size, [""] * size, [0] * size, [""] * size, [()] * size)


def _scattered(places: list[int], values: list[Any], size: int, otherwise: Any) -> list[Any]:
    found = [otherwise] * size
    for place, value in zip(places, values):
        found[place] = value
    return found


def _put(listing: Listing, places: list[int], told: Listing) -> None:
    """Fill in what another listing says of the rows at these places."""
    for name in ("versions", "paths", "sizes", "types", "tags"):
        target, source = getattr(listing, name), getattr(told, name)
        for place, value in zip(places, source):
            target[place] = value


def _read(catalog: Catalog, rows: Selected) -> Listing:
    """The same by reading each record; what the index does not know stays empty."""
    listing = _empty(rows)
    notes = key_bytes(rows.annotations.view("S32").ravel()) if len(rows) else []
    for positions, records in scan_records(catalog, rows.ids):
        for at, record in zip(positions.tolist(), records):
            known: tuple[bytes, ...] = record.annotations
            listing.versions[at] = known.index(notes[at]) + 1 if notes[at] in known else 0
            listing.paths[at] = shown(record.paths[0].path) if record.paths else ""
            listing.sizes[at], listing.types[at] = record.size, record.type
            listing.tags[at] = record.tags
    return listing
