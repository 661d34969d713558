"""`parquet`: a table with a row for each data object, named by id or path, in columns.

Columns that Parquet has a type for hold numbers, texts and truths; what is nested or mixed is JSON
text in a column that says so, so that a table written here is read back to the same values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

from ldb.errors import BadInput
from ldb.formats.base import (
    BaseReader,
    BaseWriter,
    Files,
    Folder,
    Item,
    Labelled,
    Listing,
    Losses,
    Peek,
    Read,
    Trouble,
    Values,
    named_in,
    read_each,
)
from ldb.formats.imagefolder import row_of
from ldb.formats.jsontext import json_text
from ldb.formats.tables import BATCH, JSON_COLUMN, WHOLE, parquet_rows, pyarrow_for
from ldb.ids import is_hex

TABLE = "annotations.parquet"
ID_COLUMNS = ("data_object_id", "id", "md5")
PATH_COLUMNS = (
    "path",
    "file_name",
    "file_path",
    "filepath",
    "filename",
    "image_path",
    "uri",
    "url",
)
MOST_COLUMNS = 1000


def reader(params: Values) -> Table:
    """Reads every `.parquet` file of the location; raises `Unsupported` without pyarrow."""
    pyarrow_for("parquet")
    return Table(params)


def writer(params: Values) -> TableFile:
    """Writes one table; raises `Unsupported` without pyarrow."""
    pyarrow_for("parquet")
    return TableFile(params["annotation-column"])


def recognise(peek: Peek) -> str:
    """A table that LDB wrote: others are told by what the user knows of their columns."""
    found = [name for name in peek.names if name.rpartition("/")[2] == TABLE]
    return f"{found[0]} is there" if found else ""


class Table(BaseReader):
    """Reads tables."""

    def __init__(self, params: Values) -> None:
        self._id: str = params["id-column"]
        self._path: str = params["path-column"]
        self._annotation: str = params["annotation-column"]

    def files(self, listing: Listing) -> Files:
        return Files([name for name in listing.names if name.lower().endswith(".parquet")])

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        def parse(name: str, file: BinaryIO) -> Iterator[Read]:
            for each in parquet_rows(name, file):
                if isinstance(each, Trouble):
                    yield each
                else:
                    yield self._labelled(listing, name, *each)

        return read_each(listing, labels, parse)

    def _labelled(self, listing: Listing, name: str, record: str, row: dict[str, Any]) -> Read:
        try:
            digits = self._taken(row, self._id, ID_COLUMNS, _is_id)
            path = self._taken(row, self._path, PATH_COLUMNS, lambda _: True)
        except BadInput as error:
            return Trouble(name, f"{error.where}: {error.why}", record)
        if not digits and not path:
            columns = ", ".join(row) or "none"
            why = f"no id and no path among its columns: {columns}; -p path-column=NAME says which"
            return Trouble(name, why, record)
        value: Any = row
        if self._annotation:
            if self._annotation not in row:
                return Trouble(name, f"nothing in column {self._annotation!r}", record)
            value = row[self._annotation]
        elif WHOLE in row:
            value = row[WHOLE]
        return Labelled(value, name, record, named_in(listing, path, name) if path else "", digits)

    def _taken(self, row: dict[str, Any], asked: str, usual: Sequence[str], fits: Any) -> str:
        """The text in a column, which leaves the row; empty where there is none."""
        for key in [asked] if asked else usual:
            value = row.get(key)
            if isinstance(value, str) and value and (asked or fits(value)):
                del row[key]
                return value
            if asked and value is not None:
                raise BadInput(key, "is no text")
        return ""


def _is_id(text: str) -> bool:
    return len(text) in (32, 64) and is_hex(text.lower())


class TableFile(BaseWriter):
    """Writes data files and a table of them."""

    def __init__(self, column: str) -> None:
        self._column = column

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        pa = pyarrow_for("parquet")
        schema = self._schema(pa, items)
        losses = Losses()
        rows = (self._row(item, losses) for item in items if item.annotated)
        with (
            folder.create(TABLE) as file,
            pa.parquet.ParquetWriter(file, schema, compression="zstd") as table,
        ):
            while some := list(islice(rows, BATCH)):
                columns = [_column(pa, each, some) for each in schema]
                table.write_table(pa.Table.from_arrays(columns, schema=schema))
        return losses

    def _row(self, item: Item, losses: Losses) -> dict[str, Any]:
        if self._column:
            row = {"path": item.path, self._column: item.annotation}
        else:
            row = row_of(item, "path", item.path, losses)
            if "data_object_id" in row:
                losses.add("the key `data_object_id`: the id stands there", item.path)
        return {**row, "data_object_id": item.id}

    def _schema(self, pa: Any, items: Iterable[Item]) -> Any:
        """The columns, and what fits into each: found by going through all annotations."""
        if self._column:
            if self._column in ("path", "data_object_id"):
                raise BadInput("-p annotation-column", f"{self._column!r} has another meaning")
            kinds = {self._column: "whole"}
        else:
            kinds = self._kinds(items)
        types = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
        fields = [pa.field("data_object_id", pa.string()), pa.field("path", pa.string())]
        for key, kind in kinds.items():
            metadata = {JSON_COLUMN: kind.encode()} if kind in ("json", "whole") else None
            fields.append(pa.field(key, types.get(kind, pa.string()), metadata=metadata))
        return pa.schema(fields)

    def _kinds(self, items: Iterable[Item]) -> dict[str, str]:
        kinds: dict[str, str] = {}
        for item in items:
            if not item.annotated:
                continue
            for key, value in row_of(item, "path", item.path, Losses()).items():
                if key not in ("path", "data_object_id"):
                    kind = _kind(value)
                    kinds[key] = kind if kinds.get(key, kind) == kind else "json"
            if len(kinds) > MOST_COLUMNS:
                why = f"the annotations have more than {MOST_COLUMNS} different keys"
                raise BadInput(
                    "parquet", why, "-p annotation-column=annotation: one column of JSON"
                )
        return dict(sorted(kinds.items()))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if value < 1 << 63 else "json"
    if isinstance(value, float):
        return "float"
    return "str" if isinstance(value, str) else "json"


def _column(pa: Any, field: Any, rows: Sequence[dict[str, Any]]) -> Any:
    found = [row.get(field.name) for row in rows]
    if field.metadata:
        found = [
            json_text(row[field.name]).decode().rstrip("\n") if field.name in row else None
            for row in rows
        ]
    return pa.array(found, field.type)
