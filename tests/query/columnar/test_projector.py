"""Projectors over columns count and name what those over rows do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ldb.columns.build import from_values
from ldb.columns.model import Column
from ldb.errors import BadInput
from ldb.query import Projector, compile_query, parse
from ldb.query.columnar import ColumnProjector, compile_columns
from tests.query.columnar import cases

Redo = Callable[[NDArray[np.intp]], list[Any]]


def fetcher(values: Sequence[Any]) -> tuple[Redo, list[int]]:
    asked: list[int] = []

    def redo(positions: NDArray[np.intp]) -> list[Any]:
        asked.extend(positions.tolist())
        return [values[at] for at in positions.tolist()]

    return redo, asked


DOCUMENTS = [
    {"a": 1},
    {"a": "x"},
    {"b": 1},
    {"a": -2},
    {"a": -(1 << 70)},
    {"a": [1]},
    {"a": b"x"},
]
NAMES = ["zero", "one", "two", "three", "four", "five", "six"]


def test_a_projector_counts_and_names_what_fails() -> None:
    query = compile_query(parse("abs(a) > `1`"), "skip")
    found, rows = ColumnProjector(compile_columns(query, "skip")), Projector(query)
    redo, asked = fetcher(DOCUMENTS)
    values = found.values(from_values(DOCUMENTS), redo, NAMES)
    assert values == list(rows.values(DOCUMENTS, NAMES))
    assert values == [False, None, None, True, True, None, None]
    assert found.failures == rows.failures == 3
    assert found.first_failure == rows.first_failure
    assert found.first_failure is not None
    assert found.first_failure.name == "one"
    assert found.lacking == rows.lacking == {"a": 1}
    # What columns hold, but for one example of each trouble, is not fetched.
    assert sorted(asked) == [1, 2, 4, 6]


def test_the_first_failure_may_be_one_that_columns_do_not_hold() -> None:
    documents = [{"a": b"x"}, {"a": "x"}]
    query = compile_query(parse("abs(a)"), "null")
    found, rows = ColumnProjector(compile_columns(query, "null")), Projector(query)
    found.values(from_values(documents), fetcher(documents)[0], ["p", "q"])
    list(rows.values(documents, ["p", "q"]))
    assert found.first_failure == rows.first_failure
    assert found.failures == 2


def test_the_first_failure_of_all_columns_stays() -> None:
    query = compile_query(parse("abs(a)"), "null")
    found = ColumnProjector(compile_columns(query, "null"))
    for name in ("first", "second"):
        found.values(from_values([{"a": "x"}]), lambda _: [{"a": "x"}], [name])
    assert found.first_failure is not None
    assert (found.first_failure.name, found.failures) == ("first", 2)


def test_a_projector_gives_a_column_or_values_with_defaults() -> None:
    query = compile_query(parse("abs(a)"), "skip")
    found, rows = ColumnProjector(compile_columns(query, "skip")), Projector(query)
    redo, _ = fetcher(DOCUMENTS)
    values = found.values(from_values(DOCUMENTS), redo, NAMES, "failed", "lacks")
    assert values == [*rows.values(DOCUMENTS, NAMES, "failed", "lacks")]
    assert values == [1, "failed", "lacks", 2, 1 << 70, "failed", "failed"]
    assert (found.failures, found.skipped, found.first_failure) == (
        rows.failures,
        rows.skipped,
        rows.first_failure,
    )
    fine = found.values(from_values([{"a": 1}, {"a": -2.5}]), redo, NAMES)
    assert isinstance(fine, Column)
    assert fine.values() == [1, 2.5]


@pytest.mark.parametrize("first", [0, 400, 800])
def test_tallies_agree_on_drawn_cases(first: int) -> None:
    for seed in range(first, first + 400):
        text, documents, missing = cases.draw(Random(seed))
        try:
            query = compile_query(parse(text), missing)
        except BadInput:
            continue
        names = [f"name {at}" for at in range(len(documents))]
        program, column = compile_columns(query, missing), from_values(documents)
        redo, _ = fetcher(documents)
        projector, each = ColumnProjector(program), Projector(query)
        got = projector.values(column, redo, names, "?", "-")
        got = got.values() if isinstance(got, Column) else got
        wanted = [*each.values(documents, names, "?", "-")]
        assert cases.exact(got) == cases.exact(wanted), (seed, text)
        assert projector.first_failure == each.first_failure
        assert (projector.failures, projector.skipped) == (each.failures, each.skipped)
