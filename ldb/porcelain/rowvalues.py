"""What an expression says of each row, spelt so that equal values are equal bytes.

For commands that put rows with the same value together: `split`, `dedup`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ldb.catalog import Catalog
from ldb.objects.codec import encode
from ldb.objects.columnfiles import ColumnFiles
from ldb.porcelain.look import KEPT, Show, ShowKind, pieces, query_of
from ldb.progress import SILENT, Progress
from ldb.query.asking import known_keys
from ldb.query.parse import parse
from ldb.query.projecting import LACKING, RowProjector
from ldb.query.scanning import failure_line
from ldb.query.selected import Selected


@dataclass(slots=True)
class RowValues:
    """A value for each row; None where it has none: a key is missing, null, or it failed."""

    values: list[bytes | None] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def row_values(
    catalog: Catalog,
    rows: Selected,
    text: str,
    option: str,
    kind: ShowKind = "query",
    progress: Progress = SILENT,
) -> RowValues:
    """Evaluate the expression that was given as `option`; raises `BadInput` where it is none."""
    projector = RowProjector(
        catalog, kind, query_of(Show(kind, text, option)), ColumnFiles(keep=KEPT)
    )
    found = RowValues()
    progress.start(option, len(rows))
    for piece in pieces(rows):
        found.values += _spelt(projector.values(piece))
        progress.advance(len(piece))
    if line := failure_line(option, projector):
        found.warnings.append(line)
    if kind != "file" and len(rows) and not any(each is not None for each in found.values):
        found.warnings += known_keys(catalog, rows).unknown(parse(text, option))
    return found


def _spelt(values: list[Any]) -> Iterator[bytes | None]:
    known: dict[str, bytes] = {}
    for value in values:
        if value is None or value is LACKING:
            yield None
        elif value.__class__ is str:
            spelling = known.get(value)
            if spelling is None:
                spelling = known[value] = encode(value)
            yield spelling
        else:
            yield encode(_plain(value))


def _plain(value: Any) -> Any:
    """The value with whole floats as integers, for 1 and 1.0 are one number to JMESPath."""
    if value.__class__ is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if value.__class__ is list:
        return [_plain(each) for each in value]
    if value.__class__ is dict:
        return {key: _plain(each) for key, each in value.items()}
    return value
