"""Places in memory: a list of packs, and for each row the number of a blob in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.objects.model import BlobType
from ldb.objects.packread import PackReader
from ldb.objects.ranks import Ranks

Numbers = NDArray[np.uint32]

UNKNOWN = np.uint32(0xFFFFFFFF)
"""The blob is in no pack, or was not looked for."""
NO_BLOB = np.uint32(0xFFFFFFFE)
"""The row names no blob."""
LIMIT = 0xFFFFFFF0
"""More blobs than this cannot be numbered; those beyond are `UNKNOWN`."""


class Table:
    """Packs in a row: the blobs of one type in all of them are numbered from 0."""

    def __init__(self, kind: BlobType) -> None:
        self.kind = kind
        self.packs: list[PackReader] = []
        self.bases: list[int] = [0]
        """Number of the first blob of each pack, and of the one after the last."""
        self._at: dict[str, int] = {}
        self._ranks: list[Ranks] = []

    def add(self, pack: PackReader) -> int:
        """The place of a pack in the table, where it is put if it is new."""
        at = self._at.get(pack.key)
        if at is None:
            ranks = Ranks(pack, self.kind)
            at = self._at[pack.key] = len(self.packs)
            self.packs.append(pack)
            self._ranks.append(ranks)
            self.bases.append(self.bases[-1] + ranks.count)
        return at

    def numbers(self, pack: PackReader, ordinals: NDArray[np.int64]) -> Numbers:
        """Numbers of blobs of a pack; `UNKNOWN` where one is of another type."""
        at = self.add(pack)
        ranks = self._ranks[at].of(ordinals)
        known = (ranks >= 0) & (ranks < LIMIT - self.bases[at])
        return np.where(known, ranks + self.bases[at], int(UNKNOWN)).astype(np.uint32)

    def __len__(self) -> int:
        """Number of blobs in all packs."""
        return self.bases[-1]


@dataclass(frozen=True, slots=True)
class Places:
    """For n rows the number of each one's blob in `table`; shape (n,)."""

    table: Table
    numbers: Numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Places:
        """The places of these rows, or of those where a mask is True."""
        return Places(self.table, self.numbers[rows])

    def known(self) -> NDArray[np.bool_]:
        """Rows whose blob lies in a pack."""
        return self.numbers < np.uint32(LIMIT)

    def by_pack(self) -> Iterator[tuple[PackReader, int, int]]:
        """Every pack of the table and its numbers [first, stop)."""
        bounds: Sequence[int] = self.table.bases
        for at, pack in enumerate(self.table.packs):
            yield pack, bounds[at], bounds[at + 1]
