"""Asking rows a question: column-wise as far as that goes, row by row for what is left.

Few rows go row by row at once. For more, the blobs are tested pack by pack; what columns
could not decide is read and evaluated by the closures, which are the definition.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, Record, SeenPath, key_bytes, record_view
from ldb.columns.model import Column, Mask
from ldb.errors import Corrupt
from ldb.objects.columnfiles import ColumnFiles
from ldb.places.model import NO_BLOB, Places
from ldb.progress import Progress
from ldb.query.blobwise import Rows, test_blobs
from ldb.query.columnar.outcome import Status, Step, Tested
from ldb.query.filters import Filter
from ldb.query.keys import explain_versions
from ldb.query.recordview import is_usual, view_of
from ldb.query.rowcolumns import record_places
from ldb.query.rowwise import Query
from ldb.query.scanning import Names, failure_line, scan_annotations, scan_records
from ldb.query.selected import Selected

if TYPE_CHECKING:
    from ldb.query.columnar.program import Program
    from ldb.query.hints import KeyTree, KnownKeys
    from ldb.query.versions import Versions

FEW = 200
"""Up to this many rows are read one by one: opening columns would take longer."""

KEPT = 4_000_000
"""Annotations whose columns are kept open while one version after the other is asked for."""

Missing = Literal["skip", "null"]


@dataclass(slots=True)
class FilterTrace:
    """How one filter was evaluated, for people who wonder."""

    kind: str
    text: str
    rows_in: int
    rows_out: int = 0
    seconds: float = 0.0
    by_row: int = 0
    """Rows whose annotation or record was read and looked at by itself."""
    why: str = ""
    """Why they were."""
    blobs: int = 0
    """Annotations or records that lie in packs which were tested column-wise."""
    packs: int = 0
    bytes_read: int = 0
    """Bytes of column files."""
    made: int = 0
    """Column files that were missing and have been made."""
    steps: list[Step] = field(default_factory=list)
    """The parts of the expression, and how each went."""


class Asker:
    """Questions to rows of one index; what fails is told in `messages`."""

    def __init__(self, catalog: Catalog, messages: list[str], progress: Progress) -> None:
        self.catalog = catalog
        self.messages = messages
        self.progress = progress
        self.trace = FilterTrace("", "", 0)

    def annotations(self, query: Query, missing: Missing, rows: Selected) -> Mask:
        """Which rows' annotations a query is true of; no annotation is null."""
        filter_ = Filter(query)
        option = "--query" if missing == "skip" else "--jquery"
        self.progress.start(option, len(rows))
        if len(rows) <= FEW:
            tested = _undecided(len(rows))
            self.trace.why = "so few rows are read one by one"
        else:
            program = program_of(query, missing, "sorted")
            places = rows.places(self.catalog.instance.objects)
            tested = self._test(places, lambda column, _: program.test(column), program)
            self._without_annotation(filter_, missing, places, tested)
        left = np.flatnonzero(tested.status == Status.REDO)
        self.progress.advance(len(rows) - len(left))
        mask = tested.mask
        mask[left] = self._one_by_one(filter_, missing, rows, left)

        def again(row: Selected) -> None:
            for positions, values in scan_annotations(self.catalog.instance, row.annotations):
                filter_.matches_many(values, Names(row.ids, positions))

        self._tell_failures(filter_, option, rows, tested, again)
        if not mask.any():
            self.messages += known_keys(self.catalog, rows).unknown(query.expression)
        return mask

    def _one_by_one(
        self,
        filter_: Filter,
        missing: Missing,
        rows: Selected,
        left: NDArray[np.intp],
    ) -> Mask:
        mask = np.zeros(len(left), np.bool_)
        if not len(left):
            return mask
        some = rows if len(left) == len(rows) else rows.take(left)
        self.trace.by_row += len(left)
        instance = self.catalog.instance
        for positions, values in scan_annotations(instance, some.annotations):
            self.progress.advance(len(values))
            if missing == "skip" and not some.annotations[positions[0]].any():
                continue  # an object without an annotation lacks every key there is
            mask[positions] = filter_.matches_many(values, Names(some.ids, positions))
        return mask

    def _without_annotation(
        self, filter_: Filter, missing: Missing, places: Places, tested: Tested
    ) -> None:
        """Rows without an annotation: null is the same for all of them."""
        none = places.numbers == NO_BLOB
        if missing == "skip":
            tested.status[none] = Status.LACKS
        elif none.any():
            before = filter_.failures
            holds = filter_.matches(None)
            failed = filter_.failures > before
            filter_.failures, filter_.first_failure = before, None
            tested.mask[none] = holds
            tested.status[none] = Status.FAILED if failed else Status.OK

    def _tell_failures(
        self,
        filter_: Filter,
        option: str,
        rows: Selected,
        tested: Tested,
        again: Callable[[Selected], None],
    ) -> None:
        """The one warning; the first row that failed column-wise is asked again for its words."""
        failed = np.flatnonzero(tested.status == Status.FAILED)
        if len(failed):
            others, filter_.first_failure = filter_.failures, None
            again(rows.take(failed[:1]))
            filter_.failures = others + len(failed)
        if line := failure_line(option, filter_):
            self.messages.append(line)

    def versions(self, query: Query, rows: Selected) -> Mask:
        """Which rows' annotations, all that their objects ever had, a `--vquery` is true of."""
        from ldb.query.versions import versions_of  # no other filter needs it

        filter_ = Filter(query)
        self.progress.start("--vquery", len(rows))
        versions = versions_of(self.catalog, rows)
        if len(rows) <= FEW:
            tested = _undecided(len(rows))
            self.trace.why = "so few rows are read one by one"
        else:
            tested = self._test_versions(versions, program_of(query, "null", "given"))
        left = np.flatnonzero(tested.status == Status.REDO)
        self.progress.advance(len(rows) - len(left))
        self.trace.by_row += len(left)

        def by_row(which: NDArray[np.intp]) -> None:
            for some, values in versions.values(self.catalog, which):
                tested.mask[some] = filter_.matches_many(values, Names(rows.ids, some))
                self.progress.advance(len(some))

        by_row(left)
        failed = np.flatnonzero(tested.status == Status.FAILED)
        self._tell_failures(filter_, "--vquery", rows, tested, lambda _: by_row(failed[:1]))
        if not tested.mask.any():
            most = int(versions.counts.max(initial=0))
            self.messages += explain_versions(query.expression.roots, most)
        return tested.mask

    def _test_versions(self, versions: Versions, program: Program) -> Tested:
        tested = _undecided(len(versions.counts))
        files = ColumnFiles(keep=KEPT)
        with suppress(Corrupt):  # a damaged part of a column file: the rest goes row by row
            for which, column in versions.columns(self.catalog, files):
                found = program.test(column)
                tested.mask[which], tested.status[which] = found.mask, found.status
        self._trace(files, program)
        return tested

    def file(self, query: Query, rows: Selected) -> Mask:
        """Which rows' records a `--file` query is true of."""
        filter_ = Filter(query)
        program = program_of(query, "null", "given") if len(rows) > FEW else None

        def test(column: Column, of_blob: Rows) -> Tested:
            view = view_of(column, lambda: rows.ids[of_blob()])
            return program.test(view) if view and program else _undecided(column.size)

        def by_row(
            some: Selected, positions: NDArray[np.int64], records: list[Record]
        ) -> list[bool]:
            names = key_bytes(some.ids[positions])
            views = [record_view(name, record) for name, record in zip(names, records)]
            return filter_.matches_many(views, Names(some.ids, positions))

        self.progress.start("--file", len(rows))

        def again(row: Selected) -> None:
            for positions, records in scan_records(self.catalog, row.ids):
                by_row(row, positions, records)

        mask, tested = self._of_records(rows, test, by_row, program)
        self._tell_failures(filter_, "--file", rows, tested, again)
        if not mask.any():
            self.messages += _record_keys().unknown(query.expression, "data object")
        return mask

    def tags(
        self,
        wanted: Collection[str],
        test: Callable[[Column], Mask | None],
        by_row: Callable[[Record], bool],
        rows: Selected,
    ) -> Mask:
        """As `records`, for a test of tags: where none passes, tags that no object has are told."""
        mask = self.records(test, by_row, rows)
        if not mask.any():
            from ldb.query.hints import explain_unknown_tags  # as wherever nothing is found

            self.messages += explain_unknown_tags(wanted, known_tags(self.catalog, rows))
        return mask

    def records(
        self,
        test: Callable[[Column], Mask | None],
        by_row: Callable[[Record], bool],
        rows: Selected,
    ) -> Mask:
        """Which rows' records pass a test that comes in both ways."""

        def column_test(column: Column, of_blob: Rows) -> Tested:
            found = test(column)
            if found is None:
                return _undecided(column.size)
            return Tested(found, np.zeros(column.size, np.uint8))

        self.progress.start(f"--{self.trace.kind}", len(rows))
        mask, _ = self._of_records(
            rows, column_test, lambda some, positions, records: [by_row(each) for each in records]
        )
        return mask

    def _of_records(
        self,
        rows: Selected,
        test: Callable[[Column, Rows], Tested],
        by_row: Callable[[Selected, NDArray[np.int64], list[Record]], list[bool]],
        program: Program | None = None,
    ) -> tuple[Mask, Tested]:
        if len(rows) <= FEW:
            tested = _undecided(len(rows))
            self.trace.why = "so few rows are read one by one"
        else:
            tested = self._test(record_places(self.catalog, rows).places, test, program)
        left = np.flatnonzero(tested.status == Status.REDO)
        self.progress.advance(len(rows) - len(left))
        mask = tested.mask
        if len(left):
            some = rows if len(left) == len(rows) else rows.take(left)
            self.trace.by_row += len(left)
            for positions, records in scan_records(self.catalog, some.ids):
                mask[left[positions]] = by_row(some, positions, records)
                self.progress.advance(len(records))
        return mask, tested

    def _test(
        self, places: Places, test: Callable[[Column, Rows], Tested], program: Program | None
    ) -> Tested:
        files = ColumnFiles()
        tested = test_blobs(files, places, test)
        self._trace(files, program)
        return tested

    def _trace(self, files: ColumnFiles, program: Program | None) -> None:
        trace = self.trace
        trace.packs, trace.blobs = files.opened, files.rows
        trace.bytes_read, trace.made = files.bytes_read, files.made
        trace.steps = list(program.plan) if program else []
        trace.why = "their pack has no columns, or columns cannot tell"


