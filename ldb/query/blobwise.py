"""A test asked of the blobs that rows name, pack by pack in columns.

Every blob is tested once, however many rows name it. Where a pack has more blobs than the
rows need, only those needed are taken. Rows whose blob is in no pack, in a pack without
columns, or that columns cannot decide, come back as `REDO`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import Column
from ldb.objects.columnfiles import ColumnFiles
from ldb.objects.packread import PackReader
from ldb.places.model import Places
from ldb.query.columnar.outcome import Status, Tested

Statuses = NDArray[np.uint8]
Rows = Callable[[], NDArray[np.intp]]
"""For each blob of a column the number of a row that names it, 0 where none does."""
ColumnTest = Callable[[Column, Rows], Tested]
"""Tests the n blobs of a column."""

SPARSE = 4
"""Fewer rows than one in this many blobs: take the blobs needed, and test no others."""

THREADS = 2
"""Packs tested side by side: memory for each, and numpy lets go of the interpreter's lock."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The blobs of one pack that are to be tested."""

    pack: PackReader
    first: int
    stop: int
    wanted: NDArray[np.intp] | None
    """Their places in the pack; None: all of them."""


def test_blobs(files: ColumnFiles, places: Places, test: ColumnTest) -> Tested:
    """Ask `test` of the blob of each row; rows without a blob are `REDO` as well."""
    total = len(places.table)
    mask = np.zeros(total + 1, np.bool_)
    status: Statuses = np.full(total + 1, Status.REDO, np.uint8)
    index = np.minimum(places.numbers, np.uint32(total))

    @cache
    def rows() -> NDArray[np.intp]:
        found = np.zeros(total + 1, np.intp)
        found[index] = np.arange(len(index))
        return found

    def run(part: _Part) -> None:
        size = part.stop - part.first
        column = files.column(part.pack, places.table.kind, size)
        if column is None:
            return
        where: slice | NDArray[np.intp] = slice(part.first, part.stop)
        if part.wanted is not None:
            column, where = column.take(part.wanted), part.first + part.wanted
        tested = test(column, lambda: rows()[where])
        mask[where], status[where] = tested.mask, tested.status

    parts = _parts(places, index, total)
    if len(parts) > 1 and (os.cpu_count() or 1) > 1:
        from concurrent.futures import ThreadPoolExecutor  # not for one pack

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(run, parts))
    else:
        for part in parts:
            run(part)
    return Tested(mask[index], status[index])


def _parts(places: Places, index: NDArray[np.uint32], total: int) -> list[_Part]:
    sparse = len(index) * SPARSE < total
    used = np.zeros(total + 1, np.bool_)
    used[index] = True
    parts = []
    for pack, first, stop in places.by_pack():
        wanted = np.flatnonzero(used[first:stop])
        if len(wanted):
            parts.append(_Part(pack, first, stop, wanted if sparse else None))
    return parts
