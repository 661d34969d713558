"""Columns of MessagePack payloads, made for all payloads at once.

Every payload has a cursor. The bytes at all cursors say the kinds of the values there;
scalars are then read by array operations, and of objects the smallest key that any of them
is at comes next: as keys are sorted, each key is met once, by all objects that have it.
So the work is some array operations a key, however many payloads there are.
What goes beyond the limits is opaque as a whole: see docs/design/008-columns.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.columns.join import MAX_KEYS, Budget, ends, join, of_kinds, place
from ldb.columns.model import Column, Ints, Kind, Positions
from ldb.columns.payloads import BAD, KINDS, PADDING, SHIFTS, WIDTHS, Payloads, require
from ldb.columns.text import encode, int_type

CHUNK = 4 << 20
"""Bytes of payload that are shredded together."""
ROWS = 1 << 16
"""Most payloads that are shredded together, give or take a batch."""
BATCH = 256
"""Payloads that are counted together."""
MAX_DEPTH = 32
"""Lists and objects inside this many others are opaque."""
MAX_KEY = 255
"""Most bytes of a key."""


class Shredder:
    """Gathers payloads and makes one column of all."""

    def __init__(self, chunk: int = CHUNK) -> None:
        self._chunk = chunk
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._count = 0
        self._parts: list[Column] = []

    def __len__(self) -> int:
        return self._count

    def add(self, payloads: Sequence[bytes]) -> None:
        """More values, after those added before."""
        for start in range(0, len(payloads), BATCH):
            batch = payloads[start : start + BATCH]
            self._waiting += batch
            self._bytes += sum(map(len, batch))
            self._count += len(batch)
            if self._bytes >= self._chunk or len(self._waiting) >= ROWS:
                self._shred()

    def finish(self) -> Column:
        """All values in the order in which they were added."""
        self._shred()
        return join(self._parts)

    def _shred(self) -> None:
        if self._waiting:
            lengths = np.fromiter(map(len, self._waiting), np.int64, len(self._waiting))
            self._waiting.append(bytes(PADDING))
            payloads = Payloads(b"".join(self._waiting))
            self._waiting, self._bytes = [], 0
            stops = np.cumsum(lengths)
            self._parts.append(_shred(payloads, stops - lengths, stops))


def shred(data: NDArray[np.uint8], starts: Ints, stops: Ints) -> Column:
    """The column of the payloads `data[start:stop]`; anything else there is ValueError."""
    require(((starts >= 0) & (starts < stops) & (stops <= len(data))).all())
    payloads = Payloads(b"".join((data.tobytes(), bytes(PADDING))))
    return _shred(payloads, starts.astype(np.int64), stops.astype(np.int64))


def _shred(payloads: Payloads, starts: Ints, stops: Ints) -> Column:
    column, found = _Tree(payloads).column(starts, stops, 0)
    require((found == stops).all())
    return column


class _Tree:
    """One tree of columns while it is made. Methods return a column and where values end."""

    def __init__(self, payloads: Payloads) -> None:
        self.payloads = payloads
        self.budget = Budget()

    def column(self, at: Ints, stops: Ints, depth: int) -> tuple[Column, Ints]:
        if not len(at):
            return Column(0, Kind.NULL), at
        require((at < stops).all())
        heads = self.payloads.data.take(at)
        kinds = KINDS.take(heads)
        if (kinds == kinds[0]).all():
            return self._of_kind(int(kinds[0]), at, heads, stops, depth)
        counts = np.bincount(kinds)
        if not counts[Kind.INT :].any():
            return Column(len(at), kinds=kinds), at + 1
        found = np.empty(len(at), np.int64)
        parts = []
        for kind in np.flatnonzero(counts).tolist():
            places = np.flatnonzero(kinds == kind)
            part, found[places] = self._of_kind(
                kind, at[places], heads[places], stops[places], depth
            )
            parts.append((places, part))
        return place(len(at), parts), found

    def _of_kind(
        self, kind: int, at: Ints, heads: Any, stops: Ints, depth: int
    ) -> tuple[Column, Ints]:
        require(kind != BAD)
        if kind in (Kind.LIST, Kind.OBJECT):
            inside = self._lists if kind == Kind.LIST else self._objects
            before = self.budget.columns
            found = inside(at, heads, stops, depth + 1) if depth < MAX_DEPTH else None
            if found is not None:
                return found
            self.budget.columns = before
            return Column(len(at), Kind.OPAQUE), self.payloads.skip(at, stops)
        if kind == Kind.TEXT:
            return self._texts(at, heads, stops)
        if kind == Kind.OPAQUE:
            lengths, starts = self.payloads.sizes(at, heads)
            return Column(len(at), Kind.OPAQUE), starts + lengths
        found_ends = at + WIDTHS.take(heads)
        if kind == Kind.INT:
            return self._ints(at, heads), found_ends
        if kind == Kind.FLOAT:
            floats = self.payloads.words[at + 1].astype(np.uint64).view(np.float64)
            return Column(len(at), Kind.FLOAT, floats=floats), found_ends
        return Column(len(at), Kind(kind)), found_ends

    def _ints(self, at: Ints, heads: Any) -> Column:
        short = heads.view(np.int8)
        places = np.flatnonzero(short < -32)
        if not len(places):
            return Column(len(at), Kind.INT, ints=short)
        longer = heads[places]
        words: Any = self.payloads.words[at[places] + 1].astype(np.uint64)
        shifts = SHIFTS.take(longer)
        signed = words.view(np.int64) >> shifts.view(np.int64)
        values = np.where(longer >= 0xD0, signed, (words >> shifts).view(np.int64))
        ints = short.astype(np.int64)
        ints[places] = values
        beyond = places[(longer == 0xCF) & (values < 0)]
        ints[beyond] = 0
        ints = ints.astype(int_type(max(-int(ints.min()), int(ints.max()) + 1)))
        if not len(beyond):
            return Column(len(at), Kind.INT, ints=ints)
        kinds = np.full(len(at), Kind.INT, np.uint8)
        kinds[beyond] = Kind.OPAQUE
        return of_kinds(len(at), kinds, {"ints": ints})

    def _texts(self, at: Ints, heads: Any, stops: Ints) -> tuple[Column, Ints]:
        lengths, starts = self.payloads.sizes(at, heads)
        found = starts + lengths
        require((found <= stops).all())
        codes, words = encode(self.payloads, starts, lengths)
        return Column(len(at), Kind.TEXT, codes=codes, words=words), found

    def _lists(self, at: Ints, heads: Any, stops: Ints, depth: int) -> tuple[Column, Ints] | None:
        if not self.budget.take():
            return None
        counts, starts = self.payloads.sizes(at, heads)
        if int(counts.max()) <= 1:
            # Where its only item ends a list ends, so nothing has to be walked for that.
            rows, found = np.flatnonzero(counts), starts.copy()
            below, found[rows] = self.column(starts[rows], stops[rows], depth)
            require((found <= stops).all())
            return Column(len(at), Kind.LIST, offsets=ends(counts), items=below), found
        items, found = self.payloads.items(starts, counts, stops)
        below, _ = self.column(items, np.full(len(items), self.payloads.size), depth)
        return Column(len(at), Kind.LIST, offsets=ends(counts), items=below), found

    def _objects(self, at: Ints, heads: Any, stops: Ints, depth: int) -> tuple[Column, Ints] | None:
        """Key by key; None where a limit is reached."""
        size = len(at)
        left, at = self.payloads.sizes(at, heads)
        found = at.copy()
        fields: dict[str, Column] = {}
        rows = np.flatnonzero(left)
        if len(rows) < size:
            at, left, stops = at[rows], left[rows], stops[rows]
        last: bytes | None = None
        while len(rows):
            if len(fields) == MAX_KEYS or not self.budget.take():
                return None
            step = _least_key(self.payloads, at, stops, len(fields))
            if step is None:
                return None
            key, picked, values = step
            require(last is None or last < key)
            last = key
            if picked is None:
                below, at = self.column(values, stops, depth)
                left = left - 1
                whole = len(rows) == size
                fields[key.decode()] = below if whole else place(size, [(rows, below)])
            else:
                below, at[picked] = self.column(values, stops[picked], depth)
                left[picked] -= 1
                fields[key.decode()] = place(size, [(rows[picked], below)])
            open_ = left > 0
            if len(rows) == size and not open_.any():
                return Column(size, Kind.OBJECT, fields=fields), at
            if not open_.all():
                done = np.flatnonzero(~open_)
                found[rows[done]] = at[done]
                rows, at, left, stops = rows[open_], at[open_], left[open_], stops[open_]
        return Column(size, Kind.OBJECT, fields=fields), found


_Step = tuple[bytes, "Positions | None", Ints]


def _least_key(payloads: Payloads, at: Ints, stops: Ints, known: int) -> _Step | None:
    """The least key at any cursor, who has it (None: all), and where its values start.

    None where a key is too long or there are too many of them, as far as can be seen.
    """
    require((at < stops).all())
    first = int(at[0])
    head = payloads.raw[first : first + 1]
    require(KINDS[head[0]] == Kind.TEXT)
    one = np.frombuffer(head, np.uint8)
    lengths, starts = payloads.sizes(at[:1], one)
    length, start = int(lengths[0]), int(starts[0])
    if length <= MAX_KEY:
        token = payloads.data[first : start + length]
        if (payloads.windows(len(token), at) == token).all():
            return token[start - first :].tobytes(), None, at + len(token)
    heads = payloads.data.take(at)
    require((KINDS.take(heads) == Kind.TEXT).all())
    lengths, starts = payloads.sizes(at, heads)
    require((starts + lengths <= stops).all())
    if (lengths > MAX_KEY).any():
        return None
    if known & (known - 1) == 0 and _many(payloads.heads_of(starts, lengths), known):
        return None
    picked = _least(payloads, starts, lengths)
    start, length = int(starts[picked[0]]), int(lengths[picked[0]])
    key = payloads.raw[start : start + length]
    return key, picked, starts[picked] + length


def _many(heads_of_keys: Any, known: int) -> bool:
    """Whether there are more keys than allowed; asked now and then, it is not cheap."""
    return len(np.unique(heads_of_keys)) + known > MAX_KEYS


def _least(payloads: Payloads, starts: Ints, lengths: Ints) -> Any:
    """Where the bytewise least text is, of which there may be several."""
    picked = np.arange(len(starts))
    shift = 0
    while True:
        words = payloads.heads_of(starts[picked] + shift, lengths[picked] - shift)
        picked = picked[words == words.min()]
        shortest = int(lengths[picked].min())
        if shortest <= shift + 8:
            # Equal up to here but for zeros, which are no bytes of the shorter ones.
            return picked[lengths[picked] == shortest]
        shift += 8
