"""Nodes as bytes: the canonical MessagePack of docs/formats/map.md, put together from columns.

A node is a few byte strings between fixed words. Cutting them out of the columns of many
nodes at once is several times quicker than encoding a dictionary for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from struct import pack

import numpy as np

from ldb.maps.rows import Field, Keys, Rows, Schema, key_lengths
from ldb.objects.codec import encode


def encode_node(schema: Schema, level: int, rows: Rows) -> bytes:
    """Payload of a node of at least one row (or of the empty map)."""
    return encode_nodes(schema, level, rows, [len(rows)])[0]


def encode_nodes(schema: Schema, level: int, rows: Rows, ends: Sequence[int]) -> list[bytes]:
    """Payloads of the nodes that rows are cut into; `ends` (exclusive) begin after row 0."""
    fields = list(zip(map(_raw, rows.fields), schema.widths, strict=True))
    opening, middle, closing = _words(schema, level)
    keys, edges = _keys(schema, rows)
    payloads = []
    for start, end in pairwise([0, *ends]):
        size = end - start
        parts: list[bytes | memoryview] = [opening]
        for column, width in fields:
            parts += (_bin(size * width), column[start * width : end * width])
        first, last = edges[start], edges[end]
        parts += (middle, _bin(last - first), keys[first:last])
        if not schema.key_width:
            lengths = np.diff(edges[start : end + 1]).astype("<u2").tobytes()
            parts += (_LENGTHS, _bin(len(lengths)), lengths)
        parts.append(closing)
        payloads.append(b"".join(parts))
    return payloads


_LENGTHS = encode("lengths")


@lru_cache(64)
def _words(schema: Schema, level: int) -> tuple[bytes, bytes, bytes]:
    """What stands before the fields of a node, before its keys, and behind them."""
    count = len(schema.fields)
    opening = bytes([0x84 if schema.key_width else 0x85]) + encode("fields")
    array = encode([0] * count)[:-count]
    return opening + array, encode("keys"), ending(level, schema.name)


def ending(level: int, schema: str) -> bytes:
    """What every node of this level and schema ends with, and no other node."""
    return encode({"level": level, "schema": schema})[1:]


def _keys(schema: Schema, rows: Rows) -> tuple[memoryview, Sequence[int]]:
    """All keys end to end, and where each begins (and the last ends)."""
    width = schema.key_width
    if width:
        return _raw(rows.keys), range(0, width * len(rows) + 1, width)
    ends = np.cumsum(key_lengths(rows.keys)).tolist()
    return memoryview(b"".join(rows.keys.tolist())), [0, *ends]


def _raw(column: Field | Keys) -> memoryview:
    """The bytes of a column, without a copy where they lie end to end."""
    return np.ascontiguousarray(column).view(np.uint8).reshape(-1).data


@lru_cache(4096)
def _bin(length: int) -> bytes:
    """The head of a byte string."""
    if length < 1 << 8:
        return pack(">BB", 0xC4, length)
    if length < 1 << 16:
        return pack(">BH", 0xC5, length)
    return pack(">BI", 0xC6, length)
