"""Queries on columns answer as the row evaluator does: values, truths, how they end."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.columns.build import concat, from_values
from ldb.columns.model import Column
from ldb.errors import BadInput
from ldb.query import compile_query, declare, parse
from ldb.query.columnar import Program, Status, compile_columns
from ldb.query.functions import FUNCTIONS
from ldb.query.signature import declare_foreign
from tests.query.columnar import cases
from tests.query.columnar.cases import Missing

FOLDER = Path(__file__).parents[4] / "shared" / "jmespath-compliance"


def program(text: str, missing: Missing = "null") -> Program:
    return compile_columns(compile_query(parse(text), missing), missing)


def results(text: str, documents: list[Any], missing: Missing = "null") -> list[Any]:
    """The value of each document, or the status where there is none."""
    outcome = program(text, missing).run(from_values(documents))
    found = outcome.values.take(np.flatnonzero(outcome.status == Status.OK)).values()[::-1]
    return [found.pop() if each == Status.OK else Status(int(each)) for each in outcome.status]


@settings(max_examples=300, deadline=None)
@given(rng=st.randoms(use_true_random=False))
def test_drawn_cases_agree(rng: Random) -> None:
    text, documents, missing = cases.draw(rng)
    found, _ = cases.disagreement(text, documents, missing)
    assert found is None, f"{missing}: {text}"


@pytest.mark.parametrize("first", range(0, 3000, 500))
def test_cases_of_these_seeds_agree(first: int) -> None:
    again = documents = 0
    for seed in range(first, first + 500):
        text, values, missing = cases.draw(Random(seed))
        found, left = cases.disagreement(text, values, missing)
        assert found is None, f"seed {seed}, {missing}: {text}"
        again, documents = again + left, documents + len(values)
    assert again < documents / 50  # few must be left to the row evaluator


def test_columns_read_from_a_file_agree() -> None:
    """Narrow types, shared offsets, parts that load when asked for."""
    ran = 0
    for seed in range(10_000, 10_800):
        text, documents, missing = cases.draw(Random(seed))
        column = cases.from_file(documents)
        if column is not None and documents:
            found, _ = cases.disagreement(text, documents, missing, column)
            assert found is None, f"seed {seed}, {missing}: {text}"
            ran += 1
    assert ran > 300


BIG = (1 << 53) + 1
TRICKY: list[tuple[str, list[Any]]] = [
    # ints and floats are compared exactly
    (f"a == `{BIG}`", [{"a": float(BIG)}, {"a": BIG}, {"a": BIG - 1}]),
    ("a == `9007199254740992.0`", [{"a": BIG}, {"a": BIG - 1}]),
    (f"a < `{BIG}`", [{"a": float(1 << 53)}, {"a": float((1 << 53) + 2)}, {"a": 1 << 53}]),
    (f"a >= `{BIG}`", [{"a": float(1 << 53)}, {"a": float((1 << 53) + 2)}, {"a": 1 << 53}]),
    (f"a <= `{(1 << 53) + 3}`", [{"a": float((1 << 53) + 4)}, {"a": float((1 << 53) + 2)}]),
    (f"a > `{(1 << 53) + 3}`", [{"a": float((1 << 53) + 4)}, {"a": float((1 << 53) + 2)}]),
    ("a < b", [{"a": BIG, "b": float(BIG)}, {"a": float(BIG), "b": BIG}, {"a": 1, "b": 1.5}]),
    ("a == b", [{"a": BIG, "b": float(BIG)}, {"a": 1, "b": 1.0}, {"a": 1, "b": True}]),
    (f"a < `{10**400}`", [{"a": 1.5}, {"a": 3}]),
    (f"a > `{10**400}`", [{"a": 1.5}, {"a": 3}]),
    ("a < `1.5`", [{"a": 1}, {"a": 2}, {"a": -1}]),
    ("a <= `-1.5`", [{"a": -1}, {"a": -2}]),
    ("a == `300`", [{"a": 44}, {"a": -128}]),
    ("a == `1e300`", [{"a": 1}, {"a": 1e300}]),
    # truth
    ("!a", [{"a": 0}, {"a": 0.0}, {"a": ""}, {"a": []}, {"a": {}}, {"a": None}, {"a": False}]),
    ("a || b", [{"a": 0, "b": 1}, {"a": {}, "b": [1]}, {"a": {"x": None}, "b": 1}, {"b": ""}]),
    ("a && b", [{"a": 0, "b": 1}, {"a": [], "b": [1]}, {"a": {"x": None}, "b": {"z": 1}}]),
    ("a || b", [{"a": 1}, {"a": "", "b": 1}, {"a": "", "c": 1}]),
    ("a && b", [{"a": ""}, {"a": 1, "b": 1}, {"a": 1, "c": 1}]),
    ("a == `1` || b == `1` || c", [{"a": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 2}]),
    # equality at depth
    ("a == b", [{"a": [1], "b": [True]}, {"a": [1], "b": [1.0]}, {"a": {"x": 1}, "b": {"x": 1}}]),
    ("a == b", [{"a": {"x": None}, "b": {}}, {"a": {"x": []}, "b": {"x": {}}}, {"a": [], "b": []}]),
    ("a == b", [{"a": [[1, "x"], {}], "b": [[1, "x"], {}]}, {"a": [1], "b": [1, 2]}]),
    ("contains(a, b)", [{"a": [1, [True]], "b": [1]}, {"a": [[1]], "b": [1]}, {"a": [], "b": 1}]),
    # texts
    ("a < b", [{"a": "Z", "b": "a"}, {"a": "é", "b": "z"}, {"a": "\0", "b": ""}]),
    ("a == b", [{"a": "\ud800", "b": "\ud800"}, {"a": "\0", "b": ""}, {"a": "x", "b": "y"}]),
    ("length(a)", [{"a": "\ud800é\U0001f600"}, {"a": ""}, {"a": [1]}, {"a": {"x": None}}]),
    ("a < 'b'", [{"a": "a"}, {"a": 1}, {"a": None}, {"a": "c"}]),
    # a problem in an item is a problem of its document, the first one
    ("a[?b > `0`]", [{"a": [{"b": 1}, {}]}, {"a": []}, {"a": None}, {"a": [{"b": 0}]}]),
    ("a[?b].abs(c)", [{"a": [{"b": 0, "c": "x"}, {}]}, {"a": [{}, {"b": 1, "c": "x"}]}]),
    ("a[*].[b, abs(c)]", [{"a": [{"c": 1}, {"b": 1, "c": "x"}]}, {"a": [{"b": 1, "c": 2}]}]),
    ("map(&abs(b), a)", [{"a": [{"b": 1}, {"b": "x"}]}, {"a": "x"}, {"a": []}]),
    ("sort_by(a, &b)", [{"a": [{"b": 2}, {"b": 1}]}, {"a": [{"b": 2}, {"b": "x"}]}, {"a": [{}]}]),
    ("sort_by(a, &b)", [{"a": [{"b": BIG}, {"b": BIG - 1}, {"b": 1.5}]}]),
    ("sort_by(a, &b)[*].c", [{"a": [{"b": 0.0, "c": 1}, {"b": -0.0, "c": 2}, {"b": 0, "c": 3}]}]),
    ("max_by(a, &b).c", [{"a": [{"b": 1, "c": 1}, {"b": 1.0, "c": 2}]}, {"a": []}]),
    ("min_by(a, &b).c", [{"a": [{"b": "x", "c": 1}, {"b": "x", "c": 2}]}]),
    ("a[?b] || c", [{"a": [{"b": 1}], "c": 1}, {"a": [{}], "c": 2}, {"a": [], "c": 3}]),
    # nulls among items
    ("a[]", [{"a": [1, [2, None], None, [[3]]]}, {"a": []}, {"a": 1}, {"a": [[]]}]),
    ("a[?@ == `null`]", [{"a": [None, 1]}]),
    ("a[-1].b", [{"a": [{"b": 1}]}, {"a": []}, {"a": [None]}, {"a": {"b": 1}}]),
    ("a[::-2]", [{"a": [1, 2, 3]}, {"a": []}, {"a": "abc"}, {"a": [1, 2]}]),
    # numbers
    ("sum(a)", [{"a": [1, 2]}, {"a": []}, {"a": [1, 2.5]}, {"a": ["x"]}, {"a": [1 << 62] * 4}]),
    ("avg(a)", [{"a": [1, 2]}, {"a": []}, {"a": [BIG]}, {"a": None}]),
    ("max(a)", [{"a": [0.0, -0.0]}, {"a": [-0.0, 0.0]}, {"a": [1, 1.0]}, {"a": []}]),
    ("add(a, b)", [{"a": (1 << 63) - 1, "b": 1}, {"a": 1, "b": 2.5}, {"a": 1, "b": "x"}]),
    ("mul(a, b)", [{"a": 1e300, "b": 1e300}, {"a": 1 << 40, "b": 1 << 40}, {"a": 3, "b": 4}]),
    ("div(a, b)", [{"a": 1, "b": 0}, {"a": 1, "b": 3}, {"a": (1 << 62) + 1, "b": 3}, {"a": 0.0}]),
    ("ceil(div(a, b))", [{"a": 0, "b": 0}, {"a": 1, "b": 2}, {"a": "x", "b": 1}]),
    ("neg(a)", [{"a": -(1 << 63)}, {"a": 0.0}, {"a": 0}, {"a": [1, 2.5]}]),
    ("ceil(a)", [{"a": 1e300}, {"a": 1.5}, {"a": -0.5}, {"a": 3}]),
    ("abs(a)", [{"a": -128}, {"a": 127}, {"a": -0.0}, {"a": "x"}]),
    # the order of keys
    ("*", [{"b": 1, "a": 2}, {"c": 1, "a": [2]}, {}, []]),
    ("keys(a || {z: b, b: b})", [{"a": {"b": 1, "z": 2}}, {"b": 1}]),
    ("to_string(a || {z: b, b: b})", [{"a": {"b": 1, "z": 2}}, {"b": 1}]),
    ("[{z: a, b: a}, a][].keys(@)", [{"a": {"b": 1, "z": 2}}, {"a": {}}]),
    ("merge({z: a}, {b: a})", [{"a": 1}, {"a": {"x": 1}}]),
    ("[merge({z: a}, b), merge(b, {z: a})]", [{"a": 1, "b": {"b": 1}}]),
    ("{a: a, a: b}", [{"a": 1, "b": 2}]),
    ("a.{x: b, y: `null`}", [{"a": None}, {"a": {"b": 1}}, {"a": {}}]),
    ("get(@, 'a.b', c)", [{"a": {"b": None}}, {"a": 1, "c": 2}, {"c": {"x": 1}}, {}]),
    ("has_keys(@, 'a.b', 'c')", [{"a": {"b": None}, "c": 0}, {"a": 1, "c": 2}, 5, None]),
]


@pytest.mark.parametrize("missing", ["skip", "null"])
@pytest.mark.parametrize(("text", "documents"), TRICKY, ids=[text for text, _ in TRICKY])
def test_tricky_cases_agree(text: str, documents: list[Any], missing: Missing) -> None:
    documents = [cases.sorted_keys(each) for each in documents]
    assert cases.disagreement(text, documents, missing)[0] is None
    for document in documents:  # one kind of value in every column
        assert cases.disagreement(text, [document] * 2, missing)[0] is None


@pytest.mark.parametrize("size", [0, 1])
def test_no_documents_give_no_answers(size: int) -> None:
    for text, documents in TRICKY:
        column = from_values(documents).take(np.arange(size))
        found = program(text).run(column)
        assert len(found.values) == len(found.status) == size
        assert program(text).test(column).mask.shape == (size,)


def compliance() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        for suite in json.loads(path.read_text(encoding="utf-8")):
            found += [(suite["given"], case["expression"]) for case in suite["cases"]]
    return found


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the compliance cases are not beside this")
def test_the_compliance_cases_agree() -> None:
    """The row evaluator's own test says that these are the right answers."""
    ran = 0
    for value, text in compliance():
        try:
            parse(text)
            compile_query(parse(text), "null")
        except BadInput:
            continue
        given = cases.sorted_keys(value)
        found, again = cases.disagreement(text, [given, None, given, {"foo": 1}], "null")
        assert found is None, text
        # Sorted keys and those of a `{…}` can contradict each other; nothing else is left over.
        assert not again or "{" in text or "`" in text, text
        ran += 1
    assert ran > 600


