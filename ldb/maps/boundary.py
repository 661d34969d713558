"""Where a level's rows are cut into nodes: by content, so that history does not matter.

Whether a row ends its node depends on the rows of that node up to it and on nothing else.
So the nodes before an edit stay as they are, and after it cuts fall into step with the old
ones as soon as one coincides. The rule, exactly: docs/formats/map.md. Every change here
changes every root.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ldb.maps.rows import Keys, Rows, Schema, key_lengths

_ODD = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_WEIGHT_SHIFT = 8


def boundary_values(keys: Keys, level: int) -> NDArray[np.uint64]:
    """A 32-bit number a key, evenly spread, different at each level."""
    words = _words(keys)
    factors = np.empty(words.shape[1], np.uint64)
    factor = 1
    for at in range(len(factors)):
        factor = factor * _ODD & _MASK
        factors[at] = factor
    mixed: NDArray[np.uint64] = words @ factors
    mixed += np.uint64((level + 1) * _ODD & _MASK)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    mixed >>= np.uint64(32)
    return mixed


def _words(keys: Keys) -> NDArray[np.uint64]:
    """Keys as little-endian 64-bit words, padded with zero bytes, shape (n, words)."""
    width = keys.dtype.itemsize
    padded = keys.astype(f"S{-(-width // 8) * 8}", copy=False)
    words = np.ascontiguousarray(padded).view("<u8").reshape(len(keys), -1)
    return words.astype(np.uint64, copy=False)


class Cutter:
    """Cuts the rows of one level, pushed in key order, into nodes."""

    def __init__(self, schema: Schema, level: int) -> None:
        self._variable = not schema.key_width
        self._target = schema.target
        self._level = level
        self._strong = (1 << 32) // (4 * schema.target)
        self._weak = (1 << 32) * 4 // schema.target
        self._waiting: Rows | None = None

    @property
    def empty(self) -> bool:
        """Whether every row pushed so far belongs to a complete node."""
        return self._waiting is None

    def push(self, rows: Rows) -> list[Rows]:
        """Add rows; returns the nodes that are now complete."""
        nodes = []
        for piece, ends in self.cut(rows):
            nodes += [piece.slice(start, end) for start, end in pairwise([0, *ends])]
        return nodes

    def cut(self, rows: Rows) -> list[tuple[Rows, list[int]]]:
        """The same, as rows and where (exclusive) nodes end in them: mostly uncopied."""
        waiting = self._waiting
        if not len(rows):
            return []
        if waiting is None:
            return self._cut(rows, self._ends(rows.keys))
        ends = self._ends(np.concatenate([waiting.keys, rows.keys]))
        if not ends:
            self._waiting = Rows.concat([waiting, rows])
            return []
        first = ends[0] - len(waiting)
        whole = Rows.concat([waiting, rows.slice(0, first)])
        rest = self._cut(rows.slice(first), [end - ends[0] for end in ends[1:]])
        return [(whole, [len(whole)]), *rest]

    def _cut(self, rows: Rows, ends: list[int]) -> list[tuple[Rows, list[int]]]:
        """Rows up to the last end; the others wait."""
        stop = ends[-1] if ends else 0
        self._waiting = rows.slice(stop) if stop < len(rows) else None
        return [(rows.slice(0, stop), ends)] if stop else []

    def finish(self) -> Rows | None:
        """The rows left at the end of the level: its last node, if there are any."""
        rows, self._waiting = self._waiting, None
        return rows

    def _ends(self, keys: Keys) -> list[int]:
        """End (exclusive) of every complete node in rows that start at a node's start."""
        values = boundary_values(keys, self._level)
        weights = self._weights(keys)
        scale = np.uint64(1) if weights is None else weights
        strong = np.flatnonzero(values < np.uint64(self._strong) * scale).tolist()
        weak = np.flatnonzero(values < np.uint64(self._weak) * scale).tolist()
        sizes = range(1, len(keys) + 1) if weights is None else np.cumsum(weights).tolist()
        ends: list[int] = []
        start = 0
        while (last := self._end(start, sizes, strong, weak, values)) < len(keys):
            start = last + 1
            ends.append(start)
        return ends

    def _weights(self, keys: Keys) -> NDArray[np.uint64] | None:
        """How much each row counts towards a node's size; None: each counts one."""
        if not self._variable or keys.dtype.itemsize >> _WEIGHT_SHIFT == 0:
            return None
        return ((key_lengths(keys) >> _WEIGHT_SHIFT) + 1).astype(np.uint64)

    def _end(
        self,
        start: int,
        sizes: Sequence[int],
        strong: list[int],
        weak: list[int],
        values: NDArray[np.uint64],
    ) -> int:
        """Index of the row that ends the node starting at `start`; len(sizes) if none yet."""
        base, target = (sizes[start - 1] if start else 0), self._target
        rare = max(start + 1, bisect_left(sizes, base + target // 4))
        often = max(rare, bisect_left(sizes, base + target))
        found = bisect_left(strong, rare)
        if found < len(strong) and strong[found] < often:
            return strong[found]
        late = max(often, bisect_left(sizes, base + 2 * target))
        at = bisect_left(weak, often)
        found = weak[at] if at < len(weak) else len(sizes)
        if found < late:
            return found
        full = max(late, bisect_left(sizes, base + 4 * target))
        return min(found, full, self._low(start, late, full, values))

    def _low(self, start: int, first: int, stop: int, values: NDArray[np.uint64]) -> int:
        """First row in [first, stop) whose value is below those of the rows before it."""
        for at in range(first, min(stop, len(values))):
            before = values[max(start, at - self._target // 2) : at]
            if values[at] < before.min():
                return at
        return stop
