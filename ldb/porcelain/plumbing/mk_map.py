"""`ldb mk-map`: a map from rows as text, in any order, in bounded memory.

Rows with keys of a fixed width (`dataset`, `objects`) are parsed and sorted in numpy: they
wait as bytes in a temporary file, and what is held is a few bytes a row. Rows of `paths` are
sorted in runs, which are merged.
"""

from __future__ import annotations

import heapq
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import IO, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import path_key
from ldb.errors import BadInput, LdbError, NotFound
from ldb.instance import Instance
from ldb.maps import Root, Rows, Schema, build
from ldb.maps.rows import MAX_KEY
from ldb.porcelain.plumbing.rowtext import NEWLINE, ZERO, unescaped
from ldb.progress import SILENT, Progress

LINES = 65536
"""Lines parsed at a time."""

RUN = 262144
"""Rows of `paths` sorted at a time."""

OPTIONAL = ("annotation", "transforms")
"""Fields that may be zeros: no blob."""

_LENGTH = Struct("<H")

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
        chunks = _sorted_paths(schema, _path_rows(schema, stream, end), progress)
    else:
        check = _no_check if missing else _reference_check(instance, schema)
        chunks = _sorted_fixed(schema, fixed_rows(schema, stream, end, check), progress)
    with instance.objects.writer() as writer:
        return build(writer, schema, chunks)


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


def _sorted_fixed(schema: Schema, batches: Iterable[Bytes], progress: Progress) -> Iterator[Rows]:
    """The rows of all batches in key order."""
    with tempfile.TemporaryFile() as spool:
        count = 0
        for batch in batches:
            spool.write(batch.data)
            count += len(batch)
            progress.advance(len(batch))
        spool.flush()
        if count:
            shape = (count, schema.key_width + sum(schema.widths))
            table = np.memmap(spool, np.uint8, "r", shape=shape)
            progress.start("writing the map", count)
            yield from _in_order(schema, table, progress)


def _in_order(schema: Schema, table: Bytes, progress: Progress) -> Iterator[Rows]:
    order = _order(table, schema.key_width)
    for at in range(0, len(table), LINES):
        rows = table[at : at + LINES] if order is None else table[order[at : at + LINES]]
        yield as_rows(schema, np.asarray(rows))
        progress.advance(len(rows))


def _order(table: Bytes, width: int) -> NDArray[np.intp] | None:
    """Positions of the rows by key; None where they are in order. Raises `BadInput`."""
    heads = np.ascontiguousarray(table[:, :8]).view(">u8").ravel().astype(np.uint64)
    if (heads[1:] > heads[:-1]).all():
        return None
    order = np.argsort(heads, kind="stable")
    ranked = heads[order]
    if (ranked[1:] == ranked[:-1]).any():
        keys = np.ascontiguousarray(table[:, :width]).view(f"S{width}").ravel()
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
        if len(same):
            lines = sorted(int(order[same[0] + step]) + 1 for step in (0, 1))
            key = bytes(table[order[same[0]], :width]).hex()
            raise BadInput(f"lines {lines[0]} and {lines[1]}", f"both have the key {key}")
    return order


def as_rows(schema: Schema, table: Bytes) -> Rows:
    """Rows of bytes, sorted by key, as columns."""
    columns, at = [], 0
    for width in (schema.key_width, *schema.widths):
        columns.append(np.ascontiguousarray(table[:, at : at + width]))
        at += width
    keys = columns[0].view(f"S{schema.key_width}").ravel()
    return Rows(keys, tuple(columns[1:]))


# -- URIs ----------------------------------------------------------------------------------

Row = tuple[bytes, bytes]
"""Key, and the fields as bytes."""


def _path_rows(schema: Schema, stream: BinaryIO, end: bytes) -> Iterator[Row]:
    """Lines of a URI and hex columns, in the order given."""
    columns = 2 * sum(schema.widths) + len(schema.widths)
    longest = 4 * MAX_KEY + columns
    for number, line in enumerate(_lines(stream, end, longest), start=1):
        try:
            uri, fields = line[:-columns], line[-columns:]
            yield _key(uri, end), _fields(schema, fields)
        except LdbError as error:
            why = error.why if isinstance(error, BadInput) else str(error)
            raise BadInput(f"line {number}", why, error.hint) from None


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


def _sorted_paths(schema: Schema, rows: Iterator[Row], progress: Progress) -> Iterator[Rows]:
    """All rows in key order, in chunks."""
    with tempfile.TemporaryFile() as spool:
        runs: list[Iterator[Row]] = []
        while run := sorted(itertools.islice(rows, RUN)):
            progress.advance(len(run))
            if len(run) < RUN and not runs:
                runs.append(iter(run))
                break
            start = spool.tell()
            for row in run:
                spool.write(_LENGTH.pack(len(row[0])) + b"".join(row))
            runs.append(_stored(spool, start, len(run), sum(schema.widths)))
        progress.start("writing the map")
        merged = _without_repeats(heapq.merge(*runs))
        while chunk := list(itertools.islice(merged, LINES)):
            yield _path_chunk(schema, chunk)
            progress.advance(len(chunk))


def _stored(spool: IO[bytes], at: int, count: int, width: int) -> Iterator[Row]:
    """The rows of a run that was written to the spool."""
    for first in range(0, count, 1024):
        spool.seek(at)
        batch = []
        for _ in range(min(1024, count - first)):
            (length,) = _LENGTH.unpack(spool.read(_LENGTH.size))
            batch.append((spool.read(length), spool.read(width)))
        at = spool.tell()
        yield from batch


def _without_repeats(rows: Iterable[Row]) -> Iterator[Row]:
    last = b""
    for row in rows:
        if row[0] == last:
            uri = row[0].replace(b"/\x01", b"/").decode("utf-8", "backslashreplace")
            raise BadInput("rows", f"two have the key {uri}")
        last = row[0]
        yield row


def _path_chunk(schema: Schema, chunk: list[Row]) -> Rows:
    keys = schema.column(key for key, _ in chunk)
    table = np.frombuffer(b"".join(fields for _, fields in chunk), np.uint8)
    table = table.reshape(len(chunk), -1)
    ends = np.cumsum(schema.widths).tolist()
    fields = [
        np.ascontiguousarray(table[:, stop - width : stop])
        for stop, width in zip(ends, schema.widths)
    ]
    return Rows(keys, tuple(fields))
