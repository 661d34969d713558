"""Which part of a split each data object goes to: pure functions of arrays.

Objects go in groups, and a group is never divided. Every group has a point in [0, 2^64), a
hash. `by_point` cuts the line of points by the shares and looks at nothing else, so what
comes later changes nobody's side. `balanced` keeps to the shares within every class, and to
the sides that groups have already. Rules and reasons: docs/design/026-splits.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Points = NDArray[np.uint64]
UNKNOWN = -1
"""The side of a group that has none yet."""
_SPACE = 2**64
_G, _M1, _M2 = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True, slots=True)
class Groups:
    """n rows in m groups."""

    of_row: Codes
    """The group of each row, 0 … m - 1."""
    points: Points
    """The point of each group."""

    @property
    def weights(self) -> Codes:
        """Rows of each group."""
        return np.bincount(self.of_row, minlength=len(self.points))


def mixed(heads: Points, seed: int) -> Points:
    """Spread numbers over [0, 2^64): SplitMix64's mixing, the seed added before."""
    start = int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=8).digest(), "little")
    with np.errstate(over="ignore"):
        z = heads + np.uint64(start) * _G
        z = (z ^ (z >> np.uint64(30))) * _M1
        z = (z ^ (z >> np.uint64(27))) * _M2
        mixed_up: Points = z ^ (z >> np.uint64(31))
    return mixed_up


def heads_of_ids(ids: NDArray[np.bytes_]) -> Points:
    """The first eight bytes of each id, which is a hash, as a number."""
    raw = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), ids.dtype.itemsize)
    return np.ascontiguousarray(raw[:, :8]).view("<u8").ravel().astype(np.uint64)


def head_of_value(value: bytes) -> int:
    """The same of a group's value, in its canonical spelling."""
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")


def grouped(ids: NDArray[np.bytes_], values: Sequence[bytes | None] | None, seed: int) -> Groups:
    """Rows with equal values together; a row without a value (None) is a group of its own."""
    heads = heads_of_ids(ids)
    if values is None:
        return Groups(np.arange(len(ids)), mixed(heads, seed))
    known: dict[bytes, int] = {}
    of_row = np.empty(len(ids), np.int64)
    starts: list[int] = []
    for at, value in enumerate(values):
        code = known.get(value) if value is not None else None
        if code is None:
            code = len(starts)
            starts.append(int(heads[at]) if value is None else head_of_value(value))
            if value is not None:
                known[value] = code
        of_row[at] = code
    return Groups(of_row, mixed(np.array(starts, np.uint64), seed))


def by_point(points: Points, shares: Sequence[Fraction]) -> Codes:
    """The side of each group; `len(shares)` is the rest, where shares leave one."""
    bounds = [floor(sum(shares[: at + 1], Fraction(0)) * _SPACE) for at in range(len(shares))]
    inside = np.array([bound for bound in bounds if bound < _SPACE], np.uint64)
    sides = np.searchsorted(inside, points, side="right")
    return sides.astype(np.int64)


def strata_of(groups: Groups, classes: Codes) -> Codes:
    """The class of each group: that of most of its rows; of several, the one that comes first."""
    if not len(classes):
        return np.zeros(len(groups.points), np.int64)
    kinds = int(classes.max()) + 1
    pairs, counts = np.unique(groups.of_row * kinds + classes, return_counts=True)
    group, kind = np.divmod(pairs, kinds)
    order = np.lexsort((kind, -counts, group))
    firsts = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
    return np.asarray(kind[firsts], np.int64)


def balanced(
    groups: Groups,
    strata: Codes,
    phases: Points,
    shares: Sequence[Fraction],
    known: Codes | None = None,
) -> Codes:
    """The side of each group, such that every class has its shares within rounding.

    `known` are sides that groups have and keep (`UNKNOWN`: none). Within a class the others
    are cut in the order of their points, by what each part still lacks. `phases`, a point a
    class, say which way it is rounded: else all small classes would be rounded alike.
    """
    every = [*shares, 1 - sum(shares, Fraction(0))]
    sides = np.full(len(groups.points), UNKNOWN, np.int64) if known is None else known.copy()
    if not len(sides):
        return sides
    weights = groups.weights
    order = np.lexsort((np.arange(len(sides)), groups.points, strata))
    for members in np.split(order, np.flatnonzero(np.diff(strata[order])) + 1):
        had = sides[members] != UNKNOWN
        have = np.bincount(sides[members[had]], weights[members[had]], len(every))
        total = int(weights[members].sum())
        lack = [max(Fraction(0), share * total - int(h)) for share, h in zip(every, have)]
        fresh = members[~had]
        phase = int(phases[strata[members[0]]]) >> 32
        sides[fresh] = _cut(weights[fresh], lack if any(lack) else every, phase)
    return sides


def _cut(weights: Codes, parts: Sequence[Fraction], phase: int) -> Codes:
    """Items in a row, cut in proportion to `parts`. Each goes where a place in it lies that is
    the same for all: `phase` of its length, in 2^-32."""
    begins = np.cumsum(weights) - weights
    places = (begins << 32) + weights * phase
    length, whole = int(weights.sum()) << 32, sum(parts, Fraction(0))
    bounds = [ceil(length * sum(parts[: at + 1], Fraction(0)) / whole) for at in range(len(parts))]
    return np.searchsorted(np.array(bounds[:-1], np.int64), places, side="right").astype(np.int64)
