"""What a map holds, as numpy columns: schemas, rows, batches of changes.

A key column has dtype `S<w>`. Keys of a fixed width keep trailing zero bytes (read them
with `.tobytes()` or `Rows.key_list`, never with `tolist`); byte-string keys hold no zero
byte, so the padding of the column is never part of a key. A field is a column of bytes,
shape (n, width), dtype uint8. Format: docs/formats/map.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput
from ldb.ids import OID_BYTES, Oid

Keys = NDArray[np.bytes_]
Field = NDArray[np.uint8]

MAX_KEY = 4096
"""Longest byte-string key."""

MAX_FIXED_KEY = 255
"""Widest fixed-width key."""

TARGET = 128
"""Rows a node aims at, unless its schema says otherwise; why: docs/design/002-maps.md."""

MIN_TARGET, MAX_TARGET = 8, 65536


@dataclass(frozen=True, slots=True)
class Schema:
    """Name and shape of a map's rows; `target` (rows a node) is part of the format too."""

    name: str
    key_width: int
    """Bytes of every key; 0 for byte strings of 1 to 4096 bytes without zero bytes."""
    fields: tuple[tuple[str, int], ...]
    """Name and width in bytes of each field."""
    target: int = TARGET

    def __post_init__(self) -> None:
        if not 0 <= self.key_width <= MAX_FIXED_KEY:
            raise BadInput(self.name, f"key width {self.key_width} not in 0..{MAX_FIXED_KEY}")
        if not MIN_TARGET <= self.target <= MAX_TARGET:
            raise BadInput(self.name, f"target {self.target} not in {MIN_TARGET}..{MAX_TARGET}")
        if not self.fields or min(self.widths) < 1:
            raise BadInput(self.name, "needs fields, each of at least a byte")

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple([width for _, width in self.fields])

    def column(self, keys: Iterable[bytes]) -> Keys:
        """A key column from Python bytes."""
        listed = list(keys)
        width = self.key_width or max(map(len, listed), default=1) or 1
        if max(map(len, listed), default=0) > width:
            raise BadInput(f"map {self.name}", f"a key is longer than {width} bytes")
        return np.array(listed, dtype=f"S{width}")

    def rows(self, items: Mapping[bytes, Sequence[bytes]]) -> Rows:
        """Rows from Python values, sorted here: key to one bytes value a field."""
        ordered = sorted(items.items())
        columns = (
            np.frombuffer(b"".join(values[at] for _, values in ordered), np.uint8)
            for at in range(len(self.fields))
        )
        fields = tuple(
            column.reshape(len(ordered), width)
            for column, width in zip(columns, self.widths, strict=True)
        )
        return Rows(self.column(key for key, _ in ordered), fields)

    def blank(self, keys: Keys) -> Rows:
        """Rows with these keys and zeros in every field."""
        return Rows(keys, tuple(np.zeros((len(keys), width), np.uint8) for width in self.widths))

    def check(self, rows: Rows) -> None:
        """Raise `BadInput` unless the rows fit, with keys allowed and ascending."""
        where = f"map {self.name}"
        keys, width = rows.keys, rows.keys.dtype.itemsize
        if keys.dtype.kind != "S" or keys.ndim != 1 or self.key_width not in (0, width):
            raise BadInput(where, f"a key column of {keys.dtype}, shape {keys.shape}")
        wanted = tuple((len(keys), each) for each in self.widths)
        if tuple(field.shape for field in rows.fields) != wanted:
            raise BadInput(where, "fields of other shapes than the schema's")
        if any(field.dtype != np.uint8 for field in rows.fields):
            raise BadInput(where, "fields that are not bytes")
        if not bool((keys[1:] > keys[:-1]).all()):
            raise BadInput(where, "keys are not in ascending order")
        if not self.key_width and len(keys):
            _check_strings(where, keys)


def _check_strings(where: str, keys: Keys) -> None:
    lengths = key_lengths(keys)
    if not int(lengths[0]) or int(lengths.max()) > MAX_KEY:  # only the first can be empty
        raise BadInput(where, f"a key that is empty or longer than {MAX_KEY} bytes")
    if int(lengths.sum()) != np.count_nonzero(key_matrix(keys)):
        raise BadInput(where, "a key with a zero byte in it")


def key_matrix(keys: Keys) -> NDArray[np.uint8]:
    """The column as bytes, shape (n, itemsize)."""
    flat = np.ascontiguousarray(keys).view(np.uint8)
    return flat.reshape(len(keys), keys.dtype.itemsize)


