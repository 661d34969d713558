"""`ldb list` and `ldb eval`: rows, counts and values of a selection.

Rows come in pieces, so that a million of them never stand in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, Record, fill, key_bytes
from ldb.columns.model import Column
from ldb.ids import NO_OID, ObjectId, Oid
from ldb.objects.columnfiles import ColumnFiles
from ldb.places.model import NO_BLOB
from ldb.query.asking import FEW
from ldb.query.parse import parse
from ldb.query.projecting import LACKING, RowProjector
from ldb.query.recordview import is_usual
from ldb.query.rowcolumns import record_places, row_column
from ldb.query.rowwise import Query, compile_query
from ldb.query.scanning import KnownKeys, failure_line, scan_annotations, scan_records
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec
from ldb.storage.location import shown

PIECE = 200_000
"""Rows held at a time."""
KEPT = 4_000_000
"""Rows whose columns are kept from piece to piece; beyond them each piece opens them anew."""

ShowKind = Literal["query", "jquery", "file"]


class ListRow(NamedTuple):  # a dataclass takes three times as long to make
    """One data object as `list` shows it."""

    id: ObjectId
    annotation: Oid | None
    version: int
    """Which of the object's annotations this is, from 1; 0: none, or not known."""
    path: str
    size: int
    type: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of a selection."""

    objects: int
    annotated: int


def summary(catalog: Catalog, rows: Selected) -> Summary:
    """How many objects there are, and how many have an annotation."""
    without = rows.places(catalog.instance.objects).numbers == NO_BLOB
    return Summary(len(rows), len(rows) - int(without.sum()))


def list_rows(catalog: Catalog, rows: Selected) -> Iterator[ListRow]:
    """Every row, in the order of the selection."""
    files = ColumnFiles(keep=KEPT)
    for piece in _pieces(rows):
        yield from _listed(catalog, piece, files) if len(piece) > FEW else _read(catalog, piece)


def _listed(catalog: Catalog, rows: Selected, files: ColumnFiles) -> Iterator[ListRow]:
    """Rows out of columns; those that columns know too little of are read one by one."""
    where = record_places(catalog, rows)
    found = row_column(files, where.places)
    plain = _plain(found.column, where.same[found.rows])
    left = np.setdiff1d(np.arange(len(rows)), found.rows[plain])
    read = dict(zip(left.tolist(), _read(catalog, rows.take(left)))) if len(left) else {}
    listed = _out_of(found.column.take(plain)) if len(left) < len(rows) else iter(())
    notes = rows.annotations.tobytes()
    for at, raw in enumerate(key_bytes(rows.ids)):
        if at in read:
            yield read[at]
            continue
        path, size, type_, tags = next(listed)
        note = notes[at * 32 : at * 32 + 32]
        if note == NO_OID:
            yield ListRow(ObjectId(raw), None, 0, path, size, type_, tags)
        else:
            yield ListRow(ObjectId(raw), Oid(note), 1, path, size, type_, tags)


def _plain(records: Column, same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Records that columns say all of: those with one annotation at most, the row's own."""
    fields = records.fields
    if not records.size or not is_usual(records):
        return np.zeros(records.size, np.bool_)
    plain: NDArray[np.bool_] = same & (fields["annotations"].lengths <= 1)
    return plain


def _out_of(records: Column) -> Iterator[tuple[str, int, str, tuple[str, ...]]]:
    """First path, size, type and tags of records."""
    fields = records.fields
    paths = fields["paths"]
    there = paths.lengths > 0
    first = np.full(records.size, "", object)
    if there.any():
        first[there] = paths.items.fields["path"].take(paths.offsets[:-1][there]).texts()
    tags = fields["tags"].values() if fields["tags"].items.size else repeat([])
    return (
        (shown(path), size, type_, tuple(own))
        for path, size, type_, own in zip(
            first.tolist(), fields["size"].ints.tolist(), fields["type"].texts(), tags
        )
    )


