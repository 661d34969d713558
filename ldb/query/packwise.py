"""The blobs of rows, pack by pack in columns: for whoever counts and needs no order.

A blob that several rows name is there once for each of them. The columns of one pack are in
memory at a time. Rows whose blob is in no pack, or in one without columns or with few of
them, are `left`, and so are rows that the caller gives back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import Column, Mask, Positions
from ldb.objects.columnfiles import ColumnFiles
from ldb.places.model import NO_BLOB, Places

SPARSE = 10_000
"""Fewer rows than one in this many blobs of a pack: reading them is less than its columns."""


@dataclass(frozen=True, slots=True)
class PackColumn:
    """The blobs of one pack that rows name, one for each naming."""

    column: Column
    numbers: NDArray[np.intp]
    """Number of each blob in the table of places, ascending."""


class Packwise:
    """Goes through the packs once; afterwards `left` says what must be read row by row."""

    def __init__(self, places: Places) -> None:
        self._places = places
        total = len(places.table)
        self._index = np.minimum(places.numbers, np.uint32(total)).astype(np.intp)
        self._left = np.ones(total + 1, np.bool_)

    def columns(self, files: ColumnFiles) -> Iterator[PackColumn]:
        """The columns there are."""
        table = self._places.table
        uses = np.bincount(self._index, minlength=len(table) + 1)
        for pack, first, stop in self._places.by_pack():
            used = uses[first:stop]
            if int(used.sum()) * SPARSE < stop - first or not used.any():
                continue
            column = files.column(pack, table.kind, stop - first)
            if column is None:
                continue
            self._left[first:stop] = False
            if (used == 1).all():
                yield PackColumn(column, np.arange(first, stop))
            else:
                wanted = np.repeat(np.arange(stop - first), used)
                yield PackColumn(column.take(wanted), first + wanted)

    def give_back(self, part: PackColumn, which: Mask | Positions) -> None:
        """These values of a part must be read row by row."""
        self._left[part.numbers[which]] = True

    def row_of(self, part: PackColumn, at: int) -> int:
        """A row that names the blob of this value."""
        return int(np.flatnonzero(self._index == part.numbers[at])[0])

    def left(self) -> NDArray[np.intp]:
        """Rows that name a blob which no column told of."""
        rows: Mask = self._left[self._index] & (self._places.numbers != NO_BLOB)
        return np.flatnonzero(rows)
