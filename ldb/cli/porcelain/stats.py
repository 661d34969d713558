"""`ldb stats`: numbers of a selection. docs/commands/stats.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from ldb.cli.app import App, pass_app
from ldb.cli.charts import as_many_as_fit, bar, blocks, number, share, value_text
from ldb.cli.opening import place_of
from ldb.cli.options import expression, filter_options, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.showing import joined, plural
from ldb.cli.sources import sources_argument, warn
from ldb.porcelain.sources import select
from ldb.porcelain.stats import (
    AnnotationStats,
    Balance,
    ObjectStats,
    annotation_stats,
    balance,
    object_stats,
)
from ldb.query.counting import KeyStats
from ldb.query.distinct import NumberStats, TextStats
from ldb.query.parse import parse
from ldb.query.selection import FilterSpec

WIDTH = 78
BAR = 20


@click.command(cls=Command)
@sources_argument
@filter_options
@click.option(
    "--by",
    type=expression,
    metavar="E",
    help="Count the values of E (as --query) instead of describing all keys.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=20,
    metavar="N",
    show_default=True,
    help="Print the N most frequent values.",
)
@click.option(
    "--keys",
    type=click.IntRange(min=0),
    default=50,
    metavar="N",
    show_default=True,
    help="Describe the first N keys.",
)
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    by: str | None,
    top: int,
    keys: int,
    out: Output,
) -> None:
    """Describe data objects in numbers: sizes, types, tags, and every key of the annotations.

    Of each key: what it holds, how many have it, and how its values are distributed: least and
    greatest number with quartiles and a histogram, most frequent texts, true and false. With
    --by the balance of classes: each value of an expression and how often it is. An array
    counts with each of its items; an object that lacks a key which E names is left out.

    \b
    Examples:
      ldb stats
      ldb stats ds:cats --by class
      ldb stats ds:root --query "class == 'cat'" --by "boxes[].label"
      ldb stats --json --by class --file "type == 'jpg'"
    """
    if by is not None:
        parse(by, "--by")
    place = place_of(app, quick_start=True)
    progress = out.progress()
    chosen = select(place, sources, filters, default="staged", seed=seed, progress=progress)
    warn(out, chosen.warnings)
    objects = object_stats(chosen.catalog, chosen.rows)
    if by is not None:
        found = balance(chosen.catalog, chosen.rows, by, progress, chosen.plugins)
        _print(out, _objects_json(objects) | {"by": _balance_json(found, by)},
               [_heading(objects), *_balance(found, by, top)])  # fmt: skip
        warn(out, found.warnings)
        return
    described = annotation_stats(chosen.catalog, chosen.rows, progress)
    _print(out, _objects_json(objects) | _keys_json(described),
           [*_objects(objects, top), *_keys(described, keys, top)])  # fmt: skip


def _print(out: Output, value: dict[str, Any], lines: list[str]) -> None:
    if out.as_json:
        out.json(value)
        return
    for line in lines:
        out.data(line)


# --- data objects


def _heading(stats: ObjectStats) -> str:
    return f"{plural(stats.objects, 'data object')}, {stats.annotated:,} with an annotation"


def _objects(stats: ObjectStats, top: int) -> Iterator[str]:
    yield _heading(stats)
    if stats.unknown:
        yield f"not in the index: {stats.unknown:,}"
    if stats.sizes:
        sizes = stats.sizes
        spread = f"{sizes.least:,} to {sizes.most:,}, median {sizes.quartiles[1]:,}"
        if sizes.least == sizes.most:
            spread = f"{sizes.least:,} each"
        yield f"size   {plural(stats.total, 'byte')}; {spread}"
    for name, counts in (("types", stats.types), ("tags", stats.tags)):
        if counts:
            yield f"{name:<6} {_shares(counts, stats.objects, top, WIDTH - 7)}"


def _shares(counts: Mapping[str, int], total: int, top: int, width: int) -> str:
    parts = (f"{value_text(text)} {share(count, total)}" for text, count in counts.items())
    return as_many_as_fit((part for part, _ in zip(parts, range(top))), width)


def _objects_json(stats: ObjectStats) -> dict[str, Any]:
    sizes = stats.sizes
    return {
        "objects": stats.objects,
        "annotated": stats.annotated,
        "unknown": stats.unknown,
        "bytes": stats.total,
        "size": _numbers_json(sizes) if sizes else None,
        "types": stats.types,
        "tags": stats.tags,
    }


# --- keys


def _keys(stats: AnnotationStats, most: int, top: int) -> Iterator[str]:
    shown = [key for key in stats.keys if key.path != "@" or set(key.kinds) != {"object"}]
    if shown and most:
        yield ""
    cells = [(visible(key.path), _kinds(key), _presence(key)) for key in shown[:most]]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for key, (path, kinds, presence) in zip(shown, cells):
        yield f"{path:<{widths[0]}}  {kinds:<{widths[1]}}  {presence}"
        yield from (f"    {line}" for line in _distribution(key, top))
    if len(shown) > most:
        yield f"and {plural(len(shown) - most, 'more key')}"
    if stats.left_out:
        yield f"more than {len(stats.keys):,} keys: some were not counted"


def _kinds(key: KeyStats) -> str:
    if len(key.kinds) == 1:
        return next(iter(key.kinds))
    return joined(f"{name} {share(count, key.present)}" for name, count in key.kinds.items())


def _presence(key: KeyStats) -> str:
    if key.present == key.within:
        return f"{key.present:,}"
    return f"{key.present:,} of {key.within:,} ({share(key.present, key.within)})"


def _distribution(key: KeyStats, top: int) -> Iterator[str]:
    if key.lengths:
        yield _numbers_line(key.lengths, " item" if key.lengths.most == 1 else " items")
    if key.numbers:
        yield _numbers_line(key.numbers, "")
    if key.texts:
        yield _texts_line(key.texts, top)
    if booleans := key.kinds.get("boolean"):
        yield f"true {share(key.true, booleans)}, false {share(booleans - key.true, booleans)}"


def _numbers_line(stats: NumberStats, unit: str) -> str:
    if stats.least == stats.most:
        return f"always {number(stats.least)}{unit}"
    quartiles = "  ".join(map(number, stats.quartiles))
    about = "" if stats.exact else "about "
    return (
        f"{number(stats.least)} to {number(stats.most)}{unit}, "
        f"quartiles {about}{quartiles}  {blocks(stats.bins)}"
    )


def _texts_line(stats: TextStats, top: int) -> str:
    if stats.values is None:
        return "very many different texts"
    different = f"{len(stats.values):,} different: "
    return different + _shares(stats.values, stats.count, top, WIDTH - 4 - len(different))


def _keys_json(stats: AnnotationStats) -> dict[str, Any]:
    return {"keys": [_key_json(key) for key in stats.keys], "more_keys": stats.left_out}


def _key_json(key: KeyStats) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": key.path,
        "present": key.present,
        "within": key.within,
        "kinds": key.kinds,
    }
    if "boolean" in key.kinds:
        found["true"] = key.true
    if key.numbers:
        found["numbers"] = _numbers_json(key.numbers)
    if key.texts:
        values = key.texts.values
        found["texts"] = {
            "count": key.texts.count,
            "distinct": None if values is None else len(values),
            "values": values,
        }
    if key.lengths:
        found["lengths"] = _numbers_json(key.lengths)
    return found


def _numbers_json(stats: NumberStats) -> dict[str, Any]:
    return {
        "count": stats.count,
        "min": stats.least,
        "quartiles": list(stats.quartiles),
        "max": stats.most,
        "histogram": list(stats.bins),
        "width": stats.width,
        "exact": stats.exact,
    }


# --- class balance


def _balance(found: Balance, text: str, top: int) -> Iterator[str]:
    total = sum(each.count for each in found.values)
    counted = f"{plural(total, 'value')} in {plural(found.objects, 'object')}"
    different = f"{len(found.values):,} different"
    left = f"{found.lacking:,} without" if found.lacking else ""
    failed = f"{found.failed:,} failed" if found.failed else ""
    yield f"{visible(text)}: {joined((counted, different, left, failed))}"
    rows = [
        (value_text(each.value), f"{each.count:,}", share(each.count, total), each.count)
        for each in found.values[:top]
    ]
    wide = [max(len(str(row[at])) for row in rows) for at in range(3)] if rows else []
    for value, count, part, amount in rows:
        line = f"{value:<{wide[0]}}  {count:>{wide[1]}}  {part:>{wide[2]}}  "
        yield line + bar(amount, found.values[0].count, BAR)
    if len(found.values) > top:
        rest = sum(each.count for each in found.values[top:])
        yield f"and {len(found.values) - top:,} more: {rest:,} ({share(rest, total)})"


def _balance_json(found: Balance, text: str) -> dict[str, Any]:
    return {
        "expression": text,
        "objects": found.objects,
        "without": found.lacking,
        "failed": found.failed,
        "values": [{"value": each.value, "count": each.count} for each in found.values],
    }
