"""Nodes from bytes: names, types and lengths of a payload checked, its columns as rows.

What a parent says of a node is checked elsewhere (`node.py`). Format: docs/formats/map.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput, Corrupt
from ldb.ids import NO_OID, Oid
from ldb.maps.rows import MAX_KEY, Keys, Rows, Schema, key_matrix
from ldb.objects.codec import decode_as
from ldb.objects.model import Blob, BlobType

MAX_LEVEL = 62
"""An inner node that is not the last of its level has at least two children."""


class _FixedParts(TypedDict):
    fields: list[bytes]
    keys: bytes
    level: int
    schema: str


class Parts(_FixedParts, total=False):
    """A node's payload; `lengths` goes with byte-string keys."""

    lengths: bytes


def unpack(oid: Oid, blob: Blob) -> Parts:
    """The parts of a node, names and types checked, lengths not; raises `Corrupt`."""
    if blob.type is not BlobType.MAP:
        raise Corrupt(oid, f"{blob.type.value} where a map node should be")
    try:
        node = decode_as(blob.payload, Parts)
    except BadInput as error:
        raise Corrupt(oid, f"map node: {error.why}") from None
    level = node["level"]
    if not 0 <= level <= MAX_LEVEL:
        raise Corrupt(oid, f"map node of level {level}")
    return node


def columns(oid: Oid, node: Parts, schema: Schema, most: int) -> Rows:
    """Rows of a node, once every column has the right length and the keys ascend.

    `most` is how many rows it may have.
    """
    raw: list[bytes] = node["fields"]
    keys = _keys(oid, node, schema.key_width)
    widths = schema.widths
    if [len(each) for each in raw] != [len(keys) * width for width in widths]:
        raise Corrupt(oid, "fields of a map node of wrong lengths")
    if len(keys) > most or not bool((keys[1:] > keys[:-1]).all()):
        raise Corrupt(oid, "map node with too many keys, or keys out of order")
    columns = zip(raw, widths, strict=True)
    fields = [np.frombuffer(each, np.uint8).reshape(-1, width) for each, width in columns]
    rows = Rows(keys, tuple(fields))
    if node["level"] and not _sane_counts(rows, (4 * schema.target) ** node["level"]):
        raise Corrupt(oid, "map node with impossible row counts")
    return rows


def together(found: Sequence[Parts], schema: Schema) -> tuple[Rows, NDArray[np.intp]] | None:
    """Rows of several nodes of one level, in order, and where each ends in them.

    None where anything is wrong; `columns` says what, node by node.
    """
    width, level, name = schema.key_width, found[0]["level"], schema.name
    sizes = [
        len(node["keys"]) // width if width else len(node.get("lengths", b"")) // 2
        for node in found
    ]
    for node, size in zip(found, sizes):
        wanted = [size * each for each in schema.widths]
        if (
            node["level"] != level
            or node["schema"] != name
            or [len(each) for each in node["fields"]] != wanted
            or ("lengths" in node) == bool(width)
            or not 0 < size <= 4 * schema.target
        ):
            return None
    ends = np.cumsum(sizes)
    raw = [len(node["keys"]) for node in found]
    joined = _joined(found, width)
    if width:
        apart = raw == [size * width for size in sizes]
    else:
        lengths = np.frombuffer(joined["lengths"], "<u2")
        apart = bool((np.cumsum(lengths, dtype=np.int64)[ends - 1] == np.cumsum(raw)).all())
    try:
        return (columns(Oid(NO_OID), joined, schema, int(ends[-1])), ends) if apart else None
    except Corrupt:
        return None


def _joined(found: Sequence[Parts], width: int) -> Parts:
    """Several nodes as if they were one."""
    fields = [b"".join(column) for column in zip(*(node["fields"] for node in found))]
    keys = b"".join([node["keys"] for node in found])
    joined = Parts(fields=fields, keys=keys, level=found[0]["level"], schema="")
    if not width:
        joined["lengths"] = b"".join([node["lengths"] for node in found])
    return joined


def _sane_counts(rows: Rows, most: int) -> bool:
    """Whether each child has rows, and not more than its level allows."""
    counts = counts_of(rows)
    return bool(len(rows) and counts.min() > 0 and counts.max() <= min(most, 1 << 48))


def _keys(oid: Oid, node: Parts, width: int) -> Keys:
    raw: bytes = node["keys"]
    if not width:
        return _string_keys(oid, raw, node.get("lengths", b""))
    if len(raw) % width or "lengths" in node:
        raise Corrupt(oid, f"map node whose keys are not {width} bytes each")
    return np.frombuffer(raw, f"S{width}")


def _string_keys(oid: Oid, raw: bytes, packed: bytes) -> Keys:
    if len(packed) % 2:
        raise Corrupt(oid, "map node with half a key length")
    lengths = np.frombuffer(packed, "<u2").astype(np.intp)
    if int(lengths.sum()) != len(raw) or b"\0" in raw:
        raise Corrupt(oid, "map node whose keys are not as long as it says")
    if not len(lengths):
        return np.zeros(0, "S1")
    longest = int(lengths.max())
    if not int(lengths.min()) or longest > MAX_KEY:
        raise Corrupt(oid, f"map node with a key not of 1 to {MAX_KEY} bytes")
    keys = np.zeros(len(lengths), f"S{longest}")
    key_matrix(keys)[np.arange(longest) < lengths[:, None]] = np.frombuffer(raw, np.uint8)
    return keys


def counts_of(rows: Rows) -> NDArray[np.uint64]:
    """The `count` field of an inner node's rows, as numbers."""
    return np.ascontiguousarray(rows.fields[1]).view("<u8").ravel()
