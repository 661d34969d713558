"""Distinct numbers and texts, and how often each occurs: what distributions are made of.

Values come in arrays, a pack at a time, and are merged with those of the packs before; the
same results come from values that are added one by one. Memory is bounded: of numbers that
hardly repeat only the first bits are kept (`NumberStats.exact` tells), and texts that hardly
repeat are given up (`TextStats.values` is None), by limits that do not depend on the order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import Column, Kind

Number: TypeAlias = "int | float"
Counts = NDArray[np.int64]

BINS = 10
"""Most parts of a histogram."""
NUMBERS_KEPT = 1 << 20
"""Distinct numbers that are told apart exactly."""
TEXTS_KEPT = 50_000
"""Distinct texts that are counted, unless all are wanted."""
CHARACTERS_KEPT = 1 << 22
"""Characters they may have in all."""

_WAITING = 1 << 16
"""Numbers that wait to be merged, however few are merged already."""
_BATCH = 4096
"""Single numbers that are gathered before they are made an array."""
_FIRST_CUT, _CUT = 28, 4
"""Bits that are cut off numbers of which there are too many, and how many more each time."""
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1
_WIDE = 1 << 53


@dataclass(frozen=True, slots=True)
class NumberStats:
    """How numbers are distributed."""

    count: int
    least: Number
    most: Number
    quartiles: tuple[Number, Number, Number]
    """The values that a quarter, a half and three quarters of all values do not exceed."""
    bins: tuple[int, ...]
    """How many lie in each of the parts of a histogram; () where there is but one value."""
    width: Number
    """How wide each part is; the first begins at `least`."""
    exact: bool = True
    """Whether quartiles and bins are of the very numbers, not of their first digits."""


@dataclass(frozen=True, slots=True)
class TextStats:
    """Which texts there are."""

    count: int
    values: Mapping[str, int] | None
    """Each text with its count, the most frequent first; None: too many to tell."""


def plain(number: Number) -> Number:
    """One spelling for numbers that are equal: 1.0 is 1."""
    if number.__class__ is float and abs(number) <= _WIDE and number == int(number):
        return int(number)
    return number


class Numbers:
    """Gathers numbers."""

    def __init__(self) -> None:
        self.count = 0
        self._least: Number | None = None
        self._most: Number | None = None
        self._ints = _Merged(np.dtype(np.int64))
        self._floats = _Merged(np.dtype(np.float64))
        self._waiting: list[Number] = []

    def add(self, values: NDArray[Any]) -> None:
        """More numbers, of any signed integer type or 64-bit floats."""
        if not len(values):
            return
        self.count += len(values)
        self._span(values.min().item(), values.max().item())
        (self._floats if values.dtype.kind == "f" else self._ints).add(values)

    def add_value(self, number: Number) -> None:
        """One more; integers may be beyond 64 bits."""
        self.count += 1
        self._waiting.append(number)
        if len(self._waiting) == _BATCH:
            self._take_in()

    def _take_in(self) -> None:
        ints: list[int] = []
        floats: list[float] = []
        for number in self._waiting:
            if number.__class__ is int and _INT_MIN <= number <= _INT_MAX:
                ints.append(number)
            else:
                floats.append(float(number))
        if self._waiting:
            self._span(min(self._waiting), max(self._waiting))
            self._waiting = []
        if ints:
            self._ints.add(np.array(ints, np.int64))
        if floats:
            self._floats.add(np.array(floats, np.float64))

    def _span(self, least: Number, most: Number) -> None:
        self._least = least if self._least is None else min(self._least, least)
        self._most = most if self._most is None else max(self._most, most)

    def stats(self) -> NumberStats | None:
        """The distribution; None where there are no numbers."""
        self._take_in()
        if self._least is None or self._most is None:
            return None
        values, counts = self._sorted()
        ends = np.cumsum(counts)
        ranks = [(self.count * quarter + 3) // 4 for quarter in (1, 2, 3)]
        first, second, third = (
            plain(_clipped(values[at].item(), self._least, self._most))
            for at in np.searchsorted(ends, ranks).tolist()
        )
        exact = self._ints.cut + self._floats.cut == 0
        least, most = plain(self._least), plain(self._most)
        bins, width = histogram(values, counts, least, most)
        return NumberStats(self.count, least, most, (first, second, third), bins, width, exact)

    def _sorted(self) -> tuple[NDArray[Any], Counts]:
        """Distinct values ascending, and their counts; floats where any is a float."""
        ints, floats = self._ints.all(), self._floats.all()
        if not len(floats[0]):
            return ints
        if not len(ints[0]):
            return floats
        return _merged([(ints[0].astype(np.float64), ints[1]), floats])


def _clipped(number: Number, least: Number, most: Number) -> Number:
    """Numbers cut short may lie a little outside."""
    return max(least, min(most, number))


def histogram(
    values: NDArray[Any], counts: Counts, least: Number, most: Number
) -> tuple[tuple[int, ...], Number]:
    """How many of the values lie in each of some equal parts of [least, most], and their width.

    Parts are closed below and open above, but for the last of floats. Integers get parts of
    whole width, of which the last may reach beyond `most`.
    """
    if not least < most:
        return (), 0
    if values.dtype.kind == "i":
        width = -(-(int(most) - int(least) + 1) // BINS)
        offsets = values.astype(np.uint64) - np.array([least], np.int64).astype(np.uint64)
        return _filled(offsets // np.uint64(width), counts), width
    low, span = float(least), float(most) - float(least)
    if span == math.inf:  # halves are as good
        values, low, span = values / 2, low / 2, float(most) / 2 - low / 2
        return _filled(_tenths(values - low, span), counts, BINS), span / BINS * 2
    if not span / BINS:
        return (int(counts.sum()),), span
    return _filled(_tenths(values - low, span), counts, BINS), span / BINS


def _tenths(offsets: NDArray[Any], span: float) -> NDArray[Any]:
    return np.clip(offsets / (span / BINS), 0, BINS - 1)


def _filled(places: NDArray[Any], counts: Counts, size: int = 0) -> tuple[int, ...]:
    found = np.bincount(places.astype(np.intp), weights=counts, minlength=size)
    return tuple(found.astype(np.int64).tolist())  # sums of floats, exact up to 2**53


class _Merged:
    """Distinct numbers of one type, with counts."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.cut = 0
        """Low bits that are cut off the floats that numbers have become."""
        self._parts: list[tuple[NDArray[Any], Counts]] = [
            (np.zeros(0, dtype), np.zeros(0, np.int64))
        ]
        self._waiting = 0

    def add(self, values: NDArray[Any]) -> None:
        part = _distinct(_cut(values, self.cut) if self.cut else values)
        self._parts.append(part)
        self._waiting += len(part[0])
        # Only when as many wait as were merged: so each is merged a few times at most.
        if self._waiting > max(_WAITING, len(self._parts[0][0])):
            self.all()

    def all(self) -> tuple[NDArray[Any], Counts]:
        """Ascending values and their counts."""
        if len(self._parts) > 1:
            self._parts = [_merged(self._parts)]
            self._waiting = 0
        while len(self._parts[0][0]) > NUMBERS_KEPT >> bool(self.cut):
            self.cut += _CUT if self.cut else _FIRST_CUT
            values, counts = self._parts[0]
            self._parts = [_merged([(_cut(values, self.cut), counts)])]
        return self._parts[0]


