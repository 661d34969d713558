"""Comparing columns: equal where the values are, whatever the dictionaries, and else not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.columns import compare
from ldb.columns.build import MISSING, from_values
from ldb.columns.compare import differences
from ldb.columns.model import Column, Kind, Words
from ldb.columns.read import open_columns
from ldb.columns.shred import Shredder
from ldb.columns.write import encode_columns
from ldb.objects.codec import encode

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, -0.0, 1.0, 1.5, 2**53]),
    st.sampled_from(["", "a", "b", "ab", "é", "x" * 70]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abé"), inner, max_size=3)
    ),
    max_leaves=6,
)


def shredded(values: list[Any], chunk: int = 1 << 20) -> Column:
    shredder = Shredder(chunk)
    for value in values:
        shredder.add([encode(value)])
    return shredder.finish()


def from_file(column: Column) -> Column:
    data = encode_columns(column)
    return open_columns(lambda start, stop: data[start:stop], len(data), "some.arrow")


def wrong(held: Column, true: Column) -> list[bool]:
    found = differences(held, true)
    assert not found.unsure.any()
    return list(found.wrong.tolist())


@given(st.lists(VALUES, min_size=1, max_size=12))
def test_a_file_agrees_with_shredding_in_other_chunks(values: list[Any]) -> None:
    held = from_file(shredded(values))
    assert wrong(held, shredded(values, 1)) == [False] * len(values)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12))
def test_rows_that_differ_are_found(pairs: list[tuple[Any, Any]]) -> None:
    left, right = [one for one, _ in pairs], [other for _, other in pairs]
    expected = [encode(one) != encode(other) for one, other in pairs]
    assert wrong(from_file(shredded(left)), shredded(right)) == expected


@pytest.mark.parametrize("chunk", [1, 5, 1 << 20])
def test_long_texts_in_pieces(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(compare, "CHUNK", chunk)
    texts = [f"text {number} " * (number % 4) for number in range(50)]
    others = [text + "?" if at == 7 else text[:-1] + "!" if at == 31 else text
              for at, text in enumerate(texts)]  # fmt: skip
    held = from_values(others[::-1]).take(np.arange(50)[::-1])
    assert np.flatnonzero(differences(held, from_values(texts)).wrong).tolist() == [7, 31]


def test_opaque_values() -> None:
    true = from_values([1, [2], 1 << 70, MISSING])
    held = Column(4, kinds=np.array([9, 9, 9, 9], np.uint8))
    assert wrong(held, true) == [False, False, False, True]
    found = differences(from_values([1, [2], 3, 4]), from_values([1, [2], 1 << 70, 1 << 70]))
    assert found.wrong.tolist() == [False] * 4
    assert found.unsure.tolist() == [False, False, True, True]
    inside = differences(from_values([{"a": [1, 2]}]), from_values([{"a": [1, 1 << 70]}]))
    assert (inside.wrong.tolist(), inside.unsure.tolist()) == ([False], [True])


def test_what_values_do_not_show() -> None:
    """What an evaluator relies on besides: key order, still offsets, distinct words."""
    true = from_values([{"a": 1, "b": 2}])
    assert wrong(from_values([{"b": 2, "a": 1}]), true) == [True]
    lists = from_values([[1], None])
    moved = Column(
        2,
        kinds=lists.kinds,
        offsets=np.array([0, 1, 2]),
        items=from_values([1, 1]),
    )
    assert wrong(moved, lists) == [False, True]
    twice = Words(np.frombuffer(b"xx", np.uint8), np.array([0, 1, 2]), distinct=True)
    texts = Column(2, Kind.TEXT, codes=np.array([0, 1]), words=twice)
    assert wrong(texts, from_values(["x", "x"])) == [True, True]
    twice.distinct = False
    assert wrong(texts, from_values(["x", "x"])) == [False, False]
