"""Counts over JSON values: which keys there are and what they hold; how often each value is.

Both take columns, and single values where columns do not serve; the two ways give the same.
Columns given here hold nothing opaque.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import JSON_TYPES, Column, Kind
from ldb.query.distinct import Numbers, NumberStats, Texts, TextStats, plain
from ldb.query.values import type_name

KEYS_KEPT = 10_000
"""Key paths that are told apart; of annotations with more of them some are left out."""

_SIMPLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class KeyStats:
    """What is known of the values below one path of keys."""

    path: str
    """As JMESPath: `camera.iso`, `boxes[].label`; `@` is the whole annotation."""
    present: int
    """Values there are."""
    within: int
    """Objects that could have had the key: present in all where it is the same number."""
    kinds: Mapping[str, int]
    """How many are string, number, boolean, null, array, object; only those that occur."""
    true: int
    """How many of the booleans."""
    numbers: NumberStats | None
    texts: TextStats | None
    lengths: NumberStats | None
    """Of the arrays."""


class KeyCounts:
    """A tree of keys, with counts of all values at each."""

    def __init__(self, room: list[int] | None = None) -> None:
        self._room = [KEYS_KEPT] if room is None else room
        """How many more keys the whole tree may have; one number for all its parts."""
        self._kinds = [0] * len(Kind)
        self._numbers = Numbers()
        self._texts = Texts()
        self._lengths = Numbers()
        self._fields: dict[str, KeyCounts] = {}
        self._items: KeyCounts | None = None

    @property
    def left_out(self) -> bool:
        """Whether there were more keys than are told apart."""
        return self._room[0] < 0

    def add(self, column: Column) -> None:
        """The values of a column; missing ones do not count."""
        self._add(column, _of_kinds(column))

    def _add(self, column: Column, kinds: list[int]) -> None:
        self._kinds = [before + more for before, more in zip(self._kinds, kinds)]
        for kind, name in ((Kind.INT, "ints"), (Kind.FLOAT, "floats")):
            if kinds[kind]:
                values = getattr(column, name)
                whole = kinds[kind] == column.size
                self._numbers.add(values if whole else values[column.are(kind)])
        if kinds[Kind.TEXT]:
            self._texts.add(column)
        if kinds[Kind.LIST]:
            self._lengths.add(column.lengths[column.are(Kind.LIST)])
            self._below(column.items, None)
        if kinds[Kind.OBJECT]:
            for key, below in column.fields.items():
                self._below(below, key)

    def _below(self, column: Column, key: str | None) -> None:
        kinds = _of_kinds(column)
        if any(kinds):
            child = self._child(key)
            if child is not None:
                child._add(column, kinds)

    def _child(self, key: str | None) -> KeyCounts | None:
        """The part of the tree for a key, or for items (None); None where there is no room."""
        found = self._items if key is None else self._fields.get(key)
        if found is not None:
            return found
        if self._room[0] <= 0:
            self._room[0] = -1
            return None
        self._room[0] -= 1
        found = KeyCounts(self._room)
        if key is None:
            self._items = found
        else:
            self._fields[key] = found
        return found

    def add_value(self, value: Any) -> None:
        """One decoded JSON value."""
        kind = value.__class__
        if kind is str:
            self._kinds[Kind.TEXT] += 1
            self._texts.add_value(value)
        elif kind is int or kind is float:
            self._kinds[Kind.INT if kind is int else Kind.FLOAT] += 1
            self._numbers.add_value(value)
        elif value is None or kind is bool:
            self._kinds[Kind.NULL if value is None else Kind.TRUE if value else Kind.FALSE] += 1
        elif kind is list:
            self._kinds[Kind.LIST] += 1
            self._lengths.add_value(len(value))
            child = self._child(None) if value else None
            if child is not None:
                for item in value:
                    child.add_value(item)
        else:
            self._kinds[Kind.OBJECT] += 1
            for key, below in value.items():
                child = self._child(key)
                if child is not None:
                    child.add_value(below)

    def stats(self) -> Iterator[KeyStats]:
        """Every path, a key before what is below it, keys in alphabetical order."""
        if any(self._kinds):
            yield self._stats("@", sum(self._kinds))
            yield from self._stats_below("")

    def _stats_below(self, path: str) -> Iterator[KeyStats]:
        if self._items is not None:
            items = self._items
            yield items._stats(f"{path}[]", sum(items._kinds))
            yield from items._stats_below(f"{path}[]")
        within = self._kinds[Kind.OBJECT]
        for key in sorted(self._fields):
            inner = f"{path}.{_written(key)}" if path else _written(key)
            yield self._fields[key]._stats(inner, within)
            yield from self._fields[key]._stats_below(inner)

    def _stats(self, path: str, within: int) -> KeyStats:
        kinds: dict[str, int] = {}
        for kind, name in JSON_TYPES.items():
            if self._kinds[kind]:
                kinds[name] = kinds.get(name, 0) + self._kinds[kind]
        ordered = dict(sorted(kinds.items(), key=lambda each: (-each[1], each[0])))
        return KeyStats(
            path,
            sum(kinds.values()),
            within,
            ordered,
            self._kinds[Kind.TRUE],
            self._numbers.stats(),
            self._texts.stats() if self._texts.count else None,
            self._lengths.stats(),
        )


def _written(key: str) -> str:
    return key if _SIMPLE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _of_kinds(column: Column) -> list[int]:
    """How many values are of each kind, missing ones not counted."""
    if column.kind is None:
        counts: list[int] = np.bincount(column.kinds, minlength=len(Kind)).tolist()
    else:
        counts = [0] * len(Kind)
        counts[column.kind] = column.size
    counts[Kind.MISSING] = 0
    return counts


class ValueCount(NamedTuple):  # a dataclass takes three times as long to make
    """A value and how often it is."""

    value: Any
    count: int  # type: ignore[assignment]  # a tuple has a method of this name


class ValueCounts:
    """How often each value is: values that JMESPath calls equal are one, so 1 and 1.0 are."""

    def __init__(self) -> None:
        self.rows = 0
        """Results that were added: an array is one result, and each of its items a value."""
        self._texts = Texts(every=True)
        self._numbers: dict[int | float, int] = {}
        self._constants = {Kind.NULL: 0, Kind.FALSE: 0, Kind.TRUE: 0}
        self._others: dict[Any, ValueCount] = {}

    def add(self, column: Column) -> None:
        """Results for rows, one each."""
        self.rows += column.size
        self._add(column, Kind.OBJECT)
        if Kind.LIST in column.present:
            self._add(column.items, Kind.OBJECT, Kind.LIST)

    def _add(self, column: Column, *others: Kind) -> None:
        kinds = _of_kinds(column)
        self._constants[Kind.NULL] += column.size - sum(kinds)  # what is missing is null here
        for kind in self._constants:
            self._constants[kind] += kinds[kind]
        for kind, name in ((Kind.INT, "ints"), (Kind.FLOAT, "floats")):
            if kinds[kind]:
                self._add_numbers(getattr(column, name)[column.are(kind)])
        if kinds[Kind.TEXT]:
            self._texts.add(column)
        for kind in others:
            if kinds[kind]:
                for value in column.take(column.are(kind)).values():
                    self._add_other(value)

    def _add_numbers(self, values: NDArray[Any]) -> None:
        known = self._numbers
        for number, count in zip(
            *(each.tolist() for each in np.unique(values, return_counts=True))
        ):
            known[number] = known.get(number, 0) + count

    def _add_other(self, value: Any) -> None:
        key = _frozen(value)
        known = self._others.get(key)
        self._others[key] = (
            ValueCount(value, 1) if known is None else ValueCount(known.value, known.count + 1)
        )

    def add_value(self, result: Any) -> None:
        """The result for one row."""
        self.rows += 1
        for value in result if result.__class__ is list else (result,):
            self._add_value(value)

    def _add_value(self, value: Any) -> None:
        kind = value.__class__
        if kind is str:
            self._texts.add_value(value)
        elif kind is int or kind is float:
            self._numbers[value] = self._numbers.get(value, 0) + 1
        elif value is None or kind is bool:
            self._constants[Kind.NULL if value is None else Kind.TRUE if value else Kind.FALSE] += 1
        else:
            self._add_other(value)

    def counts(self) -> list[ValueCount]:
        """Every value; the most frequent first, then by type, then in order."""
        # Tuples sort fastest, and there may be a million values.
        found: list[tuple[int, str, Any, Any]] = []
        for kind, value in ((Kind.NULL, None), (Kind.FALSE, False), (Kind.TRUE, True)):
            if self._constants[kind]:
                found.append((-self._constants[kind], type_name(value), str(value), value))
        for number, count in self._numbers.items():
            number = plain(number)
            found.append((-count, "number", number, number))
        found += [(-count, "string", text, text) for text, count in self._texts.known().items()]
        for each in self._others.values():
            order = json.dumps(each.value, sort_keys=True)
            found.append((-each.count, type_name(each.value), order, each.value))
        found.sort(key=itemgetter(0, 1, 2))
        return [ValueCount(value, -count) for count, _, _, value in found]


def _frozen(value: Any) -> Any:
    """What is equal for two values exactly if JMESPath calls them equal."""
    if value.__class__ is list:
        return "array", tuple(map(_frozen, value))
    if value.__class__ is dict:
        return "object", frozenset((key, _frozen(each)) for key, each in value.items())
    return type_name(value), value
