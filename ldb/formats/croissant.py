"""`croissant`: a dataset described in JSON-LD by MLCommons' Croissant 1.0, with its records.

Reading takes the record sets that name files of the location: records that stand in the metadata,
or rows of a CSV, JSON-lines or Parquet file that it names. Writing makes `croissant.json` and
`annotations.jsonl` beside the data.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

from ldb.errors import BadInput, LdbError
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
    found_in,
    named_in,
    why_of,
)
from ldb.formats.croissantshape import Set, described, record_sets
from ldb.formats.imagefolder import row_of
from ldb.formats.jsonfiles import json_lines
from ldb.formats.jsontext import json_text
from ldb.formats.tables import csv_rows, parquet_rows
from ldb.objects.codec import parse_json
from ldb.objects.model import MAX_PAYLOAD

METADATA = "croissant.json"
RECORDS = "annotations.jsonl"
FILE = "file"
MOST_KEYS = 1000
MOST_ENDINGS = 100
LOOKED_AT = 20
"""Records in which a field is looked for that names files."""

_ROWS = {"jsonl": json_lines, "csv": csv_rows, "parquet": parquet_rows}


def reader(params: Values) -> Croissant:
    """Reads every `croissant.json` of the location."""
    return Croissant(params["file-field"])


def writer(params: Values) -> CroissantFiles:
    """Writes metadata and records."""
    return CroissantFiles(params["name"])


def recognise(peek: Peek) -> str:
    """A file of this name that says it is one."""
    for name in peek.names:
        if _is_metadata(name) and b"croissant" in peek.head(name).lower():
            return f"{name} describes the files"
    return ""


def _is_metadata(name: str) -> bool:
    return name.rpartition("/")[2] == METADATA


class Croissant(BaseReader):
    """Reads record sets that name files."""

    def __init__(self, file_field: str) -> None:
        self._field = file_field

    def files(self, listing: Listing) -> Files:
        tables = tuple(f".{ending}" for ending in _ROWS)
        return Files(
            [name for name in listing.names if _is_metadata(name) or name.endswith(tables)]
        )

    def read(self, listing: Listing, labels: Sequence[str]) -> Iterator[Read]:
        found = [name for name in labels if _is_metadata(name)]
        if not found:
            yield Trouble("", f"there is no {METADATA}")
        for name in found:
            try:
                with listing.open(name) as file:
                    raw = file.read(MAX_PAYLOAD + 1)
                sets = record_sets(parse_json(raw, "metadata"))
            except LdbError as error:
                yield Trouble(name, why_of(error))
                continue
            yield from self._of_sets(listing, name, sets)

    def _of_sets(self, listing: Listing, name: str, sets: Sequence[Set]) -> Iterator[Read]:
        named = False
        for each in sets:
            try:
                for found in self._of_set(listing, name, each):
                    named = named or isinstance(found, Labelled)
                    yield found
            except LdbError as error:
                yield Trouble(name, why_of(error), each.name)
        if not named:
            why = "no record set of it names files that are here; -p file-field=NAME says which"
            yield Trouble(name, why)

    def _of_set(self, listing: Listing, name: str, one: Set) -> Iterator[Read]:
        """Records of one set; none where no field names files."""
        rows = self._rows(listing, name, one)
        first = list(islice(rows, LOOKED_AT))
        key = self._file_field(listing, name, [row for row in first if isinstance(row, tuple)])
        if not key:
            # What is wrong in it is told all the same.
            yield from (row for row in first if isinstance(row, Trouble))
            return
        for row in chain(first, rows):
            yield row if isinstance(row, Trouble) else _labelled(listing, name, one, key, *row)

    def _file_field(
        self, listing: Listing, name: str, rows: Sequence[tuple[str, dict[str, Any]]]
    ) -> str:
        for _, row in rows:
            for key, value in row.items():
                if self._field:
                    if key == self._field:
                        return key
                elif isinstance(value, str) and found_in(listing, value, name):
                    return key
        return ""

    def _rows(
        self, listing: Listing, name: str, one: Set
    ) -> Iterator[tuple[str, dict[str, Any]] | Trouble]:
        """Records as values by field."""
        for at, record in enumerate(one.data):
            yield f"{one.name}[{at}]", one.of_inline(record)
        if not one.table:
            return
        table = found_in(listing, one.table, name)
        ending = table.rpartition(".")[2]
        if ending not in _ROWS:
            return  # another file than a table, or one that is elsewhere
        with listing.open(table) as file:
            for row in _ROWS[ending](table, file):
                if isinstance(row, Trouble):
                    yield row
                elif isinstance(row[1], dict):
                    yield f"{one.name}: {row[0]}", one.of_row(row[1])
                else:
                    yield Trouble(table, "is no JSON object", row[0])


def _labelled(
    listing: Listing, name: str, one: Set, key: str, record: str, row: dict[str, Any]
) -> Read:
    path = row.pop(key, None)
    if not isinstance(path, str) or not path:
        return Trouble(name, f"names no file in {key!r}", record)
    return Labelled(row, name, record, named_in(listing, path, name))


class CroissantFiles(BaseWriter):
    """Writes data files, their records and the description of both."""

    def __init__(self, name: str) -> None:
        if not name:
            raise BadInput("-p name", "is empty", "a name for the dataset, such as cats")
        self._name = name

    def write(self, items: Iterable[Item], folder: Folder) -> Losses:
        losses = Losses()
        kinds = _kinds(items)
        endings: dict[str, str] = {}
        with folder.create(RECORDS) as file:
            records = _Hashed(file)
            for item in items:
                ending = item.path.rpartition(".")[2] if "." in item.path else ""
                if len(endings) < MOST_ENDINGS:
                    endings.setdefault(ending, _mime(item.path))
                if item.annotated:
                    records.write(json_text(_record(item, kinds, losses)))
        value = described(
            self._name, RECORDS, records.digest.hexdigest(), records.size, kinds, endings
        )
        with folder.create(METADATA) as file:
            file.write(json_text(value, indented=True))
        return losses


def _kinds(items: Iterable[Item]) -> dict[str, str]:
    """What each key holds, in all annotations; nothing but nulls is text."""
    kinds: dict[str, str] = {}
    for item in items:
        if not item.annotated:
            continue
        for key, value in row_of(item, FILE, item.path, Losses()).items():
            kind = _kind(value)
            had = kinds.get(key) or kind
            if "json" in (had, kind):
                kinds[key] = "json"
            elif {had, kind or had} == {"int", "float"}:
                kinds[key] = "float"
            else:
                kinds[key] = had if kind in ("", had) else "str"
        if len(kinds) > MOST_KEYS:
            raise BadInput("croissant", f"the annotations have more than {MOST_KEYS} keys")
    return kinds


def _record(item: Item, kinds: dict[str, str], losses: Losses) -> dict[str, Any]:
    row = row_of(item, FILE, item.path, losses)
    for key, value in row.items():
        if kinds[key] == "json" and value is not None:
            row[key] = json_text(value).decode().rstrip("\n")
            losses.add(f"the key `{key}`: nested somewhere, so it is JSON text", item.path)
    return row


def _kind(value: Any) -> str:
    if value is None:
        return ""
    for kind, name in ((bool, "bool"), (int, "int"), (float, "float"), (str, "str")):
        if isinstance(value, kind):
            return name
    return "json"


def _mime(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


class _Hashed:
    """A file that is written, with its size and SHA-256."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.digest.update(data)
        self.size += len(data)
