"""Where two columns differ, array by array: the check that a column file holds what it should.

Nothing becomes a Python object for each value. A file may call a value opaque that the other
side holds, since that only sends readers to the blob; where the other side is opaque and the
file is not, the answer is "unsure", and who asks has to look at the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ldb.columns.model import Column, Ints, Kind, Mask, Positions, Words, spread

CHUNK = 4 << 20
"""Bytes of text that are compared together."""


@dataclass(frozen=True, slots=True)
class Differences:
    """For each of n values whether two columns differ; both masks have shape (n,)."""

    wrong: Mask
    unsure: Mask
    """Not wrong as far as can be seen, but the true column does not hold all of the value."""


def differences(held: Column, true: Column) -> Differences:
    """Where `held` (of a file) is not what `true` says; both have as many values."""
    kinds, wanted = held.kinds, true.kinds
    given_up = kinds == Kind.OPAQUE
    there = wanted != Kind.MISSING
    unsure: Mask = (wanted == Kind.OPAQUE) & ~given_up & (kinds != Kind.MISSING)
    wrong: Mask = (kinds != wanted) & ~(given_up & there) & ~unsure
    if Kind.INT in held.present | true.present:
        wrong |= (held.ints != true.ints) & ~given_up & ~unsure
    if Kind.FLOAT in held.present | true.present:
        bits = held.floats.view(np.int64) != true.floats.view(np.int64)
        wrong |= bits & ~given_up & ~unsure
    if Kind.TEXT in held.present:
        rows = np.flatnonzero((kinds == Kind.TEXT) & (wanted == Kind.TEXT))
        wrong[rows[~_same_texts(held, true, rows)]] = True
    if Kind.LIST in held.present:
        _lists(held, true, wrong, unsure)
    if Kind.OBJECT in held.present:
        _objects(held, true, wrong, unsure)
    return Differences(wrong, unsure & ~wrong)


def _lists(held: Column, true: Column, wrong: Mask, unsure: Mask) -> None:
    lists = held.are(Kind.LIST)
    wrong |= ~lists & (held.lengths > 0)  # the offsets must stand still
    both = lists & true.are(Kind.LIST)
    wrong |= both & (held.lengths != true.lengths)
    rows = np.flatnonzero(both & (held.lengths == true.lengths))
    if len(rows) < held.size and not np.array_equal(held.offsets, true.offsets):
        held, true = held.take(rows), true.take(rows)
    else:
        rows = np.arange(held.size)
    found = differences(held.items, true.items)
    wrong[rows[_any(found.wrong, held.offsets)]] = True
    unsure[rows[_any(found.unsure, held.offsets)]] = True


def _any(mask: Mask, offsets: Ints) -> Mask:
    """Which lists have an item where the mask is True."""
    inside = np.concatenate((np.zeros(1, np.int64), np.cumsum(mask)))
    found: Mask = np.diff(inside[offsets]) > 0
    return found


def _objects(held: Column, true: Column, wrong: Mask, unsure: Mask) -> None:
    objects = held.are(Kind.OBJECT)
    both = objects & true.are(Kind.OBJECT)
    keys = list(held.fields)
    if keys != sorted(keys, key=_bytes_of):
        wrong |= objects
    for key in {**held.fields, **true.fields}:
        below = held.fields.get(key) or Column(held.size, Kind.MISSING)
        found = differences(below, true.fields.get(key) or Column(true.size, Kind.MISSING))
        wrong |= both & found.wrong
        unsure |= both & found.unsure
        wrong |= ~objects & ~below.are(Kind.MISSING)


def _bytes_of(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _same_texts(held: Column, true: Column, rows: Positions) -> Mask:
    """Which of these rows, all of them texts on both sides, have the same text."""
    if held.words.distinct and not _is_distinct(held.words, true.words):
        return np.zeros(len(rows), np.bool_)
    codes, wanted = held.codes[rows].astype(np.int64), true.codes[rows].astype(np.int64)
    if _is_same(held.words, true.words):
        same: Mask = codes == wanted
        if same.all() or held.words.distinct:
            return same
    pairs, of = np.unique(codes * len(true.words) + wanted, return_inverse=True)
    codes, wanted = np.divmod(pairs, max(len(true.words), 1))
    return _same_pairs(held.words, codes, true.words, wanted)[of]


def _is_distinct(words: Words, known: Words) -> bool:
    """Whether no text of `words` occurs twice; texts become objects only if need be."""
    if known.distinct and _is_same(words, known):
        return True
    data, ends = words.data.tobytes(), words.offsets.tolist()
    return len({data[start:stop] for start, stop in pairwise(ends)}) == len(words)


def _is_same(one: Words, other: Words) -> bool:
    """Whether both hold the same texts in the same order."""
    return np.array_equal(one.offsets, other.offsets) and np.array_equal(one.data, other.data)


def _same_pairs(one: Words, first: Ints, other: Words, second: Ints) -> Mask:
    """For each pair of codes whether the texts are the same."""
    starts, begin = one.offsets[first], other.offsets[second]
    lengths = one.offsets[first + 1] - starts
    same: Mask = lengths == other.offsets[second + 1] - begin
    rows = np.flatnonzero(same & (lengths > 0))
    ends = np.cumsum(lengths[rows])
    at = 0
    while at < len(rows):
        before = int(ends[at - 1]) if at else 0
        stop = max(at + 1, int(np.searchsorted(ends, before + CHUNK, side="right")))
        part = rows[at:stop]
        size = lengths[part]
        left = one.data[spread(starts[part], size)]
        right = other.data[spread(begin[part], size)]
        cuts = np.concatenate((np.zeros(1, np.int64), ends[at:stop] - before))
        same[part] = ~_any(left != right, cuts)
        at = stop
    return same
