"""`ldb eval`, and the numbers of a selection.

Rows come in pieces, so that a million of them never stand in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import numpy as np

from ldb.catalog import Catalog, key_bytes
from ldb.ids import ObjectId
from ldb.objects.columnfiles import ColumnFiles
from ldb.places.model import NO_BLOB
from ldb.query.asking import known_keys
from ldb.query.parse import parse
from ldb.query.plugins import NONE, Plugins, functions_for
from ldb.query.projecting import LACKING, RowProjector
from ldb.query.rowwise import Query, compile_query
from ldb.query.scanning import failure_line
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec, misread

PIECE = 200_000
"""Rows held at a time."""
KEPT = 4_000_000
"""Rows whose columns are kept from piece to piece; beyond them each piece opens them anew."""

ShowKind = Literal["query", "jquery", "file"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of a selection."""

    objects: int
    annotated: int


def summary(catalog: Catalog, rows: Selected) -> Summary:
    """How many objects there are, and how many have an annotation."""
    without = rows.places(catalog.instance.objects).numbers == NO_BLOB
    return Summary(len(rows), len(rows) - int(without.sum()))


def pieces(rows: Selected) -> Iterator[Selected]:
    """The rows, so many at a time."""
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

    def __init__(
        self,
        catalog: Catalog,
        rows: Selected,
        shows: Sequence[Show],
        plugins: Plugins = NONE,
    ) -> None:
        self._rows = rows
        self._catalog = catalog
        files = ColumnFiles(keep=KEPT)
        self._shows = [
            (show, RowProjector(catalog, show.kind, query_of(show, plugins), files))
            for show in shows
        ]
        self._shown = 0

    def __iter__(self) -> Iterator[Evaluated]:
        for piece in pieces(self._rows):
            columns = [projector.values(piece) for _, projector in self._shows]
            for name, values in zip(key_bytes(piece.ids), zip(*columns)):
                if not any(value is LACKING for value in values):
                    self._shown += 1
                    yield Evaluated(ObjectId(name), values)

    def warnings(self) -> Iterator[str]:
        """What failed, once for each expression; keys that no annotation has."""
        for show, projector in self._shows:
            yield from misread(FilterSpec(show.kind, show.text))
            if line := failure_line(repr(show.text), projector):
                yield line
        if len(self._rows) and not self._shown:
            keys = known_keys(self._catalog, self._rows)
            for show, _ in self._shows:
                if show.kind == "query":
                    yield from keys.unknown(parse(show.text))


def query_of(show: Show, plugins: Plugins = NONE) -> Query | None:
    """The compiled expression; None: the whole annotation or record."""
    if not show.text:
        return None
    usual = {"query": "--show", "jquery": "--jshow", "file": "--file-show"}
    missing: Literal["skip", "null"] = "skip" if show.kind == "query" else "null"
    expression = parse(show.text, show.option or usual[show.kind])
    return compile_query(expression, missing, functions_for(expression, plugins))
