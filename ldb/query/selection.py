"""What a user asks for: sources, then filters applied in the order given.

A filter is a value, made by the command line or by a library user, and says nothing of how
it is evaluated. docs/commands/list.md describes each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, Record, key_bytes, load_records, record_view
from ldb.errors import BadInput
from ldb.instance import Instance
from ldb.maps import Rows
from ldb.objects.codec import decode
from ldb.objects.model import BlobType
from ldb.progress import SILENT, Progress
from ldb.query.filters import Filter, Projector
from ldb.query.keys import explain_unknown_keys
from ldb.query.parse import Expression, parse
from ldb.query.rowwise import compile_query
from ldb.storage.location import shown


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """One filter of a selection.

    `kind` is the long option without its dashes; `value` is what it was given, checked:

    | kind                              | value                                   |
    |-----------------------------------|-----------------------------------------|
    | query, jquery, file               | str, the expression                     |
    | path                              | str, a regular expression that compiles |
    | tag, no-tag                       | tuple[str, ...], at least one           |
    | limit                             | int ≥ 0                                 |
    | sample                            | float, 0 … 1                            |
    | sample-rate                       | float, 0 … 100 (percent)                |
    | shuffle                           | True                                    |
    """

    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Selected:
    """Rows that a selection holds: arrays of one length, in the order of the result."""

    ids: NDArray[np.bytes_]
    """Data object ids, shape (n,) of `S<width>`."""
    annotations: NDArray[np.uint8]
    """Annotation oids, shape (n, 32); zeros where there is none."""
    transforms: NDArray[np.uint8]
    """Transform set oids, shape (n, 32); zeros for the default."""

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, where: NDArray[np.bool_] | NDArray[np.intp]) -> Selected:
        """The rows at these positions, or where this mask is True."""
        return Selected(self.ids[where], self.annotations[where], self.transforms[where])

    @staticmethod
    def of(rows: Rows) -> Selected:
        """Rows of a dataset map."""
        return Selected(rows.keys, rows.fields[0], rows.fields[1])

    @staticmethod
    def empty(width: int) -> Selected:
        """No rows; `width` is that of an id in bytes."""
        none = np.zeros((0, 32), np.uint8)
        return Selected(np.zeros(0, f"S{width}"), none, none)

    @staticmethod
    def concat(parts: Sequence[Selected], width: int) -> Selected:
        """All rows of all parts, one part after the other."""
        if not parts:
            return Selected.empty(width)
        return Selected(
            np.concatenate([each.ids for each in parts]),
            np.concatenate([each.annotations for each in parts]),
            np.concatenate([each.transforms for each in parts]),
        )


@dataclass(slots=True)
class Warnings:
    """What a selection could not do on some objects; one message for each kind."""

    messages: list[str] = field(default_factory=list)


def apply_filters(
    catalog: Catalog,
    rows: Selected,
    filters: Sequence[FilterSpec],
    seed: int | None,
    warnings: Warnings,
    progress: Progress = SILENT,
) -> Selected:
    """`rows` through each filter in the order given. Raises `BadInput` for a bad expression.

    With a seed, the same rows and filters give the same result everywhere, and for ever.
    """
    steps = [_STEPS[spec.kind](spec) for spec in filters]
    context = _Context(catalog, _lots(seed), warnings, progress)
    for step in steps:
        if not len(rows):
            break
        rows = step(context, rows)
    return rows


def _lots(seed: int | None) -> np.random.PCG64:
    """Random bits. A bit generator, because numpy keeps their streams from version to version
    (NEP 19), and those of `Generator` not."""
    return np.random.PCG64(None if seed is None else seed % 2**64)


@dataclass(frozen=True, slots=True)
class _Context:
    catalog: Catalog
    lots: np.random.PCG64
    warnings: Warnings
    progress: Progress


_Step = Callable[[_Context, Selected], Selected]
Missing = Literal["skip", "null"]


def scan_annotations(
    instance: Instance, annotations: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.int64], list[Any]]]:
    """Annotation values for a column of oids, in the store's order: positions and values.

    Zero oids (no annotation) come last, with the value None.
    """
    there = annotations.any(axis=1)
    where = np.flatnonzero(there)
    for positions, payloads in instance.objects.scan(annotations[where], BlobType.ANNOTATION):
        yield where[positions], [decode(payload) for payload in payloads]
    without = np.flatnonzero(~there)
    if len(without):
        yield without, [None] * len(without)


def scan_records(
    catalog: Catalog, ids: NDArray[np.bytes_]
) -> Iterator[tuple[NDArray[np.int64], list[Record]]]:
    """Object records of ids in any order: positions and records. Unknown ids are left out."""
    found = catalog.find(ids)
    where = np.flatnonzero(found.known)
    for positions, records in load_records(catalog.instance, found.records[where]):
        yield where[positions], records


def _query(spec: FilterSpec, missing: Missing) -> _Step:
    expression = parse(spec.value, f"--{spec.kind}")
    query = compile_query(expression, missing)

    def step(context: _Context, rows: Selected) -> Selected:
        filter_ = Filter(query)
        keys = KnownKeys()
        mask = np.zeros(len(rows), np.bool_)
        context.progress.start(f"--{spec.kind}", len(rows))
        for positions, values in scan_annotations(context.catalog.instance, rows.annotations):
            context.progress.advance(len(values))
            if missing == "skip" and not rows.annotations[positions[0]].any():
                continue  # an object without an annotation lacks every key there is
            mask[positions] = filter_.matches_many(values, _Names(rows.ids, positions))
            keys.see(values)
        _warn(context.warnings, spec, filter_)
        if not mask.any():
            context.warnings.messages += keys.unknown(expression)
        return rows.take(mask)

    return step


class KnownKeys:
    """Top-level keys of the first annotations of a run, to tell a misspelt one by."""

    ENOUGH = 5000

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._seen = 0

    def see(self, values: Sequence[Any]) -> None:
        """Take note of some values' keys."""
        if self._seen < self.ENOUGH:
            for value in values[: self.ENOUGH - self._seen]:
                if isinstance(value, dict):
                    self._keys.update(value)
            self._seen += len(values)

    def unknown(self, expression: Expression) -> list[str]:
        """A line for every key the expression names and no annotation has."""
        if not self._keys or not expression.roots:
            return []
        return explain_unknown_keys(expression.roots, expression.bare_words, self._keys)


