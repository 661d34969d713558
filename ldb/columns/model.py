"""Many JSON values as numpy arrays, one tree of columns for the tree of keys.

Every array of a `Column` of n values has n entries, with zeros where a value is of another
kind, so one boolean mask serves all parts of a column and of the columns below its keys.
Lists alone differ: their items lie end to end in a column of their own, cut by `offsets`.
Parts may be functions that load them: nothing is read from a file before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar, Union, cast

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Positions = NDArray[np.intp]
T = TypeVar("T")
Lazy: TypeAlias = Union[T, Callable[[], T]]
"""A part, or the function that loads it."""


class Kind(IntEnum):
    """What a value is. The numbers are those of the file format."""

    MISSING = 0
    """Not there: its object lacks the key."""
    NULL = 1
    FALSE = 2
    TRUE = 3
    INT = 4
    """Fits 64 bits with a sign."""
    FLOAT = 5
    TEXT = 6
    LIST = 7
    OBJECT = 8
    OPAQUE = 9
    """There, but not held in columns: ask the blob."""


JSON_TYPES: Mapping[Kind, str] = {
    Kind.NULL: "null",
    Kind.FALSE: "boolean",
    Kind.TRUE: "boolean",
    Kind.INT: "number",
    Kind.FLOAT: "number",
    Kind.TEXT: "string",
    Kind.LIST: "array",
    Kind.OBJECT: "object",
}
"""JSON's name of the type, for kinds that are values columns hold."""


class OpaqueValue(Exception):
    """A value was asked for that columns do not hold."""