def key_lengths(keys: Keys) -> NDArray[np.int64]:
    """Lengths of byte-string keys."""
    return np.char.str_len(keys).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a map, ascending by key, keys unique."""

    keys: Keys
    fields: tuple[Field, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def slice(self, start: int, stop: int | None = None) -> Rows:
        """Rows [start, stop), without a copy."""
        return Rows(self.keys[start:stop], tuple(field[start:stop] for field in self.fields))

    def take(self, where: NDArray[np.bool_] | NDArray[np.intp]) -> Rows:
        """The rows at these positions, or where this mask is True."""
        return Rows(self.keys[where], tuple(field[where] for field in self.fields))

    @staticmethod
    def concat(parts: Sequence[Rows]) -> Rows:
        """At least one part, in key order."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.fields for part in parts), strict=True)
        return Rows(
            np.concatenate([part.keys for part in parts]),
            tuple(np.concatenate(column) for column in columns),
        )

    def key_list(self, schema: Schema) -> list[bytes]:
        """The keys as Python bytes, trailing zero bytes of fixed-width keys included."""
        width = schema.key_width
        if not width:
            return list(self.keys.tolist())
        raw = self.keys.tobytes()
        return [raw[at : at + width] for at in range(0, len(raw), width)]

    def as_dict(self, schema: Schema) -> dict[bytes, tuple[bytes, ...]]:
        """Python values, the reverse of `Schema.rows`; for few rows."""
        values = zip(*([bytes(row) for row in field] for field in self.fields), strict=True)
        return dict(zip(self.key_list(schema), chain(values), strict=bool(self.fields)))


def locate(rows: Rows, keys: Keys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each key the position where it is, or would be, in `rows`; and whether it is."""
    at = rows.keys.searchsorted(keys)
    hit = np.zeros(len(keys), np.bool_)
    inside = at < len(rows)
    hit[inside] = rows.keys[at[inside]] == keys[inside]
    return at, hit


def same_fields(left: Rows, right: Rows) -> NDArray[np.bool_]:
    """Where two lots of rows, of one length, have the same values in every field."""
    same = np.ones(len(left), np.bool_)
    for one, other in zip(left.fields, right.fields, strict=True):
        same &= _values(one) == _values(other)
    return same


def _values(field: Field) -> NDArray[np.bytes_]:
    """A field as one value a row; padding cannot mislead, the widths being equal."""
    return np.ascontiguousarray(field).view(f"S{field.shape[1]}").ravel()


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes to a map, ascending by key: upsert, or delete where `deleted` (fields ignored)."""

    rows: Rows
    deleted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    def slice(self, start: int, stop: int | None = None) -> Changes:
        """Changes [start, stop), without a copy."""
        return Changes(self.rows.slice(start, stop), self.deleted[start:stop])

    def take(self, where: NDArray[np.bool_]) -> Changes:
        """The changes where this mask is True."""
        return Changes(self.rows.take(where), self.deleted[where])

    @staticmethod
    def upserts(rows: Rows) -> Changes:
        """Write these rows, whether their keys exist or not."""
        return Changes(rows, np.zeros(len(rows), np.bool_))

    @staticmethod
    def deletes(schema: Schema, keys: Keys) -> Changes:
        """Delete these keys; a key that is not there is no error."""
        return Changes(schema.blank(keys), np.ones(len(keys), np.bool_))

    @staticmethod
    def of(schema: Schema, items: Mapping[bytes, Sequence[bytes] | None]) -> Changes:
        """Changes from Python values, sorted here: key to field values, or None to delete."""
        zeros = [bytes(width) for width in schema.widths]
        rows = schema.rows({key: value or zeros for key, value in items.items()})
        deleted = [value is None for _, value in sorted(items.items())]
        return Changes(rows, np.array(deleted, np.bool_))


@dataclass(frozen=True, slots=True)
class Root:
    """A map: the oid of its top node, and how many rows it has."""

    oid: Oid
    count: int


def inner_schema(schema: Schema) -> Schema:
    """The rows of nodes above the leaves: last key of a child to its oid and row count."""
    fields = (("child", OID_BYTES), ("count", 8))
    return Schema(schema.name, schema.key_width, fields, schema.target)


def parent_rows(keys: Keys, children: Sequence[Root]) -> Rows:
    """Rows of an inner node: the last key of each child, its oid and its row count."""
    oids = np.frombuffer(b"".join(child.oid for child in children), np.uint8)
    counts = np.array([child.count for child in children], "<u8").view(np.uint8)
    size = len(children)
    return Rows(keys, (oids.reshape(size, OID_BYTES), counts.reshape(size, 8)))
