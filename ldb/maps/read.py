"""Reading maps: whole, by key range or prefix, and by key. Only the nodes needed are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput
from ldb.ids import Oid
from ldb.maps.node import Node, NodeSource, Reader
from ldb.maps.rows import Field, Keys, Rows, Schema
from ldb.progress import SILENT, Progress, advancing


def count(source: NodeSource, schema: Schema, root: Oid) -> int:
    """Rows of a map."""
    return Reader(source, schema).root(root).count


def scan(
    source: NodeSource,
    schema: Schema,
    root: Oid,
    prefix: bytes = b"",
    start: bytes = b"",
    stop: bytes | None = None,
) -> Iterator[Rows]:
    """Rows with keys that begin with `prefix` and lie in [start, stop), in key order.

    Chunks hold the rows of up to 256 leaves, and are never empty.
    """
    reader = Reader(source, schema)
    lower = max(start, prefix)
    uppers = [each for each in (stop, _after_prefix(prefix)) if each is not None]
    yield from _scan(reader, reader.root(root), lower, min(uppers) if uppers else None)


def _scan(reader: Reader, node: Node, lower: bytes, upper: bytes | None) -> Iterator[Rows]:
    first, stop = _range(reader.schema, node.rows.keys, lower, upper)
    if not node.level:
        if first < stop:
            yield node.rows.slice(first, stop)
        return
    stop = min(stop + 1, len(node.rows))  # the child after may begin below `upper`
    if node.level > 1:
        for entry in node.entries(range(first, stop)):
            yield from _scan(reader, reader.open([entry], node.level - 1)[0], lower, upper)
        return
    children = node.children()
    for at in range(first, stop, reader.batch):
        rows = reader.read(children.take(slice(at, min(at + reader.batch, stop))), 0).rows
        start, end = _range(reader.schema, rows.keys, lower, upper)
        if start < end:
            yield rows.slice(start, end)


def _range(schema: Schema, keys: Keys, lower: bytes, upper: bytes | None) -> tuple[int, int]:
    """Positions [first, stop) of the keys in [lower, upper)."""
    first = _position(schema, keys, lower)
    stop = len(keys) if upper is None else _position(schema, keys, upper)
    return first, max(first, stop)


def _position(schema: Schema, keys: Keys, bound: bytes) -> int:
    """How many keys are below `bound`, which need not have the form of a key.

    numpy takes trailing zero bytes for padding, so a bound that continues a key (with a
    zero byte where keys have none, or beyond their width) is cut and lies after that key.
    """
    end = schema.key_width or bound.find(b"\0")
    side: Literal["left", "right"] = "left"
    if 0 <= end < len(bound):
        bound, side = bound[:end], "right"
    return int(keys.searchsorted(bound, side))


def _after_prefix(prefix: bytes) -> bytes | None:
    """The first byte string after all that begin with `prefix`; None: there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def lookup(
    source: NodeSource, schema: Schema, root: Oid, keys: Keys, progress: Progress = SILENT
) -> tuple[NDArray[np.bool_], tuple[Field, ...]]:
    """Look up keys, in any order: which are there, and a column a field (zeros where not).

    Each that is there is a step of `progress`.
    """
    if keys.dtype.kind != "S" or schema.key_width not in (0, keys.dtype.itemsize):
        raise BadInput(f"map {schema.name}", f"looked up with keys of {keys.dtype}")
    found = np.zeros(len(keys), np.bool_)
    fields = schema.blank(keys).fields
    if len(keys):
        reader = Reader(source, schema)
        order = _order(keys)
        hits = _hits(reader, reader.root(root), keys[order], order)
        for positions, rows in advancing(hits, progress, lambda hit: len(hit[0])):
            found[positions] = True
            for field, values in zip(fields, rows.fields, strict=True):
                field[positions] = values
    return found, fields


def _order(keys: Keys) -> NDArray[np.intp]:
    if bool((keys[1:] >= keys[:-1]).all()):
        return np.arange(len(keys))
    return np.argsort(keys, kind="stable")


def _hits(
    reader: Reader, node: Node, keys: Keys, order: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], Rows]]:
    """Sorted keys found below a node: their positions (from `order`) and rows."""
    at = node.rows.keys.searchsorted(keys)
    inside = int(at.searchsorted(len(node.rows)))
    at, keys, order = at[:inside], keys[:inside], order[:inside]
    if not node.level:
        yield _equal(node.rows, keys, order)
        return
    starts = np.flatnonzero(np.diff(at, prepend=-1))
    ends = np.append(starts[1:], len(at))
    step = 1 if node.level > 1 else reader.batch
    for first in range(0, len(starts), step):
        group = slice(int(starts[first]), int(ends[min(first + step, len(starts)) - 1]))
        wanted = node.children().take(at[starts[first : first + step]])
        if node.level > 1:
            child = reader.open(wanted.entries(), node.level - 1)[0]
            yield from _hits(reader, child, keys[group], order[group])
        else:
            yield _equal(reader.read(wanted, 0).rows, keys[group], order[group])


def _equal(rows: Rows, keys: Keys, order: NDArray[np.intp]) -> tuple[NDArray[np.intp], Rows]:
    """Sorted keys, none above the last row, that are in these rows."""
    at = rows.keys.searchsorted(keys)
    hit = rows.keys[at] == keys
    return order[hit], rows.take(at[hit])
