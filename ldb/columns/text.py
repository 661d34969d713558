"""Texts to dictionary codes, many at a time.

Texts of up to `SHORT` bytes are compared as a few 64-bit words: a hash of them picks a slot,
the first text of each slot stands for all others in it that are equal to it, byte for byte,
and what is left goes round again with another hash. Longer ones go through a Python dict.
Where most texts differ a dictionary is no use, and a sample mostly tells so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ldb.columns.model import Ints, Mask, Words, spread
from ldb.columns.payloads import Payloads

SHORT = 64
BLOCK = 512
SAMPLE = 1024
MOSTLY = 0.97
"""A sample with more distinct texts than this is of texts that hardly repeat."""
ROUNDS = 8
"""Then texts are taken to be chosen so that their hashes collide."""

_FACTORS = tuple(
    np.uint64(pow(0x9E3779B97F4A7C15, power, 1 << 64) | 1) for power in range(1, SHORT // 8 + 2)
)


def encode(payloads: Payloads, starts: Ints, lengths: Ints) -> tuple[Any, Words]:
    """Codes of texts and their words: distinct, or in order where more than half differ."""
    count = len(starts)
    firsts = None
    if not _hardly_repeat(payloads, starts, lengths):
        same = _same(payloads, starts, lengths)
        firsts = np.flatnonzero(same == np.arange(count))
    if firsts is None or 2 * len(firsts) > count:
        words = Words(*gather(payloads, starts, lengths))
        return np.arange(count, dtype=int_type(count)), words
    ranks = np.zeros(count, int_type(len(firsts)))
    ranks[firsts] = np.arange(len(firsts))
    return ranks[same], Words(*gather(payloads, starts[firsts], lengths[firsts]), distinct=True)


def int_type(count: int) -> Any:
    """The smallest signed type for numbers below `count`."""
    return np.min_scalar_type(-max(count, 1))


def gather(payloads: Payloads, starts: Ints, lengths: Ints) -> tuple[Any, Ints]:
    """Texts end to end, and their offsets."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    total = int(offsets[-1])
    if not total:
        return np.zeros(0, np.uint8), offsets
    longest = int(lengths.max())
    if longest <= 256 and total == longest * len(starts):
        return payloads.windows(longest, starts).reshape(-1), offsets
    if total < 16 * len(starts):
        return payloads.data[spread(starts, lengths)], offsets
    joined = [b"".join(block) for block in _blocks(payloads, starts, lengths)]
    return np.frombuffer(b"".join(joined), np.uint8), offsets


def _blocks(payloads: Payloads, starts: Ints, lengths: Ints) -> Iterator[list[bytes]]:
    """Texts as bytes, so many together that the memory of the last ones is used again."""
    raw, stops = payloads.raw, starts + lengths
    for first in range(0, len(starts), BLOCK):
        block = slice(first, first + BLOCK)
        yield [raw[at:stop] for at, stop in zip(starts[block].tolist(), stops[block].tolist())]


def _hardly_repeat(payloads: Payloads, starts: Ints, lengths: Ints) -> bool:
    if len(starts) < 2 * SAMPLE:
        return False
    step = len(starts) // SAMPLE
    same = _same(payloads, starts[::step], lengths[::step])
    return bool((same == np.arange(len(same))).sum() > MOSTLY * len(same))


def _same(payloads: Payloads, starts: Ints, lengths: Ints) -> Ints:
    """For each text the place of the first that is equal."""
    short = int(lengths.max(initial=0)) <= SHORT
    found = _by_hash(payloads, starts, lengths) if short else None
    return _by_dict(payloads, starts, lengths) if found is None else found


def _by_dict(payloads: Payloads, starts: Ints, lengths: Ints) -> Ints:
    known: dict[bytes, int] = {}
    same = np.empty(len(starts), np.int64)
    first = 0
    for block in _blocks(payloads, starts, lengths):
        stop = first + len(block)
        same[first:stop] = list(map(known.setdefault, block, range(first, stop)))
        first = stop
    return same


def _by_hash(payloads: Payloads, starts: Ints, lengths: Ints) -> Ints | None:
    """None where the hashes of too many texts collide."""
    keys: list[Any] = [lengths.astype(np.uint64)]
    for shift in range(0, int(lengths.max(initial=0)), 8):
        keys.append(payloads.heads_of(starts + shift, lengths - shift))
    mixed = np.zeros(len(starts), np.uint64)
    for key, factor in zip(keys, _FACTORS):
        mixed += key * factor
        mixed ^= mixed >> np.uint64(29)
    bits = max(len(starts).bit_length() + 1, 10)
    table = np.zeros(1 << bits, np.int64)
    rows = np.arange(len(starts))
    same = rows
    for _ in range(ROUNDS):
        mixed = mixed * _FACTORS[0]
        slots = (mixed >> np.uint64(64 - bits)).astype(np.int64)
        table[slots[::-1]] = rows[::-1]
        firsts = table.take(slots)
        differ = _differ(keys, firsts, rows)
        if len(rows) == len(same):
            same = firsts
        else:
            same[rows] = firsts
        if not differ.any():
            return same
        rows, mixed = rows[differ], mixed[differ]
        mixed = mixed ^ (mixed >> np.uint64(31))
    return None


def _differ(keys: list[Any], firsts: Ints, rows: Ints) -> Mask:
    """Which texts at `rows` are not those at `firsts`."""
    everything = len(rows) == len(keys[0])
    differ = np.zeros(len(rows), np.bool_)
    for key in keys:
        differ |= key.take(firsts) != (key if everything else key[rows])
    return differ
