"""What the compliance cases do not say: skipping, exact equality, failures in a loop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import BadInput
from ldb.query import (
    FUNCTIONS,
    Filter,
    Missing,
    Projector,
    QueryFailed,
    compile_query,
    declare,
    parse,
    truthy,
)
from ldb.query.signature import declare_foreign


def skip(text: str, value: Any) -> Any:
    return compile_query(parse(text), "skip")(value)


def null(text: str, value: Any) -> Any:
    return compile_query(parse(text), "null")(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", {}),
        ("a.b", {"a": {}}),
        ("a.b", {"a": None}),
        ("a.b", {"a": "text"}),
        ("a.b.c", {"a": {"b": [1]}}),
        ("a.b.c.d", {"a": {"b": {"c": 3}}}),
        ("a", None),
        ("a", [1]),
        ("a", "text"),
        ("a", 5),
        ("a != 'x'", {}),
        ("a == 'x'", {"b": 1}),
        ("a == 'x'", "x"),
        ("!a", {}),
        ("a || b", {"b": 1}),
        ("b && a", {"b": 1}),
        ("boxes[?score > `1`]", {"boxes": [{"score": 2}, {}]}),
        ("boxes[*].score", {"boxes": [{"score": 2}, {}]}),
        ("not_null(a, b)", {"b": 1}),
        ("[a, b]", {"b": 1}),
        ("{x: a}", {"b": 1}),
        ("sort_by(boxes, &score)", {"boxes": [{"score": 2}, {}]}),
        ("`1` == a", {}),
    ],
)
def test_missing_key_skips_the_object(text: str, value: Any) -> None:
    query = compile_query(parse(text), "skip")
    with pytest.raises(Missing):
        query(value)
    assert not query.matches(value)
    filter_ = Filter(query)
    assert filter_.matches_many([value]) == [False]
    assert (filter_.skipped, filter_.failures) == (1, 0)


@pytest.mark.parametrize(
    ("text", "value", "result"),
    [
        ("a || b", {"a": 1}, 1),
        ("a && b", {"a": False}, False),
        ("b == `1` || a == `1`", {"b": 1}, True),
        ("a", {"a": None}, None),
        ("a[*].b", {"a": 5}, None),
        ("a[5].b || c", {"a": [], "c": 1}, "skipped"),
        ("get(@, 'a.b', `7`)", {}, 7),
        ("has_keys(@, 'a.b', 'c')", {"a": {"b": None}}, False),
        ("has_keys(@, 'a.b', 'c')", {"a": {"b": None}, "c": 0}, True),
        ("boxes[?score > `1`]", {"boxes": []}, []),
    ],
)
def test_skipping_stops_where_evaluation_stops(text: str, value: Any, result: Any) -> None:
    if result == "skipped":
        with pytest.raises(Missing):
            skip(text, value)
    else:
        assert skip(text, value) == result


@pytest.mark.parametrize(
    ("text", "value", "result"),
    [
        ("a == `1`", True, False),
        ("a == `1`", 1.0, True),
        ("a != `1`", True, True),
        ("a == `0`", False, False),
        ("a == `true`", 1, False),
        ("a == `false`", 0, False),
        ("a == `null`", 0, False),
        ("a != `null`", None, False),
        ("a == `[1]`", [True], False),
        ("a == `[1]`", [1.0], True),
        ('a == `{"b": [0, 1]}`', {"b": [0, True]}, False),
        ("a < `1`", True, None),
        ("a < `1`", "0", None),
        ("`1` < a", 2, True),
        ("`1` >= a", 2, False),
        ("a < 'b'", "a", True),
        ("a < 'b'", 1, None),
        ("!a", 0, False),
        ("a && 'yes'", 0, "yes"),
        ("a || 'no'", 0, 0),
        ("a || 'no'", 0.0, 0.0),
        ("a || 'no'", "", "no"),
        ("a || 'no'", {}, "no"),
    ],
)
@pytest.mark.parametrize("how", [skip, null])
def test_truth_and_equality_are_jsons(how: Any, text: str, value: Any, result: Any) -> None:
    got = how(text, {"a": value})
    assert got == result
    assert type(got) is type(result)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_truthy_is_jmespaths(value: Any) -> None:
    assert truthy(value) is not (value in ("", [], {}, None) or value is False)


def test_filter_counts_failures_and_names_the_first() -> None:
    filter_ = Filter(compile_query(parse("div(`1`, a) > `0`"), "skip"))
    values = [{"a": 1}, {"a": 0}, {"a": "x"}, {}, {"a": 2}]
    assert filter_.matches_many(values, ["p", "q", "r", "s", "t"]) == [1, 0, 0, 0, 1]
    assert filter_.failures == 2
    assert filter_.first_failure is not None
    assert filter_.first_failure.name == "q"
    assert "division by zero" in filter_.first_failure.why
    assert filter_.lacking == {"a": 1}
    assert not filter_.matches({"a": 0}, "u")
    assert filter_.failures == 3


def test_filter_gives_positions_where_it_has_no_names() -> None:
    filter_ = Filter(compile_query(parse("abs(a)")))
    assert filter_.matches_many([{"a": 0}, {"a": "x"}]) == [True, False]
    assert filter_.first_failure is not None
    assert filter_.first_failure.name == 1
    assert "argument 1 must be number, found string" in filter_.first_failure.why


def test_projector_gives_a_default_for_what_fails_or_lacks() -> None:
    projector = Projector(compile_query(parse("abs(a)"), "skip"))
    values = [{"a": -1}, {"a": "x"}, {}]
    found = projector.values(values, ["p", "q", "r"], default="?", lacking="-")
    assert list(found) == [1, "?", "-"]
    assert (projector.failures, projector.skipped) == (1, 1)


def test_document_deeper_than_the_stack_is_a_failure_not_a_crash() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    query = compile_query(parse("to_string(a)"))
    with pytest.raises(QueryFailed):
        query({"a": deep})
    assert not query.matches({"a": deep})


# --- functions


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("regex('a cat', 'c.t')", True),
        ("regex('a cat', '^c')", False),
        ("regex(s, p)", True),
        ("regex_match('cat 7', 'c.t')", "cat"),
        ("regex_match('a cat', 'c.t')", None),
        ("regex_match(s, p)", "a cat"),
        ("add(`1`, `2.5`)", 3.5),
        ("add(`[1, 2]`, `[3, 4]`)", [4, 6]),
        ("sub(`[1, 2]`, `1`)", [0, 1]),
        ("sub(`1`, `[1, 2]`)", [0, -1]),
        ("mul(`[2, 3]`, `2`)", [4, 6]),
        ("prod(`3`, `4`)", 12),
        ("div(`1`, `[2, 4]`)", [0.5, 0.25]),
        ("neg(`[1, -2]`)", [-1, 2]),
        ("neg(`3`)", -3),
        ("add(`[]`, `[]`)", []),
        ("dotproduct(`[1, 2]`, `[3, 4]`)", 11),
        ("dotproduct(`[]`, `[]`)", 0),
        ("unique(`[1, [true, 1.0], [[\"a\"], 2], \"a\", null, null]`)", [1, True, "a", 2, None]),
        ('unique(`[{"a": [1]}, {"a": [true]}, {"a": [1.0]}]`)', [{"a": [1]}, {"a": [True]}]),
        ("contains_any('a cat', `[\"dog\", \"cat\", 5]`)", True),
        ("contains_any(`[1, 2]`, `[true, 3]`)", False),
        ("contains_any(`[1]`, `[]`)", False),
        ("contains_all(`[1, \"a\"]`, `[1.0, \"a\"]`)", True),
        ("contains_all('abc', `[\"a\", 1]`)", False),
        ("contains_all(`[1]`, `[]`)", True),
        ("contains('abc', `1`)", False),
        ("contains(`[1]`, `true`)", False),
        ("has_keys(o, 'x.\"y z\"')", True),
        ("has_keys(o, 'x.y')", False),
        ("has_keys(s, 'x')", False),
        ("get(o, 'x.\"y z\"')", 1),
        ("get(o, 'q')", None),
        ("get(o, 'q', s)", "a cat"),
        ("to_number('1_0')", None),
        ("to_number('inf')", None),
        ("to_number('1e999')", None),
        ("to_number(' 7 ')", 7),
        ("to_number('0.5')", 0.5),
        ("merge(o, `{\"x\": 2}`)", {"x": 2}),
        ("max_by(`[{\"a\": 1, \"b\": 1}, {\"a\": 1, \"b\": 2}]`, &a).b", 1),
        ("sort_by(`[]`, &a)", []),
        ("values(o)[0].\"y z\"", 1),
    ],
)  # fmt: skip
def test_function_result(text: str, result: Any) -> None:
    got = null(text, {"s": "a cat", "p": ".*t", "o": {"x": {"y z": 1}}})
    assert got == result
    assert [type(one) for one in got] == [type(one) for one in result] if got == [] else True


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("div(`1`, `0`)", "division by zero"),
        ("div(`[1, 2]`, `[1, 0]`)", "division by zero"),
        ("add(`[1]`, `[1, 2]`)", "vectors of 1 and 2 numbers"),
        ("dotproduct(`[1]`, `[]`)", "vectors of 1 and 0 numbers"),
        ("add(`[1]`, `[\"a\"]`)", "argument 2 must be number|array-number, found array of string"),
        ("add(`1`, `true`)", "found boolean"),
        ("neg('a')", "found string"),
        ("mul(`1e308`, `10`)", "too large"),
        ("sum(`[1e308, 1e308]`)", "too large"),
        ("regex('a', join('', `[\"(\"]`))", "not a regular expression"),
        ("regex(`1`, 'a')", "argument 1 must be string, found number"),
        ("sort_by(`[{\"a\": 1}, {\"a\": \"x\"}]`, &a)", "found number and string"),
        ("max_by(`[{\"a\": true}]`, &a)", "found boolean"),
        ("merge(`{}`, 'a')", "argument 2 must be object, found string"),
        ("get(@, `1`)", "argument 2 must be string"),
        ("has_keys(@, join('', `[\"-\"]`))", "not a path of keys"),
        ("sort(`[1, \"a\"]`)", "found array of number/string"),
    ],
)  # fmt: skip
def test_function_failure(text: str, why: str) -> None:
    with pytest.raises(QueryFailed) as caught:
        null(text, {})
    assert why in str(caught.value)


def test_functions_of_a_user_are_called_and_their_errors_are_failures() -> None:
    functions = {
        **FUNCTIONS,
        "double": declare_foreign("double", lambda number: 2 * number, ["number"]),
        "broken": declare_foreign("broken", lambda *given: dict(given)["x"], ["string|null", "*"]),
    }
    query = compile_query(parse("double(a)"), "skip", functions)
    assert query({"a": 4}) == 8
    broken = Filter(compile_query(parse("broken(a, b)"), "skip", functions))
    assert broken.matches_many([{"a": "x", "b": None}]) == [False]
    assert (broken.failures, broken.skipped) == (1, 0)
    assert broken.first_failure is not None
    assert "ValueError" in broken.first_failure.why
    with pytest.raises(BadInput, match="unknown function"):
        compile_query(parse("double(a)"), "skip")


@pytest.mark.parametrize("kind", ["nombre", "array-thing", "string-number", ""])
def test_argument_types_that_are_none_are_refused(kind: str) -> None:
    with pytest.raises(BadInput):
        declare("f", len, kind)
