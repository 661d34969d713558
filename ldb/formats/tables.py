"""Rows of CSV and Parquet files, one by one, as JSON values.

What a CSV has is text; a number that is spelt as JSON spells it becomes one, an empty field is left
out. Parquet needs pyarrow (`ldb[parquet]`), which is loaded when the first such file is read.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO

from ldb.errors import BadInput, Unsupported
from ldb.formats.base import Trouble
from ldb.objects.codec import parse_json
from ldb.objects.model import MAX_PAYLOAD

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?")
JSON_COLUMN = b"ldb.json"
"""Marks, in the metadata of a Parquet column, that its texts are JSON: `json`, or `whole` where
each is a whole annotation."""

WHOLE = "\0whole"
"""The key in a row under which such a whole annotation comes."""

BATCH = 1024
"""Rows of a Parquet file that are held at a time."""


def csv_rows(name: str, file: BinaryIO) -> Iterator[tuple[str, Any] | Trouble]:
    """The rows of a CSV file with a header, `line 3` with each."""
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        csv.field_size_limit(MAX_PAYLOAD)
        rows = csv.reader(text, strict=True)
        header = next(rows, None)
        if not header:
            yield Trouble(name, "empty, not CSV")
            return
        if len(set(header)) < len(header):
            twice = next(key for key in header if header.count(key) > 1)
            yield Trouble(name, f"has two columns {twice!r}", "line 1")
            return
        for row in rows:
            record = f"line {rows.line_num}"
            if len(row) > len(header):
                yield Trouble(name, f"{len(row)} fields, {len(header)} columns", record)
            elif row:
                yield record, {key: _number(each) for key, each in zip(header, row) if each}
    except csv.Error as error:
        yield Trouble(name, f"bad CSV: {error}", f"line {rows.line_num}")
    except UnicodeDecodeError:
        yield Trouble(name, "not UTF-8")
    finally:
        text.detach()


def _number(text: str) -> Any:
    """The number that is spelt just so, or the text."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    number: int | float = float(text) if found[2] else int(text)
    return number if str(number) == text else text


def pyarrow_for(what: str) -> Any:
    """The module; raises `Unsupported` where it is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise Unsupported(f"{what} without pyarrow", "pip install 'ldb[parquet]'") from None
    return pa


def parquet_rows(name: str, file: BinaryIO) -> Iterator[tuple[str, Any] | Trouble]:
    """The rows of a Parquet file, `row 3` with each (from 0); nulls are left out."""
    pa = pyarrow_for(f"{name}: Parquet")
    number = 0
    try:
        table = pa.parquet.ParquetFile(file)
        marks = {each.name: (each.metadata or {}).get(JSON_COLUMN) for each in table.schema_arrow}
        in_json = {name: mark == b"whole" for name, mark in marks.items() if mark}
        for batch in table.iter_batches(BATCH):
            for row in batch.to_pylist():
                yield _plain_row(name, f"row {number}", row, in_json)
                number += 1
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        yield Trouble(name, f"bad Parquet: {why}", f"row {number}" if number else "")


def _plain_row(
    name: str, record: str, row: dict[str, Any], in_json: Mapping[str, bool]
) -> tuple[str, Any] | Trouble:
    found = {}
    try:
        for key, value in row.items():
            if value is None:
                continue
            if key in in_json:
                value = parse_json(str(value).encode("utf-8", "surrogatepass"), key)
            found[WHOLE if in_json.get(key) else key] = value if key in in_json else _plain(value)
    except BadInput as error:
        return Trouble(name, f"{error.where}: {error.why}", record)
    return record, found


def _plain(value: Any) -> Any:
    """A value of Parquet as one of JSON; raises `BadInput` where there is none like it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, timedelta)):
        return str(value)
    raise BadInput("value", f"{type(value).__name__} is no JSON value")