# --- what columns are made of


def test_columns_put_end_to_end_and_picked_from_answer_the_same() -> None:
    values = [{"a": ["x", None], "c": "x"}, {"a": [], "c": "y"}, {"c": 1}, {"a": ["y"], "c": "x"}]
    parts = concat([from_values(values[:2]), from_values(values[2:]), from_values(values)])
    rows = np.array([7, 0, 3, 3, 5])
    picked = [[*values, *values][at] for at in rows]
    for text in (
        "c == 'x'",
        "contains(a, c)",
        "starts_with(c, 'x')",
        "a[0] == c",
        "a[*] | [0] < c",
    ):
        whole = from_values(picked)
        for column in (parts.take(rows), whole):
            found = program(text).run(column)
            query = compile_query(parse(text), "null")
            wanted = [cases.by_rows(query.run, value) for value in picked]
            assert [each == Status.OK for each in found.status] == [
                end == "ok" for end, _ in wanted
            ]
            tested = program(text).test(column).mask.tolist()
            assert tested == [query.matches(value) for value in picked]


def test_what_columns_do_not_hold_is_left_to_the_row_evaluator() -> None:
    documents = [{"a": 1 << 70}, {"a": b"x"}, {"a": [1 << 70]}, {"a": 1}]
    assert results("a == `1`", documents) == [Status.REDO, Status.REDO, False, True]
    assert results("a", documents) == [Status.REDO] * 3 + [1]
    assert results("length(a)", documents)[2:] == [1, Status.FAILED]
    assert results("a[0]", documents)[2:] == [Status.REDO, None]
    assert results("length(a[])", documents)[2] == Status.REDO  # it may be an array
    assert results("b", documents) == [None] * 4
    assert results("b == `1`", [5, 1 << 70]) == [False, Status.REDO]


