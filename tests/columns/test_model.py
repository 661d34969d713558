"""Columns hold exactly the values they were made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.columns.build import MISSING, concat, from_values
from ldb.columns.model import Column, Kind, OpaqueValue, Words

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "b", "é", "\0", "\U0001f600"])
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)


def same(left: Any, right: Any) -> bool:
    """Equal, with the same types at every depth."""
    return repr(left) == repr(right) or (left == right and _typed(left) == _typed(right))


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _typed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_typed(each) for each in value]
    return type(value), value


@given(st.lists(JSON))
def test_values_come_back_as_they_were(values: list[Any]) -> None:
    column = from_values(values)
    assert len(column) == len(values)
    assert same(column.values(), values)


@given(st.lists(JSON, min_size=1), st.data())
def test_take_picks_rows_in_any_order_and_any_number(values: list[Any], data: Any) -> None:
    rows = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=8))
    taken = from_values(values).take(np.array(rows, np.intp))
    assert same(taken.values(), [values[at] for at in rows])
    again = taken.take(np.arange(len(rows))[::-1])
    assert same(again.values(), [values[at] for at in rows][::-1])


@given(st.lists(st.lists(JSON, max_size=4), min_size=1, max_size=4))
def test_concat_puts_columns_end_to_end(parts: list[list[Any]]) -> None:
    whole = concat([from_values(part) for part in parts])
    assert same(whole.values(), [value for part in parts for value in part])


def test_codes_of_joined_columns_all_point_at_words() -> None:
    whole = concat([from_values(["a", None]), from_values([1, None])])
    assert whole.words.equal_to("a")[whole.codes].tolist() == [True] * 4
    assert whole.are(Kind.TEXT).tolist() == [True, False, False, False]


def test_a_mask_takes_where_it_is_true() -> None:
    column = from_values([1, "a", None, [2, 3]])
    assert column.take(np.array([True, False, False, True])).values() == [1, [2, 3]]


def test_missing_values_are_no_nulls() -> None:
    column = from_values([{"a": 1}, {"b": None}, {}])
    assert column.fields["a"].kinds.tolist() == [Kind.INT, Kind.MISSING, Kind.MISSING]
    assert column.fields["b"].kinds.tolist() == [Kind.MISSING, Kind.NULL, Kind.MISSING]
    assert column.values() == [{"a": 1}, {"b": None}, {}]
    assert from_values([MISSING, 1]).kinds.tolist() == [Kind.MISSING, Kind.INT]


def test_what_columns_do_not_hold_is_opaque_and_found_at_any_depth() -> None:
    column = from_values([1, 1 << 63, [{"a": b"raw"}], {"b": [2]}])
    assert column.opaque().tolist() == [False, True, True, False]
    with pytest.raises(OpaqueValue):
        column.values()


def test_words_are_found_by_their_bytes() -> None:
    words = Words.of(["", "cat", "dog", "cät", "cat"])
    assert words.equal_to("cat").tolist() == [False, True, False, False, True]
    assert words.equal_to("").tolist() == [True, False, False, False, False]
    assert words.some([3, 0]) == ["cät", ""]


def test_a_column_of_one_kind_needs_no_arrays() -> None:
    column = Column(3, Kind.TRUE)
    assert column.values() == [True, True, True]
    assert column.are(Kind.TRUE, Kind.FALSE).all()
    assert column.take(np.array([0])).values() == [True]


def test_codes_of_columns_put_end_to_end_point_to_words() -> None:
    joined = concat([from_values(["x", "y"]), from_values([1]), from_values([None, "x"])])
    assert joined.codes.max() < len(joined.words)
    assert joined.values() == ["x", "y", 1, None, "x"]
    ends_without_text = concat([from_values(["x", "y"]), from_values([1])])
    assert ends_without_text.codes.max() < len(ends_without_text.words)
