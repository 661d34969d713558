"""Texts to dictionary codes, many at a time.

Texts of up to `SHORT` bytes are compared as a few 64-bit words: a hash of them picks a slot,
the first text of each slot stands for all others in it that are equal to it, byte for byte,
and what is left goes round again with another hash. Longer ones go through a Python dict.
Where most texts differ a dictionary is no use, and a sample mostly tells so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ldb.columns.model import Ints, Words, spread
from ldb.columns.payloads import Payloads

SHORT = 64
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
        short = int(lengths.max(initial=0)) <= SHORT
        found = _by_hash(payloads, starts, lengths) if short else None
        same = _by_dict(payloads, starts, lengths) if found is None else found
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
    return np.frombuffer(b"".join(_slices(payloads, starts, lengths)), np.uint8), offsets


def _slices(payloads: Payloads, starts: Ints, lengths: Ints) -> list[bytes]:
    raw = payloads.raw
    return [raw[at:stop] for at, stop in zip(starts.tolist(), (starts + lengths).tolist())]


def _hardly_repeat(payloads: Payloads, starts: Ints, lengths: Ints) -> bool:
    if len(starts) < 2 * SAMPLE:
        return False
    step = len(starts) // SAMPLE
    sample = _slices(payloads, starts[::step], lengths[::step])
    return len(set(sample)) > MOSTLY * len(sample)


def _by_dict(payloads: Payloads, starts: Ints, lengths: Ints) -> Ints:
    """For each text the place of the first that is equal."""
    texts = _slices(payloads, starts, lengths)
    known: dict[bytes, int] = {}
    places = map(known.setdefault, texts, range(len(texts)))
    return np.fromiter(places, np.int64, len(texts))


def _by_hash(payloads: Payloads, starts: Ints, lengths: Ints) -> Ints | None:
    """The same for short texts; None where their hashes collide too often."""
    keys: list[Any] = [lengths.astype(np.uint64)]
    for shift in range(0, int(lengths.max(initial=0)), 8):
        keys.append(payloads.heads_of(starts + shift, lengths - shift))
    mixed = np.zeros(len(starts), np.uint64)
    for key, factor in zip(keys, _FACTORS):
        mixed += key * factor
        mixed ^= mixed >> np.uint64(29)
    bits = max(len(starts).bit_length() + 1, 10)
    table = np.zeros(1 << bits, np.int64)
    same = np.zeros(len(starts), np.int64)
    rows = np.arange(len(starts))
    for _ in range(ROUNDS):
        mixed = mixed * _FACTORS[0]
        slots = (mixed >> np.uint64(64 - bits)).astype(np.int64)
        table[slots[::-1]] = rows[::-1]
        same[rows] = firsts = table[slots]
        differ = np.zeros(len(rows), np.bool_)
        for key in keys:
            differ |= key[firsts] != key[rows]
        if not differ.any():
            return same
        rows, mixed = rows[differ], mixed[differ]
        mixed = mixed ^ (mixed >> np.uint64(31))
    return None
