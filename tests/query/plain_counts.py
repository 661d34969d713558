"""Counts of documents said plainly, with lists of Python values: what `stats` must agree with."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ldb.query.counting import KeyStats, ValueCount
from ldb.query.distinct import BINS, NumberStats, TextStats
from ldb.query.values import equal, type_name


def keys_of(documents: Sequence[Any]) -> list[KeyStats]:
    """Every key of the documents."""
    return _described(documents, "@", "", len(documents)) if documents else []


def _described(values: Sequence[Any], name: str, path: str, within: int) -> list[KeyStats]:
    found = [_stats(values, name, within)]
    items = [item for value in values if isinstance(value, list) for item in value]
    if items:
        found += _described(items, f"{path}[]", f"{path}[]", len(items))
    objects = [value for value in values if isinstance(value, dict)]
    for key in sorted({key for each in objects for key in each}):
        quoted = key if key.isidentifier() and key.isascii() else json.dumps(key)
        inner = f"{path}.{quoted}" if path else quoted
        below = [each[key] for each in objects if key in each]
        found += _described(below, inner, inner, len(objects))
    return found


def _stats(values: Sequence[Any], name: str, within: int) -> KeyStats:
    kinds = Counter(map(type_name, values))
    ordered = dict(sorted(kinds.items(), key=lambda each: (-each[1], each[0])))
    texts = [value for value in values if isinstance(value, str)]
    return KeyStats(
        name,
        len(values),
        within,
        ordered,
        sum(value is True for value in values),
        numbers_of([value for value in values if type(value) in (int, float)]),
        texts_of(texts) if texts else None,
        numbers_of([len(value) for value in values if isinstance(value, list)]),
    )


def texts_of(texts: Sequence[str]) -> TextStats:
    ordered = sorted(Counter(texts).items(), key=lambda each: (-each[1], each[0]))
    return TextStats(len(texts), dict(ordered))


def numbers_of(numbers: Sequence[Any]) -> NumberStats | None:
    if not numbers:
        return None
    whole = all(isinstance(each, int) and -(1 << 63) <= each < 1 << 63 for each in numbers)
    least, most = min(numbers), max(numbers)
    ordered = sorted(numbers if whole else map(float, numbers))
    first, second, third = (
        max(least, min(most, ordered[-(-len(ordered) * quarter // 4) - 1])) for quarter in (1, 2, 3)
    )
    if least == most:
        return NumberStats(len(numbers), least, most, (first, second, third), (), 0)
    if whole:
        width: Any = -(-(most - least + 1) // BINS)
        bins = [0] * ((most - least) // width + 1)
        for each in ordered:
            bins[(each - least) // width] += 1
    else:
        wide = float(most) - float(least) == math.inf
        half = 2.0 if wide else 1.0
        step = (float(most) / half - float(least) / half) / BINS
        width = step * half or float(most) - float(least)
        bins = [0] * BINS if step else [len(numbers)]
        for each in ordered if step else ():
            at = (each / half - float(least) / half) / step
            bins[int(max(0, min(BINS - 1, at)))] += 1
    return NumberStats(len(numbers), least, most, (first, second, third), tuple(bins), width)


def values_of(results: Sequence[Any]) -> list[ValueCount]:
    """Each value of these results with its count, items of arrays one by one; in no order."""
    found: list[list[Any]] = []
    for result in results:
        for value in result if isinstance(result, list) else [result]:
            known = next((each for each in found if equal(each[0], value)), None)
            if known is None:
                found.append([value, 1])
            else:
                known[1] += 1
    return [ValueCount(value, count) for value, count in found]


def same_values(left: Sequence[ValueCount], right: Sequence[ValueCount]) -> bool:
    """Whether the same values occur equally often."""
    return len(left) == len(right) and all(
        any(each.count == other.count and equal(each.value, other.value) for other in right)
        for each in left
    )
