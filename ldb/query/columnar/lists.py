"""What nodes make of arrays and objects: indexes, slices, projections, filters, selections.

The items of all arrays are one column, on which a projection's parts run once; the first
item in trouble, in order, decides for its array. Nothing is copied that only a length is
asked of: items load when somebody looks at them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ldb.columns.model import Column, Ints, Kind, Mask, spread
from ldb.query.columnar import shapes
from ldb.query.columnar.outcome import (
    Found,
    Problems,
    Status,
    counts,
    first_of,
    of_lists,
    unknown,
)
from ldb.query.columnar.parts import Part


class Index(Part):
    """`[n]`: null outside the array, and of what is none."""

    def __init__(self, place: int) -> None:
        self.place = place

    def value(self, column: Column) -> Found:
        problems = unknown(column)
        if Kind.LIST not in column.present:
            return Found(shapes.nulls(column.size), problems)
        offsets, lengths = column.offsets, column.lengths
        if self.place >= 0:
            found, places = lengths > self.place, offsets[:-1] + self.place
        else:
            found, places = lengths >= -self.place, offsets[1:] + self.place
        return Found(shapes.take_or_null(column.items, places, found), problems)


class Slice(Part):
    """`[a:b:c]`"""

    def __init__(self, bounds: Sequence[int | None]) -> None:
        self.part = slice(*bounds)

    def value(self, column: Column) -> Found:
        problems = unknown(column)
        if Kind.LIST not in column.present:
            return Found(shapes.nulls(column.size), problems)
        return Found(cut(column, self.part), problems)


def cut(column: Column, part: slice) -> Column:
    """This part of each list, null of what is none."""
    distinct, which = np.unique(column.lengths, return_inverse=True)
    ranges = [range(length)[part] for length in distinct.tolist()]
    starts = np.array([each.start for each in ranges], np.int64)[which.ravel()]
    lengths = np.array([len(each) for each in ranges], np.int64)[which.ravel()]
    ends = shapes.ends_of(lengths)
    step = ranges[0].step if ranges else 1

    def items() -> Column:
        steps = spread(np.zeros(len(lengths), np.int64), lengths) * step
        return column.items.take(np.repeat(column.offsets[:-1] + starts, lengths) + steps)

    return shapes.lists(ends, items, _which_lists(column))


def _which_lists(column: Column) -> Mask | None:
    return None if column.kind is Kind.LIST else column.are(Kind.LIST)


def _source(source: Part, column: Column) -> tuple[Column, Problems]:
    """What is projected, and the problems so far."""
    found = source.value(column)
    return found.column, first_of(found.problems, unknown(found.column))


class Flatten(Part):
    """`[]` before its projection: one level of arrays opened."""

    def __init__(self, source: Part) -> None:
        self.source = source

    def value(self, column: Column) -> Found:
        base, problems = _source(self.source, column)
        if Kind.LIST not in base.present:
            return Found(shapes.nulls(base.size), problems)
        items, offsets = base.items, base.offsets
        problems = first_of(problems, of_lists(unknown(items), offsets))
        if Kind.LIST not in items.present:
            return Found(shapes.lists(offsets, items, _which_lists(base)), problems)
        opened = items.are(Kind.LIST)
        lengths = np.where(opened, items.lengths, 1)
        ends = shapes.ends_of(lengths)

        def merged() -> Column:
            if opened.all():
                return items.items
            starts = np.where(opened, items.offsets[:-1] + items.size, np.arange(items.size))
            # Lists among the items would only be in the way: none of them is taken.
            plain = shapes.replaced(items, opened, Kind.NULL)
            return shapes.join([plain, items.items]).take(spread(starts, lengths))

        return Found(shapes.lists(ends[offsets], merged, _which_lists(base)), problems)


class Project(Part):
    """`source[*].result`: results of null fall out. No `result`: the items."""

    def __init__(self, source: Part, result: Part | None) -> None:
        self.source = source
        self.result = result

    def value(self, column: Column) -> Found:
        base, problems = _source(self.source, column)
        if Kind.LIST not in base.present:
            return Found(shapes.nulls(base.size), problems)
        results = self.result.value(base.items) if self.result else Found(base.items)
        problems = first_of(problems, of_lists(results.problems, base.offsets))
        return Found(without_nulls(results.column, base.offsets, _which_lists(base)), problems)


def without_nulls(items: Column, offsets: Ints, of: Mask | None = None) -> Column:
    """Lists of these items, but for those that are null."""
    if not items.present & {Kind.NULL, Kind.MISSING}:
        return shapes.lists(offsets, items, of)
    kept = ~items.are(Kind.NULL, Kind.MISSING)
    ends = shapes.ends_of(counts(kept, offsets))
    return shapes.lists(ends, lambda: items.take(kept), of)


class Select(Part):
    """`source[?test].result`"""

    def __init__(self, source: Part, condition: Part, result: Part | None) -> None:
        self.source = source
        self.condition = condition
        self.result = result

    def value(self, column: Column) -> Found:
        base, problems = _source(self.source, column)
        if Kind.LIST not in base.present:
            return Found(shapes.nulls(base.size), problems)
        items, offsets = base.items, base.offsets
        passing = self.condition.test(items)
        kept, below = passing.mask, passing.problems
        if below is not None:
            kept = kept & (below == Status.OK)
        ends = shapes.ends_of(counts(kept, offsets))
        if self.result is None:
            if items.present & {Kind.NULL, Kind.MISSING}:
                kept = kept & ~items.are(Kind.NULL, Kind.MISSING)
                ends = shapes.ends_of(counts(kept, offsets))
            result = shapes.lists(ends, lambda: items.take(kept), _which_lists(base))
        else:
            results = self.result.value(items.take(kept))
            result = without_nulls(results.column, ends, _which_lists(base))
            if results.problems is not None:
                everywhere = np.zeros(items.size, np.uint8)
                everywhere[kept] = results.problems
                below = first_of(below, everywhere)
        return Found(result, first_of(problems, of_lists(below, offsets)))


# --- objects


class ProjectValues(Part):
    """`source.*.result`"""

    def __init__(self, source: Part, result: Part | None) -> None:
        self.source = source
        self.result = result

    def value(self, column: Column) -> Found:
        base, problems = _source(self.source, column)
        if Kind.OBJECT not in base.present:
            return Found(shapes.nulls(base.size), problems)
        of = None if base.kind is Kind.OBJECT else base.are(Kind.OBJECT)
        ends, _, items = members(base)
        results = self.result.value(items) if self.result else Found(items)
        problems = first_of(problems, of_lists(results.problems, ends))
        return Found(without_nulls(results.column, ends, of), problems)


def members(column: Column) -> tuple[Ints, Ints, Column]:
    """Keys and values of all objects, one object after the other, as if they were lists:
    offsets, places of the keys in `fields`, values."""
    fields = list(column.fields.values())
    if not fields:
        return np.zeros(column.size + 1, np.int64), np.zeros(0, np.int64), shapes.nulls(0)
    places = [np.flatnonzero(~below.are(Kind.MISSING)) for below in fields]
    rows = np.concatenate(places)
    order = np.argsort(rows, kind="stable")
    keys = np.repeat(np.arange(len(fields)), [len(each) for each in places])[order]
    ends = shapes.ends_of(np.bincount(rows, minlength=column.size))
    values = shapes.join([below.take(each) for below, each in zip(fields, places)])
    return ends, keys, values.take(order)


class MakeList(Part):
    """`[a, b]`: null of null."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts

    def value(self, column: Column) -> Found:
        of, columns, problems = _operands(self.parts, column)
        width, size = len(columns), column.size
        made = np.ones(size, np.bool_) if of is None else of
        rows = np.flatnonzero(made)
        ends = shapes.ends_of(made * np.int64(width))
        places = (rows[:, None] + np.arange(width) * size).ravel()
        return Found(shapes.lists(ends, lambda: shapes.join(columns).take(places), of), problems)


class MakeObject(Part):
    """`{a: b}`: null of null."""

    def __init__(self, keys: Sequence[str], parts: Sequence[Part]) -> None:
        self.keys = keys
        self.parts = parts

    def value(self, column: Column) -> Found:
        of, columns, problems = _operands(self.parts, column)
        fields = dict(zip(self.keys, columns))
        made = Column(column.size, Kind.OBJECT, fields=fields)
        if of is not None:
            made = shapes.replaced(made, ~of, Kind.NULL)
        return Found(made, problems)


def _operands(parts: Sequence[Part], column: Column) -> tuple[Mask | None, list[Column], Problems]:
    """Which results are not null, and the values of all parts."""
    problems: Problems = None
    columns = []
    for part in parts:
        found = part.value(column)
        columns.append(found.column)
        problems = first_of(problems, found.problems)
    if not column.present & {Kind.NULL, Kind.MISSING}:
        return None, columns, problems
    of = ~column.are(Kind.NULL, Kind.MISSING)
    return of, columns, problems if problems is None else problems * of
