"""Values of an expression for rows: out of columns, row by row where they cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, fill, key_bytes, record_view
from ldb.columns.model import Column
from ldb.errors import Corrupt
from ldb.objects.columnfiles import ColumnFiles
from ldb.query.asking import FEW, program_of
from ldb.query.filters import Failure, Projector
from ldb.query.recordview import view_of
from ldb.query.rowcolumns import RowColumn, record_places, row_column
from ldb.query.rowwise import Query
from ldb.query.scanning import Names, scan_annotations, scan_records
from ldb.query.selected import Selected

if TYPE_CHECKING:
    from ldb.query.columnar.projector import ColumnProjector

LACKING: Any = object()
"""Stands for the value of a query where a key is missing."""

Kind = Literal["query", "jquery", "file"]


class RowProjector:
    """One expression of annotations (`query`, `jquery`) or records (`file`), over many rows."""

    def __init__(
        self, catalog: Catalog, kind: Kind, query: Query | None, files: ColumnFiles
    ) -> None:
        self.kind = kind
        self._catalog = catalog
        self._files = files
        self._query = query
        """None: the whole annotation or record."""
        self._by_row = Projector(query) if query else None
        self._by_column: ColumnProjector | None = None

    @property
    def failures(self) -> int:
        """Rows on which the expression failed."""
        return sum(each.failures for each in (self._by_row, self._by_column) if each)

    @property
    def first_failure(self) -> Failure | None:
        """One of them, with the reason."""
        firsts = (each.first_failure for each in (self._by_column, self._by_row) if each)
        return next((each for each in firsts if each), None)

    def values(self, rows: Selected) -> list[Any]:
        """A value for each row, `LACKING` where a key is missing."""
        found: list[Any] = [None] * len(rows)
        left = np.arange(len(rows))
        if self._query is not None and len(rows) > FEW:
            with suppress(Corrupt):  # a damaged part of a column file: all are read
                left = self._from_columns(rows, found)
        if len(left):
            self._one_by_one(rows if len(left) == len(rows) else rows.take(left), left, found)
        return found

    def _from_columns(self, rows: Selected, found: list[Any]) -> NDArray[np.intp]:
        """Fill in what columns tell; the rows that are left."""
        column = self._column(rows)
        if column is None:
            return np.arange(len(rows))
        for at, value in zip(column.rows.tolist(), self._out_of(column, rows)):
            found[at] = value
        return column.others(len(rows))

    def _column(self, rows: Selected) -> RowColumn | None:
        if self.kind != "file":
            store = self._catalog.instance.objects
            return row_column(self._files, rows.places(store))
        found = row_column(self._files, record_places(self._catalog, rows).places)
        view = view_of(found.column, lambda: rows.ids[found.rows])
        return RowColumn(found.rows, view) if view else None

    def _out_of(self, found: RowColumn, rows: Selected) -> list[Any]:
        if self._by_column is None:
            from ldb.query.columnar.projector import ColumnProjector  # not for few rows

            assert self._query is not None
            missing: Literal["skip", "null"] = "skip" if self.kind == "query" else "null"
            order: Literal["sorted", "given"] = "given" if self.kind == "file" else "sorted"
            self._by_column = ColumnProjector(program_of(self._query, missing, order))

        def redo(positions: NDArray[np.intp]) -> list[Any]:
            return fill(self._read(rows.take(found.rows[positions])), len(positions))

        names = Names(rows.ids, found.rows)
        values = self._by_column.values(found.column, redo, names, lacking=LACKING)
        return values.values() if isinstance(values, Column) else values

    def _one_by_one(self, rows: Selected, numbers: NDArray[np.intp], found: list[Any]) -> None:
        for positions, values in self._read(rows):
            results = values
            if self._by_row is not None:
                names = Names(rows.ids, positions)
                results = list(self._by_row.values(values, names, lacking=LACKING))
            for at, value in zip(numbers[positions].tolist(), results):
                found[at] = value

    def _read(self, rows: Selected) -> Iterator[tuple[NDArray[np.int64], list[Any]]]:
        if self.kind != "file":
            yield from scan_annotations(self._catalog.instance, rows.annotations)
            return
        for positions, records in scan_records(self._catalog, rows.ids):
            names = key_bytes(rows.ids[positions])
            yield positions, [record_view(name, each) for name, each in zip(names, records)]
