"""Counting the blobs of one type in a pack: which of them is the blob of this ordinal.

Column files have one row for each blob of a type, in the order of the pack; the rank of a
blob among those of its type is its row there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ldb.objects.model import BlobType
from ldb.objects.packread import PackReader

ABSENT = -1


class Ranks:
    """The blobs of one type of one pack, numbered from 0 in the order of the pack."""

    def __init__(self, pack: PackReader, kind: BlobType) -> None:
        runs = pack.runs(kind)
        self._firsts, self._counts = runs[:, 0], runs[:, 1]
        self._starts = np.cumsum(self._counts) - self._counts
        self.count = int(self._counts.sum())

    def of(self, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ranks of the blobs with these ordinals; `ABSENT` where one is of another type."""
        ranks = np.full(len(ordinals), ABSENT, np.int64)
        if not self.count:
            return ranks
        block = np.searchsorted(self._firsts, ordinals, side="right") - 1
        inside = ordinals - self._firsts[block]
        hit = (block >= 0) & (inside >= 0) & (inside < self._counts[block])
        ranks[hit] = (self._starts[block] + inside)[hit]
        return ranks

    def ordinals(self) -> NDArray[np.int64]:
        """Ordinals of all of them, by rank."""
        steps = np.repeat(self._firsts - self._starts, self._counts)
        numbers: NDArray[np.int64] = steps + np.arange(self.count)
        return numbers