def _cut(values: NDArray[Any], bits: int) -> NDArray[np.float64]:
    """Floats without their last bits."""
    raw = values.astype(np.float64).view(np.uint64)
    return (raw >> np.uint64(bits) << np.uint64(bits)).view(np.float64)


def _distinct(values: NDArray[Any]) -> tuple[NDArray[Any], Counts]:
    if values.dtype.kind == "f":
        found, counts = np.unique(values, return_counts=True)
        return found, counts.astype(np.int64)
    least, most = int(values.min()), int(values.max())
    if most - least > 4 * len(values) + 1024:
        found, counts = np.unique(values, return_counts=True)
        return found.astype(np.int64), counts.astype(np.int64)
    everywhere = np.bincount(values.astype(np.int64) - least)
    places = np.flatnonzero(everywhere)
    return places + least, everywhere[places].astype(np.int64)


def _merged(parts: list[tuple[NDArray[Any], Counts]]) -> tuple[NDArray[Any], Counts]:
    values = np.concatenate([each for each, _ in parts])
    counts = np.concatenate([each for _, each in parts])
    if not len(values):
        return values, counts
    order = np.argsort(values, kind="stable")
    values, counts = values[order], counts[order]
    firsts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    return values[firsts], np.add.reduceat(counts, firsts)


class Texts:
    """Gathers texts; `every` of them, or until there are too many different ones."""

    def __init__(self, every: bool = False) -> None:
        self.count = 0
        self._every = every
        self._known: dict[str, int] | None = {}
        self._characters = 0

    def add(self, column: Column) -> None:
        """The texts of a column; what else it holds is passed over."""
        codes = column.codes if column.kind is Kind.TEXT else column.codes[column.are(Kind.TEXT)]
        self.count += len(codes)
        if self._known is None or not len(codes):
            return
        words = column.words
        counts = np.bincount(codes, minlength=len(words))
        used = np.flatnonzero(counts)
        if words.distinct and not self._every:
            # A character is four bytes at most.
            raw = int(np.diff(words.offsets)[used].sum())
            if len(used) > TEXTS_KEPT or raw > 4 * CHARACTERS_KEPT:
                self._known = None
                return
        many = 2 * len(used) > len(words)
        texts = words.strings if many else words.some(used.tolist())
        known, characters = self._known, 0
        for text, count in zip(texts, (counts if many else counts[used]).tolist()):
            if text in known:
                known[text] += count
            elif count:
                known[text] = count
                characters += len(text)
        self._characters += characters
        self._limit()

    def add_value(self, text: str) -> None:
        """One more."""
        self.count += 1
        if self._known is None:
            return
        if text in self._known:
            self._known[text] += 1
        else:
            self._known[text] = 1
            self._characters += len(text)
            self._limit()

    def _limit(self) -> None:
        known = self._known
        if known is None or self._every:
            return
        if len(known) > TEXTS_KEPT or self._characters > CHARACTERS_KEPT:
            self._known = None

    def known(self) -> Mapping[str, int]:
        """Texts and counts in no order; none where there were too many."""
        return self._known or {}

    def stats(self) -> TextStats:
        """All texts, the most frequent first, those of one count in alphabetical order."""
        if self._known is None:
            return TextStats(self.count, None)
        ordered = sorted(self._known.items(), key=lambda each: (-each[1], each[0]))
        return TextStats(self.count, dict(ordered))
