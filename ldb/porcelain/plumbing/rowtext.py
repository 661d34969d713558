"""Rows of maps as text: one row a line, key and fields separated by tabs, bytes in hex.

The keys of `paths` are URIs. Bytes in them that could end a line or a column (below 32, and
127) and the backslash are written `\\xHH`; with a zero byte for the end of a line they
stand as they are. Lines are made column by column, a few nanoseconds a byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import key_path
from ldb.errors import BadInput
from ldb.maps import Rows, Schema
from ldb.maps.rows import Field, key_matrix

NEWLINE = b"\n"
ZERO = b"\0"

_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint8).reshape(256, 2)
_ODD = re.compile(rb"[\x00-\x1f\x7f\\]")
_ESCAPED = re.compile(rb"\\(x[0-9a-fA-F]{2})?")


def block(schema: Schema, rows: Rows, end: bytes = NEWLINE) -> bytes:
    """All rows as lines."""
    if schema.key_width:
        return _matrix([key_matrix(rows.keys), *rows.fields], end).tobytes()
    return b"".join(line + end for line in lines(schema, rows, end))


def lines(schema: Schema, rows: Rows, end: bytes = NEWLINE) -> list[bytes]:
    """The same, a line each and without their ends."""
    values = field_texts(rows)
    return [b"%s\t%s" % pair for pair in zip(key_texts(schema, rows, end), values)]


def field_texts(rows: Rows) -> list[bytes]:
    """The fields of each row."""
    return _split(_matrix(rows.fields, b""))


def key_texts(schema: Schema, rows: Rows, end: bytes = NEWLINE) -> list[bytes]:
    """The key of each row: hex, or a URI."""
    if schema.key_width:
        return _split(_matrix([key_matrix(rows.keys)], b""))
    uris = map(key_path, rows.keys.tolist())
    return list(uris) if end == ZERO else [_ODD.sub(_escape, uri) for uri in uris]


def records(schema: Schema, rows: Rows) -> list[dict[str, Any]]:
    """Rows as values for JSON; keys that are not UTF-8 have surrogates in them."""
    names = [name for name, _ in schema.fields]
    columns = [_split(_matrix([field], b"")) for field in rows.fields]
    keys = key_texts(schema, rows, ZERO)
    return [
        {
            "key": key.decode("utf-8", "surrogateescape"),
            **{name: value.decode() for name, value in zip(names, values)},
        }
        for key, values in zip(keys, zip(*columns))
    ]


def unescaped(text: bytes) -> bytes:
    """The inverse of what `key_texts` does to a URI; raises `BadInput`."""
    return _ESCAPED.sub(_unescape, text) if b"\\" in text else text


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\\x%02x" % found[0][0]


def _unescape(found: re.Match[bytes]) -> bytes:
    if not found[1]:
        raise BadInput("key", r"a backslash that is not part of \xHH", r"write it \x5c")
    return bytes([int(found[1][1:], 16)])


def _matrix(columns: Sequence[Field], end: bytes) -> NDArray[np.uint8]:
    """Columns of bytes as hex with tabs between and `end` after them, shape (n, width)."""
    count = len(columns[0])
    parts: list[NDArray[np.uint8]] = []
    for column in columns:
        parts.append(_HEX[column].reshape(count, 2 * column.shape[1]))
        parts.append(np.full((count, 1), ord("\t"), np.uint8))
    parts.pop()
    parts.append(np.full((count, len(end)), ord(end) if end else 0, np.uint8))
    return np.concatenate(parts, axis=1)


def _split(matrix: NDArray[np.uint8]) -> list[bytes]:
    raw, width = matrix.tobytes(), matrix.shape[1]
    return [raw[at : at + width] for at in range(0, len(raw), width)]
