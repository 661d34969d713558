"""What a user asks for: sources, then filters applied in the order given.

A filter is a value, made by the command line or by a library user, and says nothing of how
it is evaluated. Columns answer most, row by row the rest (blobwise.py, asking.py).
docs/commands/list.md describes each kind.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ldb.catalog import Catalog
from ldb.columns.model import Column
from ldb.errors import BadInput
from ldb.progress import SILENT, Progress
from ldb.query.asking import Asker, FilterTrace
from ldb.query.parse import parse
from ldb.query.plugins import NONE, Plugins, functions_for
from ldb.query.recordtests import paths_match, tags_any, tags_lack
from ldb.query.rowwise import compile_query
from ldb.query.selected import Selected
from ldb.storage.location import shown


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """One filter of a selection.

    `kind` is the long option without its dashes; `value` is what it was given, checked:

    | kind                              | value                                   |
    |-----------------------------------|-----------------------------------------|
    | query, jquery, vquery, file       | str, the expression                     |
    | label-version                     | int ≥ 1                                 |
    | path                              | str, a regular expression that compiles |
    | tag, no-tag                       | tuple[str, ...], at least one           |
    | limit                             | int ≥ 0                                 |
    | sample                            | float, 0 … 1                            |
    | sample-rate                       | float, 0 … 100 (percent)                |
    | shuffle                           | True                                    |
    | sort, pipe                        | tuple[str, ...], a name and its words   |
    | near                              | str, `id:…` or a file                   |
    """

    kind: str
    value: Any


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
    traces: list[FilterTrace] | None = None,
    plugins: Plugins = NONE,
) -> Selected:
    """`rows` through each filter in the order given. Raises `BadInput` for a bad expression.

    With a seed, the same rows and filters give the same result everywhere, and for ever.
    `traces` gets a line for each filter that ran: what was done, and how.
    """
    steps = [(spec, _STEPS[spec.kind](spec, plugins)) for spec in filters]
    warnings.messages += (line for spec in filters for line in misread(spec))
    context = _Context(Asker(catalog, warnings.messages, progress), seed)
    for spec, step in steps:
        if not len(rows):
            break
        trace = context.asker.trace = FilterTrace(spec.kind, str(spec.value), len(rows))
        started = time.perf_counter()
        rows = step(context, rows)
        trace.seconds, trace.rows_out = time.perf_counter() - started, len(rows)
        if traces is not None:
            traces.append(trace)
    return rows


def misread(spec: FilterSpec) -> list[str]:
    """What an expression means that it does not seem to mean."""
    if spec.kind not in ("query", "jquery", "file", "vquery") or "!" not in spec.value:
        return []
    from ldb.query.pitfalls import pitfalls  # few expressions have any

    return pitfalls(parse(spec.value))


@dataclass
class _Context:
    asker: Asker
    seed: int | None

    @cached_property
    def lots(self) -> np.random.PCG64:
        """Random bits. A bit generator, because numpy keeps their streams from version to
        version (NEP 19), and those of `Generator` not."""
        return np.random.PCG64(None if self.seed is None else self.seed % 2**64)


_Step = Callable[[_Context, Selected], Selected]


def _query(spec: FilterSpec, missing: Literal["skip", "null"], plugins: Plugins) -> _Step:
    expression = parse(spec.value, f"--{spec.kind}")
    query = compile_query(expression, missing, functions_for(expression, plugins))
    return lambda context, rows: rows.take(context.asker.annotations(query, missing, rows))


def _file(spec: FilterSpec, plugins: Plugins) -> _Step:
    expression = parse(spec.value, "--file")
    query = compile_query(expression, "null", functions_for(expression, plugins))
    return lambda context, rows: rows.take(context.asker.file(query, rows))


def _vquery(spec: FilterSpec, plugins: Plugins) -> _Step:
    expression = parse(spec.value, "--vquery")
    query = compile_query(expression, "null", functions_for(expression, plugins))
    return lambda context, rows: rows.take(context.asker.versions(query, rows))


def _label_version(spec: FilterSpec, plugins: Plugins) -> _Step:
    """Gives each object another of its annotations; who has not so many is left out."""
    from ldb.query.versions import versions_of  # no other filter but --vquery needs it

    def step(context: _Context, rows: Selected) -> Selected:
        notes = versions_of(context.asker.catalog, rows).of(spec.value)
        there = notes.any(axis=1)
        if lacking := len(rows) - int(there.sum()):
            what = f"{lacking:,} data object{'' if lacking == 1 else 's'}"
            context.asker.messages.append(f"{what} without a v{spec.value} left out")
        return Selected(rows.ids[there], notes[there], rows.transforms[there])

    return step


def _path(spec: FilterSpec, plugins: Plugins) -> _Step:
    try:
        search = re.compile(spec.value).search
    except re.error as error:
        raise BadInput("--path", f"{spec.value!r} is not a regular expression: {error}") from None

    def matches(uri: str) -> bool:
        return search(shown(uri)) is not None

    def test(records: Column) -> Any:
        return paths_match(records, matches)

    return lambda context, rows: rows.take(
        context.asker.records(test, lambda each: any(matches(at.path) for at in each.paths), rows)
    )


def _tag(spec: FilterSpec, plugins: Plugins) -> _Step:
    wanted = frozenset(spec.value)

    def test(records: Column) -> Any:
        return tags_any(records, wanted)

    return lambda context, rows: rows.take(
        context.asker.tags(wanted, test, lambda each: not wanted.isdisjoint(each.tags), rows)
    )


def _no_tag(spec: FilterSpec, plugins: Plugins) -> _Step:
    wanted = frozenset(spec.value)

    def test(records: Column) -> Any:
        return tags_lack(records, wanted)

    return lambda context, rows: rows.take(
        context.asker.records(test, lambda each: not wanted.issubset(each.tags), rows)
    )


def _limit(spec: FilterSpec, plugins: Plugins) -> _Step:
    return lambda context, rows: rows.take(np.arange(min(len(rows), spec.value)))


def _sample(share: float) -> _Step:
    def step(context: _Context, rows: Selected) -> Selected:
        lots = context.lots.random_raw(len(rows)) >> np.uint64(11)  # 53 bits: exact as a float
        return rows.take(lots * 2.0**-53 < share)

    return step


def _shuffle(spec: FilterSpec, plugins: Plugins) -> _Step:
    return lambda context, rows: rows.take(
        np.argsort(context.lots.random_raw(len(rows)), kind="stable")
    )


def _plugin(spec: FilterSpec, plugins: Plugins) -> _Step:
    words = (spec.value,) if spec.kind == "near" else spec.value
    order = plugins.order(spec.kind, words)
    return lambda context, rows: rows.take(order(rows))


_STEPS: dict[str, Callable[[FilterSpec, Plugins], _Step]] = {
    "query": lambda spec, plugins: _query(spec, "skip", plugins),
    "jquery": lambda spec, plugins: _query(spec, "null", plugins),
    "vquery": _vquery,
    "file": _file,
    "label-version": _label_version,
    "path": _path,
    "tag": _tag,
    "no-tag": _no_tag,
    "limit": _limit,
    "sample": lambda spec, plugins: _sample(spec.value),
    "sample-rate": lambda spec, plugins: _sample(spec.value / 100),
    "shuffle": _shuffle,
    "sort": _plugin,
    "pipe": _plugin,
    "near": _plugin,
}
