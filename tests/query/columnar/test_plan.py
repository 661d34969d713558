"""The plan says what ran column-wise, what row by row, and why."""

from __future__ import annotations

from typing import Any

import pytest

from ldb.columns.build import from_values
from ldb.query import compile_query, parse
from ldb.query.columnar import Program, compile_columns
from ldb.query.columnar.written import written

DOCUMENTS: list[Any] = [
    {"boxes": [{"label": "cat", "score": 0.5}], "class": "cat"},
    {"boxes": [], "class": "dog"},
]


def ran(text: str) -> Program:
    program = compile_columns(compile_query(parse(text), "skip"), "skip")
    program.test(from_values(DOCUMENTS))
    return program


def test_what_is_column_wise_hands_no_value_to_python() -> None:
    plan = ran("class == 'cat' && length(boxes[?score > `0.1`]) > `0` && regex(class, 'c')").plan
    assert [each.rows for each in plan] == [0] * len(plan)
    assert {each.how for each in plan} == {"column-wise"}
    assert "class == 'cat'" in [each.expression for each in plan]
    assert "boxes[?score > `0.1`]" in [each.expression for each in plan]


def test_what_goes_row_by_row_says_why_and_how_often() -> None:
    plan = {each.expression: each for each in ran("sum(boxes[*].score) > `0`").plan}
    step = plan["sum(boxes[*].score)"]
    assert step.how == "row by row"
    assert step.rows == 2
    assert step.why
    assert plan["boxes[*].score"].how == "column-wise"


def test_only_documents_that_reach_a_part_are_handed_to_it() -> None:
    plan = {each.expression: each for each in ran("class == 'cat' && sum(boxes[*].score)").plan}
    assert plan["sum(boxes[*].score)"].rows == 1


@pytest.mark.parametrize(
    "text",
    [
        "class == 'cat'",
        "boxes[?label == 'cat' && score > `0.9`]",
        "a || b && !c",
        "(a || b) && c",
        "!(a == b)",
        "a[*].b[0][1:2]",
        "(a[*].b)[0]",
        "a[].b | [0]",
        "*.a",
        "a.*.b",
        "a.[b, c].d",
        '{"x y": a, b: @}.b',
        "sort_by(a, &b)[-1].c",
        'a == `{"x": [1, 2.5, null]}`',
        '`"it\'s"`',
        "[0]",
        "[]",
        "[?a]",
        "@[*]",
        "a[::-1]",
        "length(@)",
        "has_keys(@, 'a.b')",
    ],
)
def test_a_plan_is_written_so_that_it_can_be_read_again(text: str) -> None:
    assert parse(written(parse(text).ast)).ast == parse(text).ast
