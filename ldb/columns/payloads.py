"""Many MessagePack payloads in one buffer, read at many places at once.

A cursor is a place in the buffer; every function takes one for each value and does to all
of them what a decoder does to one. Nothing is read past the `stops` of the values: bytes
behind a cursor are looked at only after it was compared with its stop (the few bytes of a
length may lie beyond, the buffer is padded for them, and what they say is then refused).
All refusals are ValueError. Spelling: docs/formats/objects.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ldb.columns.model import Ints, Kind, Mask, Positions, spread

PADDING = 512
"""Bytes after the last payload, so that fixed widths can be read anywhere."""

FEW = 48
"""Fewer values than this are walked one by one: numpy's calls cost more than they save."""

LARGE = 64
"""Bytes of a list or object whose end is worth remembering."""

BAD = 255
"""Kind of a first byte that our payloads never have."""

KINDS = np.full(256, BAD, np.uint8)
"""For each first byte the kind of value it opens."""
WIDTHS = np.ones(256, np.int64)
"""For each first byte the bytes up to the next value or to the content of a counted length."""
COUNTS = np.zeros(256, np.int64)
"""For each first byte the length or number that it tells by itself."""
WIDE = np.zeros(256, np.int64)
"""For each first byte how many bytes of a length or number follow it."""
CHILDREN = np.zeros(256, np.int64)
"""For each first byte how many values one of its number stands for: 1 in lists, 2 in maps."""
SHIFTS = np.zeros(256, np.uint64)
"""For each first byte of an int the bits to drop from the eight bytes behind it."""


def _fill() -> None:
    KINDS[:0x80] = KINDS[0xE0:] = KINDS[0xCC:0xD4] = Kind.INT
    KINDS[0x80:0x90] = KINDS[0xDE:0xE0] = Kind.OBJECT
    KINDS[0x90:0xA0] = KINDS[0xDC:0xDE] = Kind.LIST
    KINDS[0xA0:0xC0] = KINDS[0xD9:0xDC] = Kind.TEXT
    KINDS[0xC4:0xC7] = Kind.OPAQUE
    KINDS[[0xC0, 0xC2, 0xC3, 0xCB]] = Kind.NULL, Kind.FALSE, Kind.TRUE, Kind.FLOAT
    COUNTS[0x80:0xA0] = np.tile(np.arange(16), 2)
    COUNTS[0xA0:0xC0] = np.arange(32)
    CHILDREN[KINDS == Kind.OBJECT] = 2
    CHILDREN[KINDS == Kind.LIST] = 1
    for width, firsts in {1: (0xC4, 0xD9), 2: (0xC5, 0xDA, 0xDC, 0xDE)}.items():
        WIDE[list(firsts)] = width
    WIDE[[0xC6, 0xDB, 0xDD, 0xDF]] = 4
    WIDTHS[:] = 1 + WIDE
    WIDTHS[0xA0:0xC0] += COUNTS[0xA0:0xC0]
    WIDTHS[0xCB] = 9
    for at, width in enumerate((1, 2, 4, 8, 1, 2, 4, 8), 0xCC):
        WIDTHS[at] = 1 + width
        SHIFTS[at] = 64 - 8 * width


_fill()

FIXED = np.where((WIDE == 0) & (CHILDREN * COUNTS == 0) & (KINDS != BAD), WIDTHS, 0)
"""For each first byte the bytes of the whole value, 0 where it does not tell."""

OPENED = COUNTS * CHILDREN - 1
"""For each first byte how many more values are to come once it was read."""
COUNTED = (WIDE > 0) | (KINDS == BAD)
"""First bytes that do not tell so by themselves, or that are refused."""

_MASKS = np.array([0] + [(1 << 64) - (1 << (64 - 8 * size)) for size in range(1, 9)], np.uint64)

_WIDTHS, _COUNTS, _WIDE = WIDTHS.tolist(), COUNTS.tolist(), WIDE.tolist()
_CHILDREN, _KINDS, _FIXED = CHILDREN.tolist(), KINDS.tolist(), FIXED.tolist()


