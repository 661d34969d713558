"""`ldb stats`: what a selection is made of, counted out of columns.

Every row counts: an annotation that two objects share counts twice. Columns are gone
through pack by pack; what they do not hold is read row by row into the same counters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog
from ldb.columns.model import Column
from ldb.errors import Corrupt
from ldb.objects.columnfiles import ColumnFiles
from ldb.places.model import NO_BLOB
from ldb.progress import SILENT, Progress
from ldb.query import asking
from ldb.query.counting import KeyCounts, KeyStats, ValueCount, ValueCounts
from ldb.query.distinct import Numbers, NumberStats, Texts
from ldb.query.filters import Failure, Projector
from ldb.query.packwise import PackColumn, Packwise
from ldb.query.parse import parse
from ldb.query.plugins import NONE, Plugins, functions_for
from ldb.query.projecting import LACKING
from ldb.query.recordview import is_usual
from ldb.query.rowcolumns import record_places
from ldb.query.rowwise import Query, compile_query
from ldb.query.scanning import (
    Names,
    failure_line,
    scan_annotations,
    scan_records,
)
from ldb.query.selected import Selected

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ObjectStats:
    """Data objects of a selection."""

    objects: int
    annotated: int
    unknown: int
    """Objects of which the index has no record: neither size nor type nor tags are known."""
    total: int
    """Bytes of all."""
    sizes: NumberStats | None
    """Bytes of each."""
    types: Mapping[str, int]
    """File name extensions, the most frequent first."""
    tags: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AnnotationStats:
    """Keys of the annotations of a selection."""

    keys: tuple[KeyStats, ...]
    """The first is the annotation itself; none where there is no annotation."""
    left_out: bool
    """Whether there are more keys than are counted."""


@dataclass(frozen=True, slots=True)
class Balance:
    """How often each value of an expression is."""

    objects: int
    """Objects with a value."""
    lacking: int
    """Objects that lack a key which the expression names, or have no annotation."""
    failed: int
    """Objects on which it failed."""
    values: tuple[ValueCount, ...]
    """The most frequent first. Items of an array count each."""
    warnings: tuple[str, ...] = ()


def _soundly(count: Callable[[bool], T]) -> T:
    """What `count` counts with columns; without them where a part of one is damaged, for then
    it is not known what was counted of it."""
    try:
        return count(True)
    except Corrupt:
        return count(False)


def object_stats(catalog: Catalog, rows: Selected) -> ObjectStats:
    """Sizes, types and tags."""
    return _soundly(lambda columns: _object_stats(catalog, rows, columns))


def _object_stats(catalog: Catalog, rows: Selected, columns: bool) -> ObjectStats:
    counts = _RecordCounts()
    left = np.arange(len(rows))
    if columns and len(rows) > asking.FEW:
        packs = Packwise(record_places(catalog, rows).places)
        for part in packs.columns(ColumnFiles()):
            if not counts.add(part.column):
                packs.give_back(part, np.ones(part.column.size, np.bool_))
        left = packs.left()
    if len(left):
        for _, records in scan_records(catalog, rows.take(left).ids):
            for record in records:
                counts.add_value(record.size, record.type, record.tags)
    annotated = len(rows) - int((rows.places(catalog.instance.objects).numbers == NO_BLOB).sum())
    sizes = counts.sizes.stats()
    return ObjectStats(
        len(rows),
        annotated,
        len(rows) - counts.sizes.count,
        counts.total,
        sizes,
        counts.types.stats().values or {},
        counts.tags.stats().values or {},
    )


class _RecordCounts:
    def __init__(self) -> None:
        self.total = 0
        self.sizes = Numbers()
        self.types = Texts(every=True)
        self.tags = Texts(every=True)

    def add(self, records: Column) -> bool:
        """Records of a pack; False where their fields are not what they usually are."""
        if not is_usual(records):
            return False
        fields = records.fields
        sizes = fields["size"].ints
        self.sizes.add(sizes)
        self.total += int(sizes.sum(dtype=np.int64))
        self.types.add(fields["type"])
        if fields["tags"].items.size:
            self.tags.add(fields["tags"].items)
        return True

    def add_value(self, size: int, type_: str, tags: tuple[str, ...]) -> None:
        self.sizes.add_value(size)
        self.total += size
        self.types.add_value(type_)
        for tag in tags:
            self.tags.add_value(tag)


def annotation_stats(
    catalog: Catalog, rows: Selected, progress: Progress = SILENT
) -> AnnotationStats:
    """Every key of the annotations, and what it holds."""
    return _soundly(lambda columns: _annotation_stats(catalog, rows, progress, columns))


def _annotation_stats(
    catalog: Catalog, rows: Selected, progress: Progress, columns: bool
) -> AnnotationStats:
    counts = KeyCounts()
    progress.start("annotations", len(rows))
    places = rows.places(catalog.instance.objects)
    left = np.flatnonzero(places.numbers != NO_BLOB)
    if columns and len(rows) > asking.FEW:
        packs = Packwise(places)
        for part in packs.columns(ColumnFiles()):
            counts.add(_whole(packs, part))
            progress.advance(part.column.size)
        left = packs.left()
    for _, values in scan_annotations(catalog.instance, rows.take(left).annotations):
        for value in values:
            counts.add_value(value)
        progress.advance(len(values))
    return AnnotationStats(tuple(counts.stats()), counts.left_out)


def _whole(packs: Packwise, part: PackColumn) -> Column:
    """The values of a part that columns hold all of; the others are read row by row."""
    from ldb.query.columnar.apply import can_be_opaque  # a dozen modules: not for few rows

    if not can_be_opaque(part.column):
        return part.column
    opaque = part.column.opaque()
    packs.give_back(part, opaque)
    return part.column.take(~opaque)


def balance(
    catalog: Catalog,
    rows: Selected,
    text: str,
    progress: Progress = SILENT,
    plugins: Plugins = NONE,
) -> Balance:
    """How often each value of the expression `text` is; `BadInput` where it is none."""
    expression = parse(text, "--by")
    query = compile_query(expression, "skip", functions_for(expression, plugins))
    return _soundly(lambda columns: _Balancing(catalog, rows, query).run(progress, columns))


class _Balancing:
    """One expression over all rows."""

    def __init__(self, catalog: Catalog, rows: Selected, query: Query) -> None:
        self.catalog = catalog
        self.rows = rows
        self.query = query
        self.counts = ValueCounts()
        self.by_row = Projector(query)
        self.failed = 0
        """Rows on which the expression failed column-wise."""
        self.first_failed: int | None = None

    def run(self, progress: Progress, columns: bool) -> Balance:
        rows = self.rows
        progress.start("--by", len(rows))
        places = rows.places(self.catalog.instance.objects)
        left = np.flatnonzero(places.numbers != NO_BLOB)
        if columns and len(rows) > asking.FEW:
            packs = Packwise(places)
            self._columns(packs, progress)
            left = packs.left()
        self._one_by_one(left, progress)
        failed = self.failed + self.by_row.failures
        lacking = len(rows) - self.counts.rows - failed
        return Balance(
            self.counts.rows,
            lacking,
            failed,
            tuple(self.counts.counts()),
            tuple(self._warnings()),
        )

    def _columns(self, packs: Packwise, progress: Progress) -> None:
        from ldb.query.columnar.outcome import Status  # not for few rows
        from ldb.query.columnar.program import compile_columns

        program = compile_columns(self.query, "skip")
        for part in packs.columns(ColumnFiles()):
            outcome = program.run(part.column)
            status = outcome.status
            if status.any():
                self.counts.add(outcome.values.take(status == Status.OK))
                packs.give_back(part, status == Status.REDO)
                failed = np.flatnonzero(status == Status.FAILED)
                self.failed += len(failed)
                if len(failed) and self.first_failed is None:
                    self.first_failed = packs.row_of(part, int(failed[0]))
            else:
                self.counts.add(outcome.values)
            progress.advance(part.column.size)

    def _one_by_one(self, left: NDArray[np.intp], progress: Progress) -> None:
        some = self.rows.take(left)
        for positions, values in scan_annotations(self.catalog.instance, some.annotations):
            names = Names(some.ids, positions)
            for result in self.by_row.values(values, names, default=LACKING, lacking=LACKING):
                if result is not LACKING:
                    self.counts.add_value(result)
            progress.advance(len(values))

    def _warnings(self) -> list[str]:
        found = []
        tally = _Failed(self.failed + self.by_row.failures, self._first_failure())
        if line := failure_line("--by", tally):
            found.append(line)
        if len(self.rows) and not self.counts.rows:
            found += asking.known_keys(self.catalog, self.rows).unknown(self.query.expression)
        return found

    def _first_failure(self) -> Failure | None:
        """In words, for which a row that failed column-wise is asked again."""
        if self.first_failed is None:
            return self.by_row.first_failure
        again = Projector(self.query)
        row = self.rows.take(np.array([self.first_failed]))
        for positions, values in scan_annotations(self.catalog.instance, row.annotations):
            list(again.values(values, Names(row.ids, positions)))
        return again.first_failure


@dataclass(frozen=True, slots=True)
class _Failed:
    failures: int
    first_failure: Failure | None
