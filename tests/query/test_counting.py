"""Counts out of columns, and of single values, are what counting Python values gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.columns.build import from_values
from ldb.query import counting, distinct
from ldb.query.counting import KeyCounts, ValueCounts
from ldb.query.distinct import Numbers, NumberStats, Texts, plain
from tests.query.columnar.cases import from_file
from tests.query.plain_counts import keys_of, numbers_of, same_values, texts_of, values_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1.0, 2.0, 1e300, 5e-324])
    | st.sampled_from(["", "a", "b", "é", "\0", "\U0001f600"])
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c d"]), inner, max_size=3)
    ),
    max_leaves=8,
)
DOCUMENTS = st.lists(JSON, max_size=8)


def in_columns(add: Callable[[Any], None], documents: Sequence[Any], cuts: Sequence[int]) -> None:
    """Add the documents in parts, as columns, cut at these places."""
    places = sorted({0, len(documents), *(cut % (len(documents) + 1) for cut in cuts)})
    for start, stop in pairwise(places):
        part = list(documents[start:stop])
        kept = from_file(part)
        add(from_values(part) if kept is None or start % 2 else kept)


# -- keys ------------------------------------------------------------------------------


@settings(max_examples=60)
@given(documents=DOCUMENTS, cuts=st.lists(st.integers(0, 8), max_size=3), single=st.integers(0, 8))
def test_keys(documents: list[Any], cuts: list[int], single: int) -> None:
    """Some documents one by one, the rest as columns."""
    counts = KeyCounts()
    for value in documents[:single]:
        counts.add_value(value)
    in_columns(counts.add, documents[single:], cuts)
    assert list(counts.stats()) == keys_of(documents)


def test_keys_of_some_documents() -> None:
    """An example to read: paths, presence, kinds."""
    counts = KeyCounts()
    in_columns(
        counts.add,
        [
            {"class": "cat", "boxes": [{"label": "head"}, {}], "camera": {"iso": 100}},
            {"class": "cat", "boxes": [], "ok": True},
            {"class": None, "ok": False, "camera": {"iso": 100.5}},
            7,
        ],
        [2],
    )
    found = {each.path: (each.present, each.within, dict(each.kinds)) for each in counts.stats()}
    assert found == {
        "@": (4, 4, {"object": 3, "number": 1}),
        "boxes": (2, 3, {"array": 2}),
        "boxes[]": (2, 2, {"object": 2}),
        "boxes[].label": (1, 2, {"string": 1}),
        "camera": (2, 3, {"object": 2}),
        "camera.iso": (2, 2, {"number": 2}),
        "class": (3, 3, {"string": 2, "null": 1}),
        "ok": (2, 3, {"boolean": 2}),
    }
    assert [each.true for each in counts.stats() if each.path == "ok"] == [1]


def test_integers_beyond_columns() -> None:
    counts = KeyCounts()
    for value in (1 << 63, 3, (1 << 64) - 1):
        counts.add_value(value)
    (stats,) = counts.stats()
    assert stats.numbers is not None
    assert (stats.numbers.least, stats.numbers.most) == (3, (1 << 64) - 1)
    assert stats.numbers.quartiles[1] == float(1 << 63)


@pytest.mark.parametrize("single", [True, False])
def test_keys_end_somewhere(monkeypatch: pytest.MonkeyPatch, single: bool) -> None:
    monkeypatch.setattr(counting, "KEYS_KEPT", 2)
    counts = KeyCounts()
    document = {"a": 1, "b": {"c": 2}, "d": 3}
    if single:
        counts.add_value(document)
    else:
        in_columns(counts.add, [document], [])
    assert [each.path for each in counts.stats()] == ["@", "a", "b"]
    assert counts.left_out
    fewer = KeyCounts()
    fewer.add_value({"a": 1, "b": 2})
    assert not fewer.left_out


# -- numbers ---------------------------------------------------------------------------

INTS = st.lists(st.integers(-40, 40) | st.integers(-(1 << 63), (1 << 63) - 1), max_size=30)
FLOATS = st.lists(
    st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([1.0, 2.5]), max_size=30
)


@settings(max_examples=60)
@given(INTS, FLOATS, st.lists(st.integers(-5, 5) | st.just(1 << 63), max_size=9))
def test_numbers(ints: list[int], floats: list[float], single: list[int]) -> None:
    numbers = Numbers()
    numbers.add(np.array(ints, np.int64))
    numbers.add(np.array(floats, np.float64))
    for each in single:
        numbers.add_value(each)
    assert numbers.stats() == numbers_of([*ints, *floats, *single])


@settings(max_examples=40)
@given(st.lists(st.integers(-128, 127), min_size=1, max_size=50), st.sampled_from([1, 2, 4, 8]))
def test_small_integer_types(ints: list[int], size: int) -> None:
    numbers = Numbers()
    numbers.add(np.array(ints, f"i{size}"))
    numbers.add(np.array(ints[::2], f"i{size}"))
    assert numbers.stats() == numbers_of(ints + ints[::2])


def test_many_batches_are_merged_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_WAITING", 10)
    numbers, everything = Numbers(), []
    for at in range(40):
        part = [(at * 7 + each) % 31 for each in range(9)]
        numbers.add(np.array(part, np.int64))
        everything += part
    assert numbers.stats() == numbers_of(everything)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("scale", [1.0, -1e-200, 1e300])
def test_too_many_different_numbers(
    monkeypatch: pytest.MonkeyPatch, scale: float, single: bool
) -> None:
    """Quartiles are rounded, the rest stays exact."""
    monkeypatch.setattr(distinct, "NUMBERS_KEPT", 1000)
    monkeypatch.setattr(distinct, "_WAITING", 100)
    some = [scale * (1 + at * 1e-4) for at in range(5000)]
    numbers = Numbers()
    if single:
        for each in some:
            numbers.add_value(each)
    else:
        for start in range(0, 5000, 500):
            numbers.add(np.array(some[start : start + 500]))
    found, exact = numbers.stats(), numbers_of(some)
    assert found is not None
    assert exact is not None
    assert not found.exact
    assert (found.count, found.least, found.most) == (exact.count, exact.least, exact.most)
    assert sum(found.bins) == 5000
    for got, wanted in zip(found.quartiles, exact.quartiles):
        assert abs(got - wanted) <= abs(wanted) / 100
        assert found.least <= got <= found.most


def test_kept_numbers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "NUMBERS_KEPT", 1000)
    monkeypatch.setattr(distinct, "_WAITING", 100)
    merged = distinct._Merged(np.dtype(np.int64))
    for start in range(0, 100_000, 1000):
        merged.add(np.arange(start, start + 1000) * 12345)
        assert sum(len(values) for values, _ in merged._parts) <= 2100
    values, counts = merged.all()
    assert counts.sum() == 100_000
    assert len(values) <= 1000


def test_numbers_that_are_equal_are_spelt_alike() -> None:
    assert [repr(plain(each)) for each in (1.0, -0.0, 2, 0.5, 1e300)] == [
        "1", "0", "2", "0.5", "1e+300",
    ]  # fmt: skip


def test_nothing_to_count() -> None:
    assert Numbers().stats() is None
    assert list(KeyCounts().stats()) == []
    assert ValueCounts().counts() == []


@pytest.mark.parametrize("offset", [0, 1e15, -1e15])
def test_histogram_of_numbers_far_from_zero(offset: float) -> None:
    numbers = Numbers()
    numbers.add(np.array([offset + at / 2 for at in range(20) for _ in range(at + 1)]))
    stats = numbers.stats()
    assert stats is not None
    assert stats.width == 0.95
    assert sum(stats.bins) == 210
    assert stats.bins == tuple(sorted(stats.bins)), "more and more"


def test_one_number() -> None:
    numbers = Numbers()
    numbers.add(np.array([5, 5], np.int8))
    assert numbers.stats() == NumberStats(2, 5, 5, (5, 5, 5), (), 0)


# -- texts -----------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["", "a", "b", "é", "long " * 20]) | SCALARS, max_size=20))
def test_texts(values: list[Any]) -> None:
    texts = Texts()
    in_columns(texts.add, values, [3])
    assert texts.stats() == texts_of([value for value in values if isinstance(value, str)])


@settings(max_examples=40)
@given(parts=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=8), max_size=4))
def test_too_many_different_texts(parts: list[list[str]]) -> None:
    """However they come, the number of different ones alone decides."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "TEXTS_KEPT", 4)
        columns, single, every = Texts(), Texts(), Texts(every=True)
        for part in parts:
            in_columns(columns.add, part, [])
            in_columns(every.add, part, [])
            for text in part:
                single.add_value(text)
    everything = [text for part in parts for text in part]
    many = len(set(everything)) > 4
    assert (columns.stats().values is None) is many
    assert columns.stats() == single.stats()
    assert columns.stats().count == len(everything)
    assert every.stats() == texts_of(everything)


