"""Columns of the blobs that rows name, put in the order of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog
from ldb.columns.build import concat
from ldb.columns.model import Column, Kind
from ldb.objects.columnfiles import ColumnFiles
from ldb.objects.model import BlobType
from ldb.places.model import Places
from ldb.places.search import places_of_oids
from ldb.query.selected import Selected


@dataclass(frozen=True, slots=True)
class RowColumn:
    """Blobs of some of n rows, column-wise."""

    rows: NDArray[np.intp]
    """Numbers of the rows that columns have the blobs of, ascending; shape (m,)."""
    column: Column
    """Their blobs, m values."""

    def others(self, size: int) -> NDArray[np.intp]:
        """The rows, of `size`, that must be read one by one."""
        left = np.ones(size, np.bool_)
        left[self.rows] = False
        return np.flatnonzero(left)


def row_column(files: ColumnFiles, places: Places) -> RowColumn:
    """The blobs at `places`, a value a row, without the rows that columns know nothing of."""
    parts: list[Column] = []
    order: list[NDArray[np.intp]] = []
    for pack, first, stop in places.by_pack():
        rows = np.flatnonzero((places.numbers >= first) & (places.numbers < stop))
        if len(rows):
            column = files.column(pack, places.table.kind, stop - first)
            if column is not None:
                parts.append(column.take(places.numbers[rows].astype(np.intp) - first))
                order.append(rows)
    if not parts:
        return RowColumn(np.zeros(0, np.intp), Column(0, Kind.NULL))
    found = np.concatenate(order)
    back = np.argsort(found, kind="stable")
    return RowColumn(found[back], concat(parts).take(back))


@dataclass(frozen=True, slots=True)
class Recorded:
    """The records of rows: where they lie, and each object's current annotation."""

    places: Places
    same: NDArray[np.bool_]
    """Rows whose annotation is the current one of the index."""


def record_places(catalog: Catalog, rows: Selected) -> Recorded:
    """By the rows' own map where it is the index's, else by looking their ids up."""
    places = rows.record_places()
    if places is not None:
        return Recorded(places, np.ones(len(rows), np.bool_))
    found = catalog.find(rows.ids)
    places = places_of_oids(catalog.instance.objects, found.records, BlobType.RECORD)
    same: NDArray[np.bool_] = (rows.annotations == found.annotations).all(axis=1)
    return Recorded(places, same)