def program_of(query: Query, missing: Missing, order: Literal["sorted", "given"]) -> Program:
    """`order` is that of an object's keys: annotations have them sorted, views of records not."""
    from ldb.query.columnar.program import compile_columns  # a dozen modules: not for few rows

    return compile_columns(query, missing, order=order)


def _undecided(size: int) -> Tested:
    return Tested(np.zeros(size, np.bool_), np.full(size, Status.REDO, np.uint8))


def _record_keys() -> KeyTree:
    """The keys that `--file` expressions find in every data object."""
    from ldb.query.hints import tree_of

    return tree_of(record_view(b"", Record(0, "", (SeenPath("", 0),))))


def known_tags(catalog: Catalog, rows: Selected) -> list[str]:
    """Tags that the objects of rows have: of all objects in their packs, where there are many."""
    found: set[str] = set()
    if len(rows) > FEW:
        files, places = ColumnFiles(), record_places(catalog, rows).places
        for pack, first, stop in places.by_pack():
            column = files.column(pack, places.table.kind, stop - first)
            if column is not None and is_usual(column) and column.fields["tags"].items.size:
                found.update(column.fields["tags"].items.words.strings)
    else:
        for _, records in scan_records(catalog, rows.ids):
            found.update(tag for record in records for tag in record.tags)
    return sorted(found)


def known_keys(catalog: Catalog, rows: Selected) -> KnownKeys:
    """Keys that annotations have, for when a query finds nothing: those of the columns that
    the rows' annotations lie in or, where there are none, of some of the annotations."""
    from ldb.query.hints import KnownKeys

    keys = KnownKeys()
    store = catalog.instance.objects
    if len(rows) > FEW:
        files, places = ColumnFiles(), rows.places(store)
        for pack, first, stop in places.by_pack():
            column = files.column(pack, places.table.kind, stop - first)
            if column is not None:
                keys.note(column)
    if not keys:
        some = rows.take(np.arange(min(len(rows), FEW)))
        for _, values in scan_annotations(catalog.instance, some.annotations):
            keys.see(values)
    return keys