class _Names(Sequence[object]):
    """Ids of rows for messages, made only when one is asked for."""

    def __init__(self, ids: NDArray[np.bytes_], positions: NDArray[np.int64]) -> None:
        self._ids = ids
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, at: Any) -> Any:
        place = int(self._positions[at])
        return "id:" + self._ids[place : place + 1].tobytes().hex()


def failure_line(option: str, tally: Filter | Projector) -> str:
    """The one warning for a query that failed on some objects; empty where it did not."""
    first = tally.first_failure
    if first is None:
        return ""
    more = f" (and on {tally.failures - 1:,} more)" if tally.failures > 1 else ""
    return f"{option} failed on {first.name}: {first.why}{more}"


def _warn(warnings: Warnings, spec: FilterSpec, filter_: Filter) -> None:
    if line := failure_line(f"--{spec.kind}", filter_):
        warnings.messages.append(line)


def _file(spec: FilterSpec) -> _Step:
    query = compile_query(parse(spec.value, "--file"), "null")

    def step(context: _Context, rows: Selected) -> Selected:
        filter_ = Filter(query)
        ids = key_bytes(rows.ids)
        mask = np.zeros(len(rows), np.bool_)
        context.progress.start("--file", len(rows))
        for positions, records in scan_records(context.catalog, rows.ids):
            views = [
                record_view(ids[at], record) for at, record in zip(positions.tolist(), records)
            ]
            mask[positions] = filter_.matches_many(views, _Names(rows.ids, positions))
            context.progress.advance(len(views))
        _warn(context.warnings, spec, filter_)
        return rows.take(mask)

    return step


def _records(spec: FilterSpec, test: Callable[[Record], bool]) -> _Step:
    def step(context: _Context, rows: Selected) -> Selected:
        mask = np.zeros(len(rows), np.bool_)
        context.progress.start(f"--{spec.kind}", len(rows))
        for positions, records in scan_records(context.catalog, rows.ids):
            mask[positions] = [test(record) for record in records]
            context.progress.advance(len(records))
        return rows.take(mask)

    return step


def _path(spec: FilterSpec) -> _Step:
    try:
        search = re.compile(spec.value).search
    except re.error as error:
        raise BadInput("--path", f"{spec.value!r} is not a regular expression: {error}") from None
    return _records(spec, lambda record: any(search(shown(seen.path)) for seen in record.paths))


def _tag(spec: FilterSpec) -> _Step:
    wanted = frozenset(spec.value)
    return _records(spec, lambda record: not wanted.isdisjoint(record.tags))


def _no_tag(spec: FilterSpec) -> _Step:
    wanted = frozenset(spec.value)
    return _records(spec, lambda record: not wanted.issubset(record.tags))


def _limit(spec: FilterSpec) -> _Step:
    return lambda context, rows: rows.take(np.arange(min(len(rows), spec.value)))


def _sample(share: float) -> _Step:
    def step(context: _Context, rows: Selected) -> Selected:
        lots = context.lots.random_raw(len(rows)) >> np.uint64(11)  # 53 bits: exact as a float
        return rows.take(lots * 2.0**-53 < share)

    return step


def _shuffle(spec: FilterSpec) -> _Step:
    return lambda context, rows: rows.take(
        np.argsort(context.lots.random_raw(len(rows)), kind="stable")
    )


_STEPS: dict[str, Callable[[FilterSpec], _Step]] = {
    "query": lambda spec: _query(spec, "skip"),
    "jquery": lambda spec: _query(spec, "null"),
    "file": _file,
    "path": _path,
    "tag": _tag,
    "no-tag": _no_tag,
    "limit": _limit,
    "sample": lambda spec: _sample(spec.value),
    "sample-rate": lambda spec: _sample(spec.value / 100),
    "shuffle": _shuffle,
}
