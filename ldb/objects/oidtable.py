"""The sorted oid table of packs, built and searched in numpy columns.

Three columns: the first 8 bytes of each oid as a number, the other 24 bytes, the blob's
ordinal. Apart from the reader because numpy takes longer to import than a single
lookup may last. Layout: docs/formats/pack.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.backends.base import Buffer
from ldb.ids import OID_BYTES
from ldb.objects.packformat import FANOUT, aligned, slice_sums

Oids = NDArray[np.uint8]
"""Array of shape (n, 32)."""

HEAD = 8
"""Bytes of an oid in the key column."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Windows into the bytes of a table, without a copy."""

    keys: NDArray[np.uint64]
    rests: NDArray[np.uint8]
    ordinals: NDArray[np.uint32]

    def oids(self) -> Oids:
        """Every oid, in table order."""
        heads = self.keys.astype(">u8").view(np.uint8).reshape(-1, HEAD)
        return np.concatenate((heads, self.rests), axis=1)


def as_oids(data: Buffer) -> Oids:
    """Oids laid end to end, as an array."""
    return np.frombuffer(data, np.uint8).reshape(-1, OID_BYTES)


def heads(oids: Oids) -> NDArray[np.uint64]:
    """The first 8 bytes of each oid as a number that sorts as the bytes do."""
    numbers = np.ascontiguousarray(oids[:, :HEAD]).view(">u8").ravel()
    return numbers.astype(np.uint64)


def columns(table: Buffer, count: int) -> Columns:
    """The three columns of a table of `count` oids."""
    keys = np.frombuffer(table, "<u8", count)
    rests = np.frombuffer(table, np.uint8, 24 * count, HEAD * count).reshape(-1, 24)
    ordinals = np.frombuffer(table, "<u4", count, OID_BYTES * count)
    return Columns(keys, rests, ordinals)


def build(oids: Oids) -> tuple[bytes, bytes]:
    """The table of blobs whose oids these are in pack order, and its fan-out with checksums."""
    order = _sorted_order(oids)
    keys = heads(oids)[order].astype("<u8")
    rests = oids[order, HEAD:]
    ordinals = order.astype("<u4")
    table = keys.tobytes() + rests.tobytes() + ordinals.tobytes()
    bounds = np.searchsorted(oids[order, 0], np.arange(256), side="right").tolist()
    sums = slice_sums(table, len(oids), bounds)
    padding = bytes(aligned(len(table)) - len(table))
    return table + padding, FANOUT.pack(*bounds) + FANOUT.pack(*sums)


def _sorted_order(oids: Oids) -> NDArray[np.int64]:
    keys = heads(oids)
    order: NDArray[np.int64] = np.argsort(keys, kind="stable")
    ranked = keys[order]
    if len(oids) and (ranked[1:] == ranked[:-1]).any():
        order = np.lexsort(oids.T[::-1])
    return order


def find(
    table: Columns,
    wanted: Oids,
    numbers: NDArray[np.uint64],
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Ordinals of `wanted[rows]` (all, by default), -1 where absent.

    `numbers` is `heads(wanted)[rows]`; quickest when it is sorted. A hit is a match of all
    32 bytes. Ordinals are as stored: not checked.
    """
    rows = np.arange(len(wanted)) if rows is None else rows
    found = np.full(len(rows), -1, np.int64)
    size = len(table.keys)
    if not size:
        return found
    at = np.searchsorted(table.keys, numbers)
    open_ = np.flatnonzero(table.keys[np.minimum(at, size - 1)] == numbers)
    while len(open_):
        place = at[open_]
        same = (table.rests[place] == wanted[rows[open_], HEAD:]).all(axis=1)
        found[open_[same]] = table.ordinals[place[same]]
        # Oids that share 8 bytes with another: look at the next row.
        open_ = open_[~same]
        at[open_] += 1
        open_ = open_[at[open_] < size]
        open_ = open_[table.keys[at[open_]] == numbers[open_]]
    return found