class Words:
    """Texts as UTF-8, end to end: what `codes` of a column point into."""

    def __init__(
        self, data: Lazy[NDArray[np.uint8]], offsets: Lazy[Ints], distinct: bool = False
    ) -> None:
        self._data = data
        self._offsets = offsets
        self._strings: list[str] | None = None
        self.distinct = distinct
        """Whether no text is in it twice."""

    @staticmethod
    def of(texts: Sequence[str], distinct: bool = False) -> Words:
        """Words from Python strings."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        words = Words(np.frombuffer(b"".join(encoded), np.uint8), ends, distinct)
        words._strings = list(texts)
        return words

    @property
    def data(self) -> NDArray[np.uint8]:
        if callable(self._data):
            self._data = self._data()
        return self._data

    @property
    def offsets(self) -> Ints:
        """Where each text starts in `data`, and the end of the last."""
        if callable(self._offsets):
            self._offsets = self._offsets()
        return self._offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def strings(self) -> list[str]:
        """All texts, decoded once."""
        if self._strings is None:
            raw = self.data.tobytes()
            ends = self.offsets.tolist()
            self._strings = [
                raw[start:stop].decode("utf-8", "surrogatepass") for start, stop in pairwise(ends)
            ]
        return self._strings

    def some(self, codes: Iterable[int]) -> list[str]:
        """The texts of these codes, decoding no others."""
        if self._strings is not None:
            return [self._strings[code] for code in codes]
        data, offsets = self.data, self.offsets
        return [
            data[offsets[code] : offsets[code + 1]].tobytes().decode("utf-8", "surrogatepass")
            for code in codes
        ]

    def equal_to(self, text: str) -> Mask:
        """Which of the words are `text`."""
        wanted = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        offsets = self.offsets
        mask: Mask = np.diff(offsets) == len(wanted)
        if len(wanted) and mask.any():
            places = np.flatnonzero(mask)
            found = self.data[offsets[places][:, None] + np.arange(len(wanted))]
            mask[places] = (found == wanted).all(axis=1)
        return mask


class Column:
    """`size` JSON values. Parts that no value needs may be left out: they read as zeros.

    `kind` is given where all values are of one kind, `kinds` where not.
    """

    def __init__(
        self,
        size: int,
        kind: Kind | None = None,
        *,
        kinds: Lazy[NDArray[np.uint8]] | None = None,
        present: frozenset[Kind] | None = None,
        ints: Lazy[NDArray[Any]] | None = None,
        floats: Lazy[NDArray[np.float64]] | None = None,
        codes: Lazy[NDArray[Any]] | None = None,
        words: Lazy[Words] | None = None,
        offsets: Lazy[Ints] | None = None,
        items: Lazy[Column] | None = None,
        fields: Lazy[Mapping[str, Column]] | None = None,
    ) -> None:
        self.size = size
        self.kind = kind
        """The kind of all values; None where they differ."""
        self._kinds = kinds
        self._present = present
        self._ints = ints
        self._floats = floats
        self._codes = codes
        self._words = words
        self._offsets = offsets
        self._items = items
        self._fields = fields

    def __len__(self) -> int:
        return self.size

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """The kind of each value, shape (n,)."""
        if self._kinds is None:
            assert self.kind is not None
            self._kinds = np.full(self.size, self.kind, np.uint8)
        elif callable(self._kinds):
            self._kinds = self._kinds()
        return self._kinds

    @property
    def present(self) -> frozenset[Kind]:
        """The kinds that occur (and perhaps some that do not, once rows were taken)."""
        if self._present is None:
            if self.kind is not None:
                self._present = frozenset((self.kind,))
            else:
                counts = np.bincount(self.kinds, minlength=len(Kind))
                self._present = frozenset(Kind(at) for at in np.flatnonzero(counts).tolist())
        return self._present

    def are(self, *wanted: Kind) -> Mask:
        """Which values are of one of these kinds."""
        if self.kind is not None:
            return np.full(self.size, self.kind in wanted, np.bool_)
        mask: Mask = self.kinds == wanted[0]
        for kind in wanted[1:]:
            mask |= self.kinds == kind
        return mask

    @property
    def ints(self) -> NDArray[Any]:
        """Values of the ints, of any signed integer type; shape (n,)."""
        if self._ints is None:
            self._ints = np.zeros(self.size, np.int64)
        elif callable(self._ints):
            self._ints = self._ints()
        return self._ints

    @property
    def floats(self) -> NDArray[np.float64]:
        """Values of the floats, shape (n,)."""
        if self._floats is None:
            self._floats = np.zeros(self.size, np.float64)
        elif callable(self._floats):
            self._floats = self._floats()
        return self._floats

    @property
    def codes(self) -> NDArray[Any]:
        """For texts their places in `words`, of any integer type; shape (n,)."""
        if self._codes is None:
            self._codes = np.zeros(self.size, np.int64)
        elif callable(self._codes):
            self._codes = self._codes()
        return self._codes

    @property
    def words(self) -> Words:
        """The texts that `codes` point into; never without an entry 0 where a text occurs."""
        if self._words is None:
            self._words = Words(np.zeros(0, np.uint8), np.zeros(1, np.int64), True)
        elif callable(self._words):
            self._words = self._words()
        return self._words

    @property
    def offsets(self) -> Ints:
        """Where in `items` each list starts, and the end of the last; shape (n + 1,)."""
        if self._offsets is None:
            self._offsets = np.zeros(self.size + 1, np.int64)
        elif callable(self._offsets):
            self._offsets = self._offsets()
        return self._offsets

    @property
    def lengths(self) -> Ints:
        """How many items each value has, 0 where it is no list; shape (n,)."""
        return np.diff(self.offsets)

    @property
    def items(self) -> Column:
        """The items of all lists, end to end."""
        if self._items is None:
            self._items = Column(0, Kind.NULL)
        elif callable(self._items):
            self._items = self._items()
        return self._items

    @property
    def fields(self) -> Mapping[str, Column]:
        """For objects the columns of their keys, n values each, in the order of the keys."""
        if self._fields is None:
            self._fields = {}
        elif callable(self._fields):
            self._fields = self._fields()
        return self._fields

    def take(self, rows: Positions | Mask) -> Column:
        """The values at these positions, or where this mask is True."""
        places: Any = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        if self.kind is not None and self.kind < Kind.INT:
            return Column(len(places), self.kind)

        def part(name: str) -> Lazy[Any] | None:
            if getattr(self, "_" + name) is None:
                return None
            return lambda: getattr(self, name)[places]

        has_lists = self._items is not None
        cut = _once(lambda: _cut(self.offsets, places))
        return Column(
            len(places),
            self.kind,
            kinds=None if self.kind is not None else part("kinds"),
            present=self._present,
            ints=part("ints"),
            floats=part("floats"),
            codes=part("codes"),
            words=None if self._words is None else lambda: self.words,
            offsets=(lambda: cut()[0]) if has_lists else None,
            items=(lambda: self.items.take(cut()[1])) if has_lists else None,
            fields=None
            if self._fields is None
            else lambda: {key: below.take(places) for key, below in self.fields.items()},
        )

    def opaque(self) -> Mask:
        """Which values are opaque or hold something that is, at any depth."""
        mask = self.are(Kind.OPAQUE)
        if Kind.LIST in self.present and self.items.size:
            inside = np.concatenate(([0], np.cumsum(self.items.opaque())))
            mask |= np.diff(inside[self.offsets]) > 0
        if Kind.OBJECT in self.present:
            for below in self.fields.values():
                mask |= below.opaque()
        return mask

    def values(self) -> list[Any]:
        """All values as Python has them; raises `OpaqueValue`. A missing one is None."""
        if self.kind is not None:
            return self._of_kind(self.kind)
        found: list[Any] = [None] * self.size
        for kind in self.present:
            if kind in (Kind.MISSING, Kind.NULL):
                continue
            places = np.flatnonzero(self.kinds == kind)
            for place, value in zip(places.tolist(), self.take(places)._of_kind(kind)):
                found[place] = value
        return found

    def _of_kind(self, kind: Kind) -> list[Any]:
        if kind is Kind.INT:
            return cast(list[Any], self.ints.tolist())
        if kind is Kind.FLOAT:
            floats: list[Any] = self.floats.tolist()
            return floats
        if kind is Kind.TEXT:
            return self.texts()
        if kind is Kind.LIST:
            items, ends = self.items.values(), self.offsets.tolist()
            return [items[start:stop] for start, stop in pairwise(ends)]
        if kind is Kind.OBJECT:
            return self._objects()
        if kind is Kind.OPAQUE and self.size:
            raise OpaqueValue
        return [_CONSTANTS.get(kind)] * self.size

    def texts(self) -> list[str]:
        """The texts of all values, for a column that holds nothing else."""
        codes = self.codes.tolist()
        if len(self.words) <= 2 * len(codes):
            strings = self.words.strings
            return [strings[code] for code in codes]
        return self.words.some(codes)

    def _objects(self) -> list[Any]:
        found: list[Any] = [{} for _ in range(self.size)]
        for key, below in self.fields.items():
            values = below.values()
            if Kind.MISSING not in below.present:
                for each, value in zip(found, values):
                    each[key] = value
                continue
            for place in np.flatnonzero(~below.are(Kind.MISSING)).tolist():
                found[place][key] = values[place]
        return found


_CONSTANTS = {Kind.FALSE: False, Kind.TRUE: True}


def _once(load: Callable[[], T]) -> Callable[[], T]:
    kept: list[T] = []

    def get() -> T:
        if not kept:
            kept.append(load())
        return kept[0]

    return get


def _cut(offsets: Ints, places: Positions) -> tuple[Ints, Positions]:
    """Offsets of the lists at `places`, put end to end, and where their items come from."""
    starts = offsets[places]
    lengths = offsets[places + 1] - starts
    ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    return ends, spread(starts, lengths)


def spread(starts: NDArray[Any], lengths: NDArray[Any]) -> Positions:
    """`starts[i], starts[i] + 1, …` for `lengths[i]` numbers, one run after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    run: Positions = np.repeat(starts - (ends - lengths), lengths) + np.arange(total)
    return run