def _read(catalog: Catalog, piece: Selected) -> Iterator[ListRow]:
    records: list[Record | None] = fill(scan_records(catalog, piece.ids), len(piece))
    notes = piece.annotations.tobytes()
    for at, (raw, record) in enumerate(zip(key_bytes(piece.ids), records)):
        note = notes[at * 32 : at * 32 + 32]
        yield _list_row(raw, record, None if note == NO_OID else Oid(note))


def _list_row(raw: bytes, record: Record | None, note: Oid | None) -> ListRow:
    if record is None:
        return ListRow(ObjectId(raw), note, 0, "", 0, "", ())
    version = record.annotations.index(note) + 1 if note in record.annotations else 0
    path = shown(record.paths[0].path) if record.paths else ""
    return ListRow(ObjectId(raw), note, version, path, record.size, record.type, record.tags)


def _pieces(rows: Selected) -> Iterator[Selected]:
    for at in range(0, len(rows), PIECE):
        yield rows.take(np.arange(at, min(at + PIECE, len(rows))))


@dataclass(frozen=True, slots=True)
class Show:
    """An expression whose value is to be shown for each object."""

    kind: ShowKind
    text: str
    """Empty: all of it."""
    option: str = ""
    """What it was given as, where that is not `--show` and its like."""


class Evaluated(NamedTuple):
    """Values of one object, one for each thing shown."""

    id: ObjectId
    values: tuple[Any, ...]


def shows_of(
    filters: Sequence[FilterSpec],
) -> tuple[tuple[FilterSpec, ...], tuple[Show, ...]]:
    """Split filters into those that filter and those that `eval` shows instead.

    The last annotation query and the last `--file` are shown when nothing but the other
    follows them.
    """
    left = list(filters)
    shows: list[Show] = []
    while left:
        kind = left[-1].kind
        taken = {"file" if show.kind == "file" else "annotation" for show in shows}
        family = "file" if kind == "file" else "annotation"
        if kind not in ("query", "jquery", "file") or family in taken:
            break
        shows.insert(0, Show(cast(ShowKind, kind), left.pop().value, f"--{kind}"))
    return tuple(left), tuple(shows)


class Evaluation:
    """Values of a selection; afterwards `warnings` tells what could not be evaluated.

    An object that lacks a key which a `query` names is left out.
    """

    def __init__(self, catalog: Catalog, rows: Selected, shows: Sequence[Show]) -> None:
        self._rows = rows
        self._instance = catalog.instance
        files = ColumnFiles(keep=KEPT)
        self._shows = [
            (show, RowProjector(catalog, show.kind, query_of(show), files)) for show in shows
        ]
        self._shown = 0

    def __iter__(self) -> Iterator[Evaluated]:
        for piece in _pieces(self._rows):
            columns = [projector.values(piece) for _, projector in self._shows]
            for name, values in zip(key_bytes(piece.ids), zip(*columns)):
                if not any(value is LACKING for value in values):
                    self._shown += 1
                    yield Evaluated(ObjectId(name), values)

    def warnings(self) -> Iterator[str]:
        """What failed, once for each expression; keys that no annotation has."""
        for show, projector in self._shows:
            if line := failure_line(repr(show.text), projector):
                yield line
        if len(self._rows) and not self._shown:
            some = self._rows.take(np.arange(min(len(self._rows), KnownKeys.ENOUGH)))
            keys = KnownKeys()
            for _, values in scan_annotations(self._instance, some.annotations):
                keys.see(values)
            for show, _ in self._shows:
                if show.kind == "query":
                    yield from keys.unknown(parse(show.text))


def query_of(show: Show) -> Query | None:
    """The compiled expression; None: the whole annotation or record."""
    if not show.text:
        return None
    usual = {"query": "--show", "jquery": "--jshow", "file": "--file-show"}
    missing: Literal["skip", "null"] = "skip" if show.kind == "query" else "null"
    return compile_query(parse(show.text, show.option or usual[show.kind]), missing)