def test_too_long_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "CHARACTERS_KEPT", 10)
    for some in (["x" * 11], ["é" * 6, "b" * 5], ["a" * 50, "b"]):
        texts, single = Texts(), Texts()
        in_columns(texts.add, some, [])
        for each in some:
            single.add_value(each)
        assert texts.stats() == single.stats()
        assert texts.stats().values is None
    fits = Texts()
    in_columns(fits.add, ["é" * 5, "b" * 5, "b" * 5], [])
    assert fits.stats().values == {"b" * 5: 2, "é" * 5: 1}


# -- values ----------------------------------------------------------------------------


@settings(max_examples=60)
@given(results=DOCUMENTS, cuts=st.lists(st.integers(0, 8), max_size=3), single=st.integers(0, 8))
def test_values(results: list[Any], cuts: list[int], single: int) -> None:
    counts = ValueCounts()
    for result in results[:single]:
        counts.add_value(result)
    in_columns(counts.add, results[single:], cuts)
    found = counts.counts()
    assert counts.rows == len(results)
    assert same_values(found, values_of(results))
    assert [each.count for each in found] == sorted((each.count for each in found), reverse=True)


def test_equal_values_are_one() -> None:
    counts = ValueCounts()
    in_columns(counts.add, [1, 1.0, True, "1", [1, [1.0]], [[1], [True]], {"a": 1}], [2, 5])
    counts.add_value({"a": 1.0})
    counts.add_value([])
    found = {repr(plain(each.value)): each.count for each in counts.counts()}
    found[repr([1])] = found.pop(repr([1.0]), 0) + found.pop(repr([1]), 0)
    expected = {"1": 3, "[1]": 2, "{'a': 1}": 2, "True": 1, "[True]": 1, "'1'": 1}
    assert found == expected
    assert counts.rows == 9