def test_results_beyond_64_bits_are_left_to_the_row_evaluator() -> None:
    documents = [{"a": (1 << 63) - 1}, {"a": 1}]
    assert results("add(a, `1`)", documents) == [Status.REDO, 2]
    assert results("type(add(a, `1`))", documents) == [Status.REDO, "number"]


def test_values_deeper_than_the_stack_are_left_to_the_row_evaluator() -> None:
    column = Column(2, None, kinds=np.array([7, 1], np.uint8), offsets=np.array([0, 1, 1]))
    column._items = column  # as deep as can be
    assert program("[@, @] == [@, `1`]").run(column).status.tolist() == [Status.REDO] * 2


def test_values_as_deep_as_a_payload_may_be() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = {"a": [deep]}
    found = program("a[0].a[0].a[*].a").run(from_values([deep, {"a": []}]))
    query = compile_query(parse("a[0].a[0].a[*].a"))
    assert found.status.tolist() == [Status.OK] * 2
    assert found.values.values() == [query(deep), None]


def test_keys_of_records_are_in_the_order_given() -> None:
    column = from_values([{"z": 1, "a": 2}])
    query = compile_query(parse("keys(@)"), "null")
    assert compile_columns(query, "null", order="given").run(column).values.values() == [["z", "a"]]
    assert compile_columns(query, "null").run(column).values.values() == [["a", "z"]]


