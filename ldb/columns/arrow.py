"""Metadata of an Arrow IPC file: schema, dictionary and record batch messages, footer.

Writes the few flatbuffers tables that columns need; nothing here is ever read back. Source:
https://arrow.apache.org/docs/format/Columnar.html and `format/*.fbs` of Arrow; spelling of
flatbuffers: https://flatbuffers.dev/internals. Why not with the library: docs/design/008.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MAGIC = b"ARROW1"
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"

_VERSION_5 = 4
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_ZSTD = 1
_COMPRESSED_BODY = 2

Entry = tuple[int, str, int]
"""Slot of a table, its `struct` letter (`o` is an offset to another table), its value."""


class Type(NamedTuple):
    """A type: its number in the union and the entries of its table."""

    number: int
    entries: tuple[Entry, ...] = ()


NULL = Type(1)
DOUBLE = Type(3, ((0, "h", 2),))
UTF8, LARGE_UTF8 = Type(5), Type(20)
BOOL = Type(6)
LIST, LARGE_LIST = Type(12), Type(21)
STRUCT = Type(13)


def integer(bits: int, signed: bool = True) -> Type:
    """The type of ints of so many bits."""
    return Type(2, ((0, "i", bits), (1, "?", signed)))


def fixed_size_list(width: int) -> Type:
    """The type of lists of `width` items."""
    return Type(16, ((0, "i", width),))


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the schema; `codes` is the type of indices where it has a dictionary."""

    name: str
    type: Type
    nullable: bool = False
    children: Sequence[Field] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    dictionary: int = -1
    codes: Type = NULL


class Batch(NamedTuple):
    """Length, and for each field a node (length, nulls) and its buffers (offset, length)."""

    length: int
    nodes: Sequence[tuple[int, int]]
    buffers: Sequence[tuple[int, int]]


class Block(NamedTuple):
    """Where a message is: offset, bytes of metadata with their prefix, bytes of the body."""

    offset: int
    metadata: int
    body: int


def schema_message(fields: Sequence[Field], metadata: Mapping[str, str]) -> bytes:
    """The first message of a file."""
    flat = _Flat()
    return _message(flat, _SCHEMA, _schema(flat, fields, metadata), 0)


def batch_message(batch: Batch, body: int) -> bytes:
    """The message of a record batch, whose body of so many bytes follows it."""
    flat = _Flat()
    return _message(flat, _BATCH, _batch(flat, batch), body)


def dictionary_message(number: int, batch: Batch, body: int) -> bytes:
    """The message of the texts of dictionary `number`."""
    flat = _Flat()
    header = flat.table((0, "q", number), (1, "o", _batch(flat, batch)))
    return _message(flat, _DICTIONARY, header, body)


def footer(
    fields: Sequence[Field],
    metadata: Mapping[str, str],
    dictionaries: Sequence[Block],
    batches: Sequence[Block],
) -> bytes:
    """What stands before the length and the magic number at the end of a file."""
    flat = _Flat()
    schema = _schema(flat, fields, metadata)
    blocks = [
        flat.structs(b"".join(struct.pack("<qi4xq", *each) for each in group), len(group))
        for group in (dictionaries, batches)
    ]
    return flat.finish(
        flat.table((0, "h", _VERSION_5), (1, "o", schema), (2, "o", blocks[0]), (3, "o", blocks[1]))
    )


def _message(flat: _Flat, kind: int, header: int, body: int) -> bytes:
    data = flat.finish(
        flat.table((0, "h", _VERSION_5), (1, "B", kind), (2, "o", header), (3, "q", body))
    )
    return b"\xff\xff\xff\xff" + struct.pack("<i", len(data)) + data


def _batch(flat: _Flat, batch: Batch) -> int:
    nodes, buffers = (
        flat.structs(b"".join(struct.pack("<qq", *each) for each in pairs), len(pairs))
        for pairs in (batch.nodes, batch.buffers)
    )
    codec = flat.table((0, "b", _ZSTD), (1, "b", 0))
    return flat.table((0, "q", batch.length), (1, "o", nodes), (2, "o", buffers), (3, "o", codec))


def _schema(flat: _Flat, fields: Sequence[Field], metadata: Mapping[str, str]) -> int:
    below = flat.vector([_field(flat, each) for each in fields])
    known = _pairs(flat, metadata)
    features = flat.structs(struct.pack("<q", _COMPRESSED_BODY), 1)
    return flat.table((0, "h", 0), (1, "o", below), (2, "o", known), (3, "o", features))


def _field(flat: _Flat, each: Field) -> int:
    entries = [
        (0, "o", flat.string(each.name)),
        (1, "?", int(each.nullable)),
        (2, "B", each.type.number),
        (3, "o", flat.table(*each.type.entries)),
        (5, "o", flat.vector([_field(flat, child) for child in each.children])),
    ]
    if each.dictionary >= 0:
        codes = flat.table(*each.codes.entries)
        entries.append((4, "o", flat.table((0, "q", each.dictionary), (1, "o", codes))))
    if each.metadata:
        entries.append((6, "o", _pairs(flat, each.metadata)))
    return flat.table(*entries)


def _pairs(flat: _Flat, metadata: Mapping[str, str]) -> int:
    return flat.vector(
        [
            flat.table((0, "o", flat.string(key)), (1, "o", flat.string(value)))
            for key, value in metadata.items()
        ]
    )


class _Flat:
    """A flatbuffer, built from its end to its start; places are counted from the end.

    Alignments hold from the start too, since the whole is a multiple of 8 bytes.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def _put(self, data: bytes, align: int = 4) -> int:
        data += bytes(-(self._size + len(data)) % align)
        self._parts.append(data)
        self._size += len(data)
        return self._size

    def string(self, text: str) -> int:
        data = text.encode()
        return self._put(struct.pack("<I", len(data)) + data + b"\0")

    def vector(self, places: Sequence[int]) -> int:
        """Offsets to tables or strings."""
        first = self._size + 4 * len(places)
        offsets = [first - 4 * at - place for at, place in enumerate(places)]
        return self._put(struct.pack(f"<I{len(offsets)}I", len(offsets), *offsets))

    def structs(self, data: bytes, count: int) -> int:
        """A vector of `count` structs, each a multiple of 8 bytes."""
        self._put(data, 8)
        return self._put(struct.pack("<I", count))

    def table(self, *entries: Entry) -> int:
        end = 4
        places = {}
        for slot, letter, _ in sorted(entries, key=lambda each: -_width(each[1])):
            end += -end % _width(letter)
            places[slot] = end
            end += _width(letter)
        end += -end % 8
        start = self._size + -self._size % 8 + end
        slots = [places.get(slot, 0) for slot in range(max(places, default=-1) + 1)]
        directory = struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), end, *slots)
        directory += bytes(-len(directory) % 4)
        data = bytearray(end)
        struct.pack_into("<i", data, 0, len(directory))
        for slot, letter, value in entries:
            at = places[slot]
            if letter == "o":
                letter, value = "I", start - at - value
            struct.pack_into("<" + letter, data, at, value)
        self._put(bytes(data), 8)
        self._put(directory)
        return start

    def finish(self, root: int) -> bytes:
        start = self._size + 4 + -(self._size + 4) % 8
        self._put(struct.pack("<I", start - root), 8)
        return b"".join(reversed(self._parts))


def _width(letter: str) -> int:
    return 4 if letter == "o" else struct.calcsize(letter)