class Payloads:
    """`raw` must end with `PADDING` bytes that belong to no payload."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.size = len(raw) - PADDING
        self._ends: dict[int, int] = {}
        self.data = np.frombuffer(raw, np.uint8)
        self.words: Any = np.ndarray((len(raw) - 7,), ">u8", raw, 0, (1,))
        """The eight bytes from each place on, first byte highest."""

    def windows(self, width: int, at: Positions) -> Any:
        """The `width` bytes from each place on; shape (n, width)."""
        shape = (len(self.raw) - width + 1,)
        view: Any = np.ndarray(shape, f"V{width}", self.raw, 0, (1,))
        return view[at].view(np.uint8).reshape(-1, width)

    def heads_of(self, starts: Ints, lengths: Ints) -> Any:
        """The first eight bytes of texts as one number, first byte highest, zeros after the end.

        What lies behind the end of a text has no length or less, and is zero.
        """
        words = self.words[starts].astype(np.uint64)
        return words & _MASKS.take(lengths, mode="clip")

    def sizes(self, at: Ints, heads: Any) -> tuple[Ints, Ints]:
        """Lengths of texts, lists, objects or bytes, and where their content starts."""
        counts: Ints = COUNTS.take(heads)
        wide = WIDE.take(heads)
        if not wide.any():
            return counts, at + 1
        places = np.flatnonzero(wide)
        counts[places] = self._numbers(at[places], wide[places])
        return counts, at + 1 + wide

    def _numbers(self, at: Ints, widths: Ints) -> Any:
        bits = (64 - 8 * widths).astype(np.uint64)
        return (self.words[at + 1].astype(np.uint64) >> bits).astype(np.int64)

    def skip(self, at: Ints, stops: Ints) -> Ints:
        """Where the values end, whatever they are."""
        ends = np.empty(len(at), np.int64)
        rows = np.arange(len(at))
        pending = np.ones(len(at), np.int64)
        while len(rows) >= FEW:
            require((at < stops).all())
            heads = self.data.take(at)
            at = at + WIDTHS.take(heads)
            pending = pending + OPENED.take(heads)
            if COUNTED.take(heads).any():
                self._skip_counted(at, heads, pending)
            open_ = pending > 0
            if not open_.all():
                done = np.flatnonzero(~open_)
                ends[rows[done]] = at[done]
                rows, at, stops, pending = rows[open_], at[open_], stops[open_], pending[open_]
        for row, place, stop, left in zip(*map(np.ndarray.tolist, (rows, at, stops, pending))):
            ends[row] = self._walk(place, stop, left)
        return ends

    def _skip_counted(self, at: Ints, heads: Any, pending: Ints) -> None:
        """Move on from behind those lengths that are more than a first byte."""
        places = np.flatnonzero(COUNTED.take(heads))
        heads = heads[places]
        require((KINDS.take(heads) != BAD).all())
        wide, children = WIDE.take(heads), CHILDREN.take(heads)
        numbers = self._numbers(at[places] - 1 - wide, wide)
        at[places] += np.where(children == 0, numbers, 0)
        pending[places] += numbers * children

    def _walk(self, at: int, stop: int, pending: int) -> int:
        """Where `pending` values from `at` on end.

        Notes where large lists and objects inside them do, for when their own items are walked.
        """
        raw, above = self.raw, list[tuple[int, int]]()
        while True:
            while not pending:
                if not above:
                    return at
                start, pending = above.pop()
                if at - start > LARGE:
                    self._ends[start] = at
            require(at < stop)
            head = raw[at]
            wide, number, children = _WIDE[head], _COUNTS[head], _CHILDREN[head]
            require(_KINDS[head] != BAD)
            pending -= 1
            if children and at in self._ends:
                at = self._ends[at]
                continue
            if wide:
                number = int.from_bytes(raw[at + 1 : at + 1 + wide], "big")
            if children:
                above.append((at, pending))
                pending = number * children
            at += _WIDTHS[head] + (number if wide and not children else 0)

    def items(self, starts: Ints, counts: Ints, stops: Ints) -> tuple[Ints, Ints]:
        """Where the items of lists start, all end to end, and where each list ends.

        A first item that tells its size is taken for the size of all items of its list, and
        then all are looked at. Other lists are walked, all of them from one item to the next.
        """
        require((counts <= stops - starts).all())
        steps = np.where(counts > 0, FIXED.take(self.data.take(starts)), 0)
        ends = starts + counts * steps
        even = ((steps > 0) & (ends <= stops)) | (counts == 0)
        offsets = np.cumsum(counts) - counts
        if even.all():
            found, wrong = self._spaced(starts, counts, steps)
            if not wrong.any():
                return found, ends
            rows = np.arange(len(starts))
        else:
            found = np.empty(int(counts.sum()), np.int64)
            rows = np.flatnonzero(even)
            spaced, wrong = self._spaced(starts[rows], counts[rows], steps[rows])
            found[spread(offsets[rows], counts[rows])] = spaced
        even[np.repeat(rows, counts[rows])[wrong]] = False
        rows = np.flatnonzero(~even)
        ends[rows] = self._walked(found, offsets[rows], starts[rows], counts[rows], stops[rows])
        require((ends <= stops).all())
        return found, ends

    def _spaced(self, starts: Ints, counts: Ints, steps: Ints) -> tuple[Ints, Mask]:
        """Items of one size a list, and which of them are not of that size."""
        offsets = np.cumsum(counts) - counts
        step = np.repeat(steps, counts)
        found: Ints = np.arange(len(step)) * step + np.repeat(starts - offsets * steps, counts)
        return found, FIXED.take(self.data.take(found)) != step

    def _walked(self, found: Ints, offsets: Ints, at: Ints, counts: Ints, stops: Ints) -> Ints:
        """Fill in the items from each offset on; where the lists end."""
        ends = at.copy()
        rows = np.flatnonzero(counts)
        number = 0
        while len(rows) >= FEW:
            found[offsets[rows] + number] = ends[rows]
            ends[rows] = self.skip(ends[rows], stops[rows])
            number += 1
            rows = rows[counts[rows] > number]
        for row in rows.tolist():
            place, stop, offset = int(ends[row]), int(stops[row]), int(offsets[row])
            for item in range(offset + number, offset + int(counts[row])):
                found[item] = place
                step = _FIXED[self.raw[place]] if place < stop else 0
                place = place + step if step else self._walk(place, stop, 1)
            ends[row] = place
        return ends


def require(holds: Any) -> None:
    """Refuse payloads for which something does not hold."""
    if not holds:
        raise ValueError("not a canonical MessagePack payload")
