"""What is read from a column file is what was written, part by part."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ldb.backends.base import Buffer
from ldb.columns import layout, write
from ldb.columns.build import MISSING, concat, from_values
from ldb.columns.model import Column, Kind, Words
from ldb.columns.read import open_columns
from ldb.columns.write import encode_columns

KEYS = st.sampled_from(["", "a", "b", "a.b", "item", "kind", "é\0", "\U0001f600", '"\\\n'])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-200, 200)
    | st.integers(-(1 << 64), 1 << 64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "b", "é", "\0", "\U0001f600"])
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=4)
ROWS = st.lists(JSON, max_size=12) | st.lists(OBJECTS, max_size=12)


def reopened(column: Column) -> Column:
    data = encode_columns(column)
    return open_columns(lambda start, stop: data[start:stop], len(data), "file")


def check_same(read: Column, written: Column) -> None:
    """Equal in every part, at every depth."""
    assert (read.size, read.kind, read.present) == (written.size, written.kind, written.present)
    kinds = written.kinds
    assert read.kinds.dtype == np.uint8
    assert read.kinds.tolist() == kinds.tolist()
    assert read.ints.tolist() == written.ints.tolist()
    assert read.floats.tobytes() == written.floats.tobytes()
    texts = kinds == Kind.TEXT
    assert read.take(texts).texts() == written.take(texts).texts()
    assert not read.words.distinct or len(set(read.words.strings)) == len(read.words)
    assert read.offsets.tolist() == written.offsets.tolist()
    assert list(read.fields) == list(written.fields)
    if Kind.LIST in written.present:
        check_same(read.items, written.items)
    for key, below in written.fields.items():
        check_same(read.fields[key], below)


@given(ROWS)
@example([])
@example([{}])
@example([[], []])
@example([{"a": 0.0}, {"a": -0.0}])
@example([{"a": [[1, 2], [3, 4]]}, {"a": [[5, 6]]}])
@example([MISSING, None])
@example([{"a": None}, {"a": "x"}, {"a": "y"}])
@example([{}, {"a": "x"}, {"a": "y"}])
def test_columns_come_back_as_they_were(values: list[Any]) -> None:
    column = from_values(values)
    check_same(reopened(column), column)


@given(st.lists(ROWS, min_size=1, max_size=4), st.data())
def test_columns_that_were_joined_and_cut_come_back_too(parts: list[Any], data: Any) -> None:
    column = concat([from_values(part) for part in parts])
    rows = data.draw(st.lists(st.integers(0, column.size - 1), max_size=8)) if column.size else []
    column = column.take(np.array(rows, np.intp))
    read = reopened(column)
    assert read.kinds.tolist() == column.kinds.tolist()
    assert read.opaque().tolist() == column.opaque().tolist()
    kept = ~column.opaque()
    assert repr(read.take(kept).values()) == repr(column.take(kept).values())


@pytest.mark.parametrize(
    ("low", "high", "width"),
    [
        (0, 127, 1),
        (-128, 0, 1),
        (0, 128, 2),
        (-129, 0, 2),
        (0, 1 << 15, 4),
        (-(1 << 31), (1 << 31) - 1, 4),
        (0, 1 << 31, 8),
        (-(1 << 63), (1 << 63) - 1, 8),
    ],
)
def test_ints_take_the_smallest_type(low: int, high: int, width: int) -> None:
    read = reopened(from_values([low, high]))
    assert read.ints.dtype.itemsize == width
    assert read.ints.tolist() == [low, high]


def test_texts_in_the_order_of_the_rows_have_no_codes_in_the_file() -> None:
    words = Words.of(["x", "yy", "x"])
    column = Column(3, Kind.TEXT, codes=np.arange(3), words=words)
    read = reopened(column)
    assert read.codes.tolist() == [0, 1, 2]
    assert (read.values(), read.words.distinct) == (["x", "yy", "x"], False)


def test_texts_that_repeat_and_are_not_known_to_are_written_row_by_row() -> None:
    column = Column(3, Kind.TEXT, codes=np.array([2, 1, 1]), words=Words.of(["x", "yy", "z"]))
    assert reopened(column).values() == ["z", "yy", "yy"]


def test_kinds_that_no_value_has_are_not_in_the_file() -> None:
    column = from_values([1, "a", None]).take(np.array([0]))
    assert Kind.TEXT in column.present
    read = reopened(column)
    assert read.kind is Kind.INT
    assert read.present == frozenset([Kind.INT])


def test_offsets_that_take_64_bits_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [["one", "two"], [], ["three"], ["one"]]
    small = encode_columns(from_values(values))
    monkeypatch.setattr(write, "LARGE", 2)
    assert reopened(from_values(values)).values() == values
    assert encode_columns(from_values(values)) != small


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_what_is_nested_too_deeply_is_opaque() -> None:
    read = reopened(from_values([nested(40), nested(100)]))
    assert read.opaque().tolist() == [False, True]
    assert read.take(np.array([0])).values() == [nested(40)]


def test_the_worked_example_of_the_format() -> None:
    page = (Path(__file__).parents[2] / "docs/formats/columns.md").read_text("utf-8")
    example = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    tail = re.search(r"^    (4c 44 42 43[ 0-9a-f]*)$", page, re.MULTILINE)
    assert example
    assert tail
    first, last = {"box": [1, 2], "label": "cat"}, {"box": [3, 300], "label": "dog"}
    data = encode_columns(from_values([first, {"label": "cat"}, last]))
    found = layout.unpack(lambda start, stop: data[start:stop], len(data), "file")
    assert json.dumps(found) == json.dumps(json.loads(example[1]))
    layout.check_rest(data, "file")
    assert (data[848:854], data[1136], data[1192:1195]) == (b"catdog", 5, b"\0\0\1")
    assert data[1152:1168] == struct.pack("<4i", 0, 2, 2, 4)
    written = bytes.fromhex(tail[1])
    at = data.index(layout.MAGIC)
    # How far zstd packs the directory is up to its version.
    assert data[at : at + 8] == written[:8]
    assert data[at + 12 : at + 16] == written[12:16]


class Counted:
    """Bytes that remember how many of them were read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read = 0

    def __call__(self, start: int, stop: int) -> Buffer:
        self.read += stop - start
        return self.data[start:stop]


def test_only_what_is_asked_for_is_read() -> None:
    noise = np.random.default_rng(1)
    rows = [{"a": float(noise.random()), "b": float(noise.random())} for _ in range(50_000)]
    data = Counted(encode_columns(from_values(rows)))
    column = open_columns(data, len(data.data), "file")
    assert data.read < 70_000
    assert column.kinds.tolist() == [Kind.OBJECT] * len(rows)
    assert column.fields["a"].present == {Kind.FLOAT}
    assert data.read < 70_000
    assert column.fields["a"].floats.tolist() == [row["a"] for row in rows]
    assert 300_000 < data.read < 500_000
    before = data.read
    assert column.fields["a"].floats.sum() > 0
    assert data.read == before


def test_a_directory_longer_than_the_first_read_is_found() -> None:
    rows = [{f"{key:04x}-{key * 7919 % 65521:05x}": key for key in range(3000)}]
    assert reopened(from_values(rows)).values() == rows


def test_what_shrinks_beyond_the_bound_of_the_format_is_still_readable() -> None:
    size = 24_000_000
    column = Column(size, Kind.INT, ints=np.ones(size, np.int8))
    data = encode_columns(column)
    assert len(data) < 200_000
    assert open_columns(lambda a, b: data[a:b], len(data), "file").ints.sum() == size