# --- functions that the evaluator does not know


def test_a_function_of_the_users_is_called_once_for_each_text() -> None:
    seen: list[str] = []

    def shout(text: str) -> str:
        seen.append(text)
        return text.upper()

    functions = {**FUNCTIONS, "shout": declare_foreign("shout", shout, ["string"])}
    query = compile_query(parse("shout(c)"), "null", functions)
    made = compile_columns(query, "null")
    found = made.run(from_values([{"c": "x"}, {"c": "y"}, {"c": "x"}, {"c": 1}]))
    assert found.values.take(np.arange(3)).values() == ["X", "Y", "X"]
    assert found.status.tolist() == [Status.OK] * 3 + [Status.FAILED]
    assert sorted(seen) == ["x", "y"]


def test_a_function_may_take_the_name_of_one_that_columns_have() -> None:
    functions = {**FUNCTIONS, "length": declare("length", lambda _: "mine", "any")}
    query = compile_query(parse("length(@)"), "null", functions)
    made = compile_columns(query, "null")
    assert made.run(from_values(["x", "y"])).values.values() == ["mine", "mine"]


def test_a_function_of_the_users_may_take_an_expression() -> None:
    def twice(values: list[Any], step: Any) -> list[Any]:
        return [step(step(value)) for value in values]

    functions = {**FUNCTIONS, "twice": declare("twice", twice, "array", "expref")}
    query = compile_query(parse("twice(a, &x)"), "skip", functions)
    made = compile_columns(query, "skip")
    found = made.run(from_values([{"a": [{"x": {"x": 1}}]}, {"a": [{"x": {}}]}, {"a": 1}]))
    assert found.status.tolist() == [Status.OK, Status.LACKS, Status.FAILED]
    assert found.values.take(np.arange(1)).values() == [[1]]
    assert made.plan[0].how == "row by row"
