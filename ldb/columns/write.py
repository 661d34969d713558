"""Writes columns as one file: an Arrow IPC file with a directory of our own inside.

Every part of a column becomes one Arrow buffer, compressed by itself. Format:
docs/formats/columns.md; `read` is the other side.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import zstandard
from numpy.typing import NDArray

from ldb.columns import arrow, layout
from ldb.columns.model import Column, Kind, Mask, Words, spread

LEVEL = 1
"""Of zstd; measured in docs/design/008-columns.md."""

LARGE = 1 << 31
"""From here on offsets take 64 bits."""

DEEPEST = 60
"""Levels of Arrow fields; below, lists and objects are opaque. Arrow readers stop at 64."""

_ABSENT = (Kind.MISSING, Kind.NULL)
_NAMES = {
    Kind.TRUE: "bool",
    Kind.INT: "int",
    Kind.FLOAT: "float",
    Kind.TEXT: "text",
    Kind.LIST: "list",
    Kind.OBJECT: "object",
}
Node = dict[str, Any]
"""A node of the directory, with `_Part` for parts until their places are known."""


def encode_columns(column: Column, level: int = LEVEL) -> bytes:
    """The file of a column: one row for each of its values."""
    return _Writer(level).file(column)


class _Body:
    """The body of a message: buffers one after the other, each at a multiple of 8."""

    def __init__(self, level: int) -> None:
        self.start = 0
        """Place in the file, once it is known."""
        self.size = 0
        self.buffers: list[tuple[int, int]] = []
        self.nodes: list[tuple[int, int]] = []
        self._zstd = zstandard.ZstdCompressor(level=level)
        self._chunks: list[Any] = []

    def node(self, length: int, nulls: int) -> None:
        """Starts a field; its buffers follow."""
        self.nodes.append((length, nulls))

    def leave_out(self) -> None:
        """A buffer of no bytes, as for the bitmap of values that are all there."""
        self.buffers.append((self.size, 0))

    def add(self, array: NDArray[Any], dtype: str) -> _Part:
        """A buffer; Arrow puts its unpacked length before it, -1 where it is not packed."""
        data = np.ascontiguousarray(array, "<" + dtype).view(np.uint8).data
        raw = len(data)
        if not raw:
            self.leave_out()
            return _Part(self, self.size, 0, 0, dtype, 0)
        stored: Any = self._zstd.compress(data)
        packed = len(stored) < raw
        if not packed:
            stored = data
        size = 8 + len(stored)
        part = _Part(self, self.size + 8, len(stored), raw, dtype, crc32(stored))
        self.buffers.append((self.size, size))
        self._chunks += [struct.pack("<q", raw if packed else -1), stored, bytes(-size % 8)]
        self.size += size + -size % 8
        return part

    def content(self) -> bytes:
        return b"".join(self._chunks)


class _Part(NamedTuple):
    body: _Body
    at: int
    stored: int
    raw: int
    dtype: str
    crc: int


class _Sort(NamedTuple):
    """How the values of one sort are held: type and children in Arrow, entries of the node."""

    type: arrow.Type
    node: Node
    children: tuple[arrow.Field, ...] = ()
    dictionary: int = -1
    codes: arrow.Type = arrow.NULL


class _Writer:
    def __init__(self, level: int) -> None:
        self._level = level
        self._body = _Body(level)
        self._dictionaries: list[tuple[_Body, int]] = []
        self._largest = 0

    def file(self, column: Column) -> bytes:
        by_key = column.size > 0 and _kinds(column) == [Kind.OBJECT]
        if by_key:
            made = {key: self._field(key, below, 1) for key, below in column.fields.items()}
            fields = [field for field, _ in made.values()]
            root: Node = {"kinds": [int(Kind.OBJECT)]}
            root["keys"] = {key: node for key, (_, node) in made.items()}
        else:
            field, root = self._field("value", column, 1)
            fields = [field]
        metadata = {"ldb.columns": "1", "ldb.rows": "objects" if by_key else "values"}
        return self._assembled(fields, metadata, column.size, root)

    def _assembled(
        self, fields: list[arrow.Field], metadata: dict[str, str], rows: int, root: Node
    ) -> bytes:
        parts = [arrow.MAGIC + b"\0\0", arrow.schema_message(fields, metadata)]
        size = sum(map(len, parts))

        def block(message: bytes, body: _Body) -> arrow.Block:
            nonlocal size
            parts.extend((message, body.content()))
            found = arrow.Block(size, len(message), body.size)
            body.start = size + len(message)
            size = body.start + body.size
            return found

        dictionaries = []
        for number, (body, count) in enumerate(self._dictionaries):
            batch = arrow.Batch(count, body.nodes, body.buffers)
            message = arrow.dictionary_message(number, batch, body.size)
            dictionaries.append(block(message, body))
        batch = arrow.Batch(rows, self._body.nodes, self._body.buffers)
        message = arrow.batch_message(batch, self._body.size)
        batches = [block(message, self._body)]
        directory = layout.pack({"rows": rows, "root": _placed(root)})
        end = arrow.footer(fields, metadata, dictionaries, batches)
        size += len(arrow.END_OF_STREAM)
        excess = max(self._largest, rows) - layout.largest_part(size)
        gap = max(0, -(-excess // 64))
        gap += -(size + gap + len(directory)) % 8
        parts += [arrow.END_OF_STREAM, bytes(gap)]
        end += struct.pack("<i", len(end)) + arrow.MAGIC
        return b"".join([*parts, layout.sealed(directory, parts, end), end])

    def _part(self, array: NDArray[Any], dtype: str, body: _Body | None = None) -> _Part:
        part = (body or self._body).add(array, dtype)
        self._largest = max(self._largest, part.raw)
        return part

    def _field(self, name: str, column: Column, depth: int) -> tuple[arrow.Field, Node]:
        column = _shallow(column) if depth >= DEEPEST else column
        kinds = _kinds(column)
        node: Node = {"kinds": [int(kind) for kind in kinds]}
        absent = [kind for kind in kinds if kind in _ABSENT]
        sorts = sorted({max(kind, Kind.TRUE) for kind in kinds if kind not in _ABSENT})
        if len(absent) > 1 or len(sorts) > 1 or Kind.OPAQUE in sorts:
            return self._mixed(name, column, sorts, node, depth), node
        metadata = {"ldb.absent": absent[0].name.lower()} if absent else {}
        if not sorts:
            self._body.node(column.size, column.size)
            return arrow.Field(name, arrow.NULL, True, metadata=metadata), node
        there = column.kinds != absent[0] if absent else None
        valid = self._start(column.size, there)
        if valid is not None:
            node["valid"] = valid
        sort = self._values(sorts[0], column, there, depth)
        if sorts[0] is not Kind.TRUE or (Kind.FALSE in kinds and Kind.TRUE in kinds):
            node.update(sort.node)
        return _arrow_field(name, sort, there is not None, metadata), node

    def _mixed(
        self, name: str, column: Column, sorts: list[Kind], node: Node, depth: int
    ) -> arrow.Field:
        kinds = column.kinds
        self._start(column.size, None)
        self._start(column.size, None)
        node["kind"] = self._part(kinds, "u1")
        children = [arrow.Field("kind", arrow.integer(8, signed=False))]
        for of in sorts:
            if of is Kind.OPAQUE:
                continue
            there = column.are(Kind.TRUE, Kind.FALSE) if of is Kind.TRUE else kinds == of
            self._start(column.size, there)
            sort = self._values(of, column, there, depth + 1)
            if of is not Kind.TRUE:
                node.update(sort.node)
            children.append(_arrow_field(_NAMES[of], sort, True, {}))
        return arrow.Field(name, arrow.STRUCT, False, children, {"ldb.mixed": "1"})

    def _start(self, size: int, there: Mask | None) -> _Part | None:
        """Starts a field of the record batch with its validity bitmap."""
        if there is None:
            self._body.node(size, 0)
            self._body.leave_out()
            return None
        self._body.node(size, size - int(np.count_nonzero(there)))
        return self._part(np.packbits(there, bitorder="little"), "u1")

    def _values(self, of: Kind, column: Column, there: Mask | None, depth: int) -> _Sort:
        if of is Kind.TRUE:
            bits = self._part(np.packbits(column.are(Kind.TRUE), bitorder="little"), "u1")
            return _Sort(arrow.BOOL, {"bits": bits})
        if of is Kind.INT:
            width = _int_width(column.ints)
            return _Sort(arrow.integer(8 * width), {"int": self._part(column.ints, f"i{width}")})
        if of is Kind.FLOAT:
            return _Sort(arrow.DOUBLE, {"float": self._part(column.floats, "f8")})
        if of is Kind.TEXT:
            return self._texts(column, there)
        if of is Kind.LIST:
            return self._lists(column, there, depth)
        made = {key: self._field(key, below, depth + 1) for key, below in column.fields.items()}
        children = tuple(field for field, _ in made.values())
        return _Sort(
            arrow.STRUCT, {"keys": {key: node for key, (_, node) in made.items()}}, children
        )

    def _texts(self, column: Column, there: Mask | None) -> _Sort:
        words, codes = column.words, column.codes
        held = codes if there is None else codes[there]
        # Elsewhere they may point anywhere.
        codes = codes if there is None else np.where(there, codes, 0)
        if len(held) == len(words) and np.array_equal(held, np.arange(len(words))):
            return self._plain(_spaced(words, there))
        if not words.distinct or len(words) > len(held):
            return self._plain(_gathered(words, codes, there))
        body = _Body(self._level)
        body.node(len(words), 0)
        body.leave_out()
        kind, texts = self._words(words, body)
        self._dictionaries.append((body, len(words)))
        width = _int_width(np.array([len(words) - 1]))
        node = {"code": self._part(codes, f"i{width}"), "words": texts}
        return _Sort(kind, node, (), len(self._dictionaries) - 1, arrow.integer(8 * width))

    def _plain(self, words: Words) -> _Sort:
        kind, texts = self._words(words, self._body)
        return _Sort(kind, {"words": texts})

    def _words(self, words: Words, body: _Body) -> tuple[arrow.Type, Node]:
        node: Node = {"count": len(words)}
        if words.distinct:
            node["distinct"] = 1
        ends = self._ends(words.offsets, body)
        width = _common(words.offsets)
        node.update({"ends": ends} if width is None else {"width": width})
        node["data"] = self._part(words.data[: words.offsets[-1]], "u1", body)
        self._largest = max(self._largest, len(words))
        return (arrow.UTF8 if ends.dtype == "i4" else arrow.LARGE_UTF8), node

    def _lists(self, column: Column, there: Mask | None, depth: int) -> _Sort:
        offsets, items = column.offsets, column.items
        self._largest = max(self._largest, items.size)
        width = _common(offsets) if there is None else None
        if width:
            kind, node = arrow.fixed_size_list(width), Node(width=width)
        else:
            ends = self._ends(offsets, self._body)
            kind = arrow.LIST if ends.dtype == "i4" else arrow.LARGE_LIST
            node = Node(ends=ends)
        field, below = self._field("item", items, depth + 1)
        node["items"] = {"size": items.size, **below}
        return _Sort(kind, node, (field,))

    def _ends(self, offsets: NDArray[Any], body: _Body) -> _Part:
        return self._part(offsets, "i4" if offsets[-1] < LARGE else "i8", body)


def _arrow_field(name: str, sort: _Sort, nullable: bool, metadata: dict[str, str]) -> arrow.Field:
    return arrow.Field(
        name, sort.type, nullable, sort.children, metadata, sort.dictionary, sort.codes
    )


def _placed(entry: Any) -> Any:
    """An entry of the directory with the places of its parts."""
    if isinstance(entry, _Part):
        return [entry.body.start + entry.at, entry.stored, entry.raw, entry.dtype, entry.crc]
    if isinstance(entry, dict):
        return {key: _placed(value) for key, value in entry.items()}
    return entry


def _kinds(column: Column) -> list[Kind]:
    """The kinds that occur, exactly; ascending."""
    if column.kind is not None:
        return [column.kind]
    return [kind for kind in sorted(column.present) if (column.kinds == kind).any()]


def _shallow(column: Column) -> Column:
    """The same with opaque values for lists and objects."""
    nested = column.are(Kind.LIST, Kind.OBJECT)
    if not nested.any():
        return column
    kinds = np.where(nested, np.uint8(Kind.OPAQUE), column.kinds)
    has_texts = Kind.TEXT in column.present
    return Column(
        column.size,
        Kind.OPAQUE if nested.all() else None,
        kinds=kinds,
        ints=column.ints,
        floats=column.floats,
        codes=column.codes if has_texts else None,
        words=column.words if has_texts else None,
    )


def _int_width(ints: NDArray[Any]) -> int:
    """Bytes of the smallest type that holds all."""
    low, high = (int(ints.min()), int(ints.max())) if len(ints) else (0, 0)
    for width in (1, 2, 4):
        if -(1 << (8 * width - 1)) <= low and high < 1 << (8 * width - 1):
            return width
    return 8


def _common(offsets: NDArray[Any]) -> int | None:
    """The length that all have; None where they differ or there are none."""
    if len(offsets) < 2:
        return None
    width = int(offsets[1])
    same = offsets[-1] == width * (len(offsets) - 1) and (np.diff(offsets) == width).all()
    return width if same else None


def _spaced(words: Words, there: Mask | None) -> Words:
    """A text for each row, empty where none is; the words are in the order of the rows."""
    if there is None or there.all():
        return words
    lengths = np.zeros(len(there), np.int64)
    lengths[there] = np.diff(words.offsets)
    return Words(words.data, _summed(lengths))


def _gathered(words: Words, codes: NDArray[Any], there: Mask | None) -> Words:
    """The text of each row, end to end; empty where none is."""
    starts, lengths = words.offsets[:-1][codes], np.diff(words.offsets)[codes]
    if there is not None:
        lengths = np.where(there, lengths, 0)
    return Words(words.data[spread(starts, lengths)], _summed(lengths))


def _summed(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
