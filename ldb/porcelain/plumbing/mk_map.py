"""`ldb mk-map`: a map from rows as text, in any order, in bounded memory.

Rows go through `maps.sort`, each with the number of its line, for what is said of those that
have one key.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import path_key
from ldb.errors import BadInput, LdbError, NotFound
from ldb.instance import Instance
from ldb.maps import Root, Rows, Schema, build, sort
from ldb.maps.rows import MAX_KEY
from ldb.maps.sort import MEMORY
from ldb.porcelain.plumbing.rowtext import NEWLINE, ZERO, key_texts, unescaped
from ldb.progress import SILENT, Progress

LINES = 65536
"""Lines parsed at a time."""

PATH_LINES = 8192
"""The same for `paths`: in a column, a key takes as many bytes as the longest."""

OPTIONAL = ("annotation", "transforms")
"""Fields that may be zeros: no blob."""

Bytes = NDArray[np.uint8]
Check = Callable[[Bytes, int], None]
"""Looks at parsed rows, shape (n, row bytes), and the number of the line of the first."""


def mk_map(
    instance: Instance,
    schema: Schema,
    stream: BinaryIO,
    *,
    end: bytes = NEWLINE,
    missing: bool = False,
    progress: Progress = SILENT,
) -> Root:
    """Store the map of the rows in `stream`, one a line; its root.

    Raises `BadInput` naming the line or the key that is wrong, and `NotFound` where a row
    names a blob that is not there, unless those may be `missing`.
    """
    progress.start("reading rows")
    if not schema.key_width:
        tables = _path_chunks(schema, stream, end)
    else:
        check = _no_check if missing else _reference_check(instance, schema)
        tables = (as_rows(schema, table) for table in fixed_rows(schema, stream, end, check))
    with instance.objects.writer() as writer:
        return build(writer, schema, _sorted(schema, tables, progress))


def _sorted(schema: Schema, chunks: Iterable[Rows], progress: Progress) -> Iterator[Rows]:
    """The rows in key order. Raises `BadInput` naming the lines of two with one key."""
    numbered = replace(schema, fields=(*schema.fields, ("line", 8)))

    def read() -> Iterator[Rows]:
        line = 1
        for rows in chunks:
            lines = np.arange(line, line + len(rows), dtype="<u8").view(np.uint8).reshape(-1, 8)
            line += len(rows)
            progress.advance(len(rows))
            yield Rows(rows.keys, (*rows.fields, lines))
        progress.start("writing the map", line - 1)

    def repeated(pair: Rows) -> BadInput:
        first, second = sorted(np.ascontiguousarray(pair.fields[-1]).view("<u8").ravel().tolist())
        key = key_texts(schema, pair)[0].decode("utf-8", "backslashreplace")
        return BadInput(f"lines {first} and {second}", f"both have the key {key}")

    for rows in sort(numbered, read(), memory=MEMORY, repeated=repeated):
        progress.advance(len(rows))
        yield Rows(rows.keys, rows.fields[:-1])


# -- keys of a fixed width -----------------------------------------------------------------


def fixed_rows(
    schema: Schema, stream: BinaryIO, end: bytes, check: Check | None = None
) -> Iterator[Bytes]:
    """Lines of hex columns as bytes, shape (n, row bytes)."""
    widths = (schema.key_width, *schema.widths)
    size = 2 * sum(widths) + len(widths)
    separators = np.cumsum([2 * width + 1 for width in widths]) - 1
    expected = np.frombuffer(b"\t" * len(schema.widths) + end, np.uint8)
    line = 1
    while data := stream.read(size * LINES):
        if len(data) % size == size - 1:
            data += end  # the last line may lack its end
        if len(data) % size:
            raise _bad_line(schema, data, end, line)
        text = np.frombuffer(data, np.uint8).reshape(-1, size)
        if not (text[:, separators] == expected).all():
            raise _bad_line(schema, data, end, line)
        rows = _from_hex(data if end == NEWLINE else data.replace(end, NEWLINE))
        if len(rows) != len(text) * sum(widths):
            raise _bad_line(schema, data, end, line)
        table = np.frombuffer(rows, np.uint8).reshape(-1, sum(widths))
        if check:
            check(table, line)
        line += len(table)
        yield table


def _from_hex(data: bytes) -> bytes:
    """Hex digits as bytes, tabs and line ends left out; nothing where there is anything else."""
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return b""


def _bad_line(schema: Schema, data: bytes, end: bytes, first: int) -> BadInput:
    """Names the first of these lines that is wrong, and what is wrong with it."""
    names = ("key", *(name for name, _ in schema.fields))
    widths = (schema.key_width, *schema.widths)
    for number, line in enumerate(data.split(end), start=first):
        parts = line.split(b"\t")
        if len(parts) != len(names):
            why = f"{len(parts)} columns where {len(names)} are needed: {', '.join(names)}"
            return BadInput(f"line {number}", why, "they are separated by tabs")
        for name, width, part in zip(names, widths, parts):
            if len(part) != 2 * width or len(_from_hex(part)) != width:
                return BadInput(f"line {number}", f"{name} is not {2 * width} hex digits")
    return BadInput(f"line {first}", "not rows of a map")


def _no_check(table: Bytes, line: int) -> None:
    """What rows name may be missing."""


def _reference_check(instance: Instance, schema: Schema) -> Check:
    """Checks that the blobs that rows name are there."""

    def check(table: Bytes, line: int) -> None:
        at = schema.key_width
        for name, width in schema.fields:
            oids = np.ascontiguousarray(table[:, at : at + width])
            at += width
            wanted: NDArray[np.bool_] = np.asarray(oids.any(axis=1))
            if name not in OPTIONAL and not wanted.all():
                where = line + int(np.flatnonzero(~wanted)[0])
                raise BadInput(f"line {where}", f"{name} is zeros, which stand for no blob")
            wanted[wanted] = ~instance.objects.contains(oids[wanted])
            if wanted.any():
                row = int(np.flatnonzero(wanted)[0])
                oid, where = oids[row].tobytes().hex(), line + row
                raise NotFound(
                    name, f"{oid} (line {where})", "store it first; --missing does without"
                )

    return check


def as_rows(schema: Schema, table: Bytes) -> Rows:
    """Rows of bytes as columns."""
    keys, *fields = _split(table, (schema.key_width, *schema.widths))
    return Rows(keys.view(f"S{schema.key_width}").ravel(), tuple(fields))


def _split(table: Bytes, widths: Sequence[int]) -> tuple[Bytes, ...]:
    """Columns of these widths."""
    ends = np.cumsum(widths).tolist()
    columns = zip(ends, widths, strict=True)
    return tuple(np.ascontiguousarray(table[:, end - width : end]) for end, width in columns)


# -- URIs ----------------------------------------------------------------------------------


def _path_chunks(schema: Schema, stream: BinaryIO, end: bytes) -> Iterator[Rows]:
    """Lines of a URI and hex columns, in the order given."""
    columns = 2 * sum(schema.widths) + len(schema.widths)
    numbered = enumerate(_lines(stream, end, 4 * MAX_KEY + columns), start=1)
    while lines := list(itertools.islice(numbered, PATH_LINES)):
        keys, fields = [], []
        for number, line in lines:
            try:
                keys.append(_key(line[:-columns], end))
                fields.append(_fields(schema, line[-columns:]))
            except LdbError as error:
                why = error.why if isinstance(error, BadInput) else str(error)
                raise BadInput(f"line {number}", why, error.hint) from None
        table = np.frombuffer(b"".join(fields), np.uint8).reshape(len(keys), -1)
        yield Rows(schema.column(keys), _split(table, schema.widths))


def _key(uri: bytes, end: bytes) -> bytes:
    text = uri if end == ZERO else unescaped(uri)
    if b"/" not in text or b"\0" in text:
        raise BadInput("key", "not a URI: no slash in it, or a zero byte")
    key = path_key(text)
    if len(key) > MAX_KEY:
        raise BadInput("key", f"longer than {MAX_KEY} bytes")
    return key


def _fields(schema: Schema, text: bytes) -> bytes:
    parts = text.split(b"\t")[1:]
    if not text.startswith(b"\t") or len(parts) != len(schema.fields):
        names = ", ".join(name for name, _ in schema.fields)
        raise BadInput("row", f"not a URI and the columns {names}, separated by tabs")
    for (name, width), part in zip(schema.fields, parts):
        if len(part) != 2 * width or len(_from_hex(part)) != width:
            raise BadInput(name, f"{name} is not {2 * width} hex digits")
    return _from_hex(b"".join(parts))


def _lines(stream: BinaryIO, end: bytes, longest: int) -> Iterator[bytes]:
    """The lines of a stream without their ends; the last may lack it."""
    rest, number = b"", 0
    while data := stream.read(1 << 20):
        *whole, rest = (rest + data).split(end)
        if len(rest) > longest:
            raise BadInput(f"line {number + len(whole) + 1}", f"longer than {longest} bytes")
        number += len(whole)
        yield from whole
    if rest:
        yield rest
