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
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import Column
from ldb.errors import Corrupt
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
    # Twice the status, and one more where the test holds: one gather of rows brings both. The
    # last stands for all that is in no pack: `take` clips the numbers of those to it.
    verdicts: Statuses = np.full(total + 1, 2 * Status.REDO, np.uint8)

    @cache
    def rows() -> NDArray[np.intp]:
        found = np.zeros(total + 1, np.intp)
        found[np.minimum(places.numbers, total)] = np.arange(len(places))
        return found

    def run(part: _Part) -> None:
        size = part.stop - part.first
        column = files.column(part.pack, places.table.kind, size)
        if column is None:
            return
        where: slice | NDArray[np.intp] = slice(part.first, part.stop)
        if part.wanted is not None:
            column, where = column.take(part.wanted), part.first + part.wanted
        try:
            tested = test(column, lambda: rows()[where])
        except Corrupt:  # a damaged part of a column file: the blobs themselves are asked
            files.forget(part.pack, places.table.kind)
            return
        verdicts[where] = 2 * tested.status + tested.mask

    parts = _parts(places, total)
    files.prefetch([part.pack for part in parts], places.table.kind)
    if len(parts) > 1 and (os.cpu_count() or 1) > 1:
        _side_by_side(run, parts)
    else:
        for part in parts:
            run(part)
    found = verdicts.take(places.numbers, mode="clip")
    return Tested((found & np.uint8(1)).view(np.bool_), found >> np.uint8(1))


def _side_by_side(run: Callable[[_Part], None], parts: list[_Part]) -> None:
    """Run all parts in a few threads; the first error is raised once all have ended."""
    waiting = list(reversed(parts))
    errors: list[Exception] = []

    def work() -> None:
        while waiting and not errors:
            try:
                part = waiting.pop()
            except IndexError:  # the other thread took the last one
                return
            try:
                run(part)
            except Exception as error:  # noqa: BLE001  (raised again by the caller's thread)
                errors.append(error)

    # Not concurrent.futures, which loads logging: 4 ms.
    threads = [Thread(target=work) for _ in range(THREADS - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _parts(places: Places, total: int) -> list[_Part]:
    packs = [each for each in places.by_pack() if each[1] < each[2]]
    if len(places) * SPARSE >= total:
        return [_Part(pack, first, stop, None) for pack, first, stop in packs]
    used = np.zeros(total + 1, np.bool_)
    used[np.minimum(places.numbers, total)] = True
    wanted = [np.flatnonzero(used[first:stop]) for _, first, stop in packs]
    return [_Part(*each, some) for each, some in zip(packs, wanted) if len(some)]
