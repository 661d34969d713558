"""Object records as `--file` expressions see them, column-wise.

The same values as `record_view` of the catalogue gives for one record, for a whole column
of them; texts are only made where an expression asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import iso_time, split_path
from ldb.columns.model import Column, Kind, Words

Ids = NDArray[np.bytes_]

_EXPECTED: Mapping[str, Kind] = {
    "annotations": Kind.LIST,
    "first_indexed": Kind.INT,
    "last_indexed": Kind.INT,
    "paths": Kind.LIST,
    "size": Kind.INT,
    "tags": Kind.LIST,
    "type": Kind.TEXT,
}
_OF_PATHS: Mapping[str, Kind] = {
    "gid": Kind.INT,
    "mode": Kind.INT,
    "mtime": Kind.INT,
    "path": Kind.TEXT,
    "uid": Kind.INT,
}


def view_of(records: Column, ids: Callable[[], Ids]) -> Column | None:
    """What `record_view` shows of n records; None where a field is not what it usually is.

    `ids` gives their data object ids, shape (n,).
    """
    if not is_usual(records):
        return None
    paths = records.fields["paths"]
    return Column(records.size, Kind.OBJECT, fields=lambda: _fields(records, paths, ids))


def is_usual(records: Column) -> bool:
    """Whether every field has the type that `record_payload` writes."""
    if not _as_expected(records, _EXPECTED):
        return False
    paths, tags = records.fields["paths"].items, records.fields["tags"].items
    return (not paths.size or _as_expected(paths, _OF_PATHS)) and (
        not tags.size or tags.kind is Kind.TEXT
    )


def _as_expected(column: Column, kinds: Mapping[str, Kind]) -> bool:
    return column.kind is Kind.OBJECT and all(
        key in column.fields and column.fields[key].kind is kind for key, kind in kinds.items()
    )


def _fields(records: Column, paths: Column, ids: Callable[[], Ids]) -> dict[str, Column]:
    below = records.fields
    size = records.size
    return {
        "id": _hex(size, ids),
        "type": below["type"],
        "size": below["size"],
        "first_indexed": _times(below["first_indexed"], 1_000_000),
        "last_indexed": _times(below["last_indexed"], 1_000_000),
        "tags": below["tags"],
        "annotation_versions": Column(size, Kind.INT, ints=lambda: below["annotations"].lengths),
        "alternate_paths": Column(
            size,
            Kind.LIST,
            offsets=lambda: paths.offsets,
            items=lambda: _split_paths(paths.items),
        ),
        "fs": Column(size, Kind.OBJECT, fields=lambda: _attributes(below["size"], paths)),
    }


def _hex(size: int, ids: Callable[[], Ids]) -> Column:
    def words() -> Words:
        column = np.ascontiguousarray(ids())
        digits = np.frombuffer(column.tobytes().hex().encode(), np.uint8)
        step = 2 * column.dtype.itemsize
        return Words(digits, np.arange(size + 1, dtype=np.int64) * step)

    return Column(size, Kind.TEXT, codes=lambda: np.arange(size), words=words)


def _split_paths(items: Column) -> Column:
    if not items.size:
        return Column(0, Kind.NULL)
    part = _split(items.fields["path"])
    return Column(items.size, Kind.OBJECT, fields={"protocol": part(0), "path": part(1)})


def _split(paths: Column) -> Callable[[int], Column]:
    """Columns of the protocols and of the paths proper."""

    def part(which: int) -> Column:
        return Column(
            paths.size,
            Kind.TEXT,
            codes=lambda: paths.codes,
            words=lambda: Words.of([split_path(text)[which] for text in paths.words.strings]),
        )

    return part


def _attributes(sizes: Column, paths: Column) -> dict[str, Column]:
    """`fs`: attributes of the first path; an object without one has empty texts and zeros."""
    there = paths.lengths > 0
    first = paths.offsets[:-1][there]

    def of_first(key: str) -> Column:
        return paths.items.fields[key].take(first) if len(first) else Column(0, Kind.NULL)

    def number(key: str) -> Column:
        def ints() -> NDArray[Any]:
            found = np.zeros(paths.size, np.int64)
            found[there] = of_first(key).ints
            return found

        return Column(paths.size, Kind.INT, ints=ints)

    def text(which: int) -> Column:
        def words() -> Words:
            return Words.of(["", *_split(of_first("path"))(which).texts()])

        return Column(
            paths.size, Kind.TEXT, codes=lambda: np.where(there, np.cumsum(there), 0), words=words
        )

    return {
        "protocol": text(0),
        "path": text(1),
        "size": sizes,
        "mode": number("mode"),
        "uid": number("uid"),
        "gid": number("gid"),
        "mtime": _times(number("mtime"), 1),
    }


def _times(numbers: Column, nanoseconds: int) -> Column:
    """ISO 8601 texts of times in units of so many nanoseconds."""

    def made() -> tuple[NDArray[np.intp], Words]:
        units, codes = np.unique(numbers.ints.astype(np.int64), return_inverse=True)
        return codes, Words.of(_iso_texts(units, nanoseconds))

    kept: list[tuple[NDArray[np.intp], Words]] = []

    def part(which: int) -> Any:
        if not kept:
            kept.append(made())
        return kept[0][which]

    return Column(numbers.size, Kind.TEXT, codes=lambda: part(0), words=lambda: part(1))


def _iso_texts(units: NDArray[np.int64], nanoseconds: int) -> list[str]:
    """`iso_time` of each; numpy does those between 1970 and 9999, of which it is the faster."""
    per_second = 1_000_000_000 // nanoseconds
    plain = (units >= 0) & (units < 253_402_300_800 * per_second)
    if not plain.all():
        return [iso_time(unit * nanoseconds) for unit in units.tolist()]
    stamps = (units // max(1, 1_000_000 // nanoseconds)).astype("datetime64[ms]")
    return [text + "Z" for text in np.datetime_as_string(stamps, unit="ms").tolist()]
