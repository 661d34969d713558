"""The example tables of docs/query.md, row by row, and its list of functions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest

from ldb.query import FUNCTIONS, Missing, QueryFailed, compile_query, parse

PAGE = (Path(__file__).parents[2] / "docs" / "query.md").read_text(encoding="utf-8")
HEADER = "| expression | annotation | `--query` | `--jquery` |\n|---|---|---|---|\n"


def examples() -> list[tuple[str, str, str, str]]:
    found = []
    for table in PAGE.split(HEADER)[1:]:
        for line in table.split("\n\n")[0].strip().split("\n"):
            cells = [cell.strip(" `") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            expression, annotation, skip, null = cells
            found.append((expression.replace("\\|", "|"), annotation, skip, null))
    return found


def outcome(expression: str, annotation: Any, missing: Literal["skip", "null"]) -> str:
    try:
        return json.dumps(compile_query(parse(expression), missing)(annotation))
    except Missing:
        return "skipped"
    except QueryFailed:
        return "fails"


@pytest.mark.parametrize(("expression", "annotation", "skip", "null"), examples())
def test_example(expression: str, annotation: str, skip: str, null: str) -> None:
    value = json.loads(annotation)
    assert outcome(expression, value, "skip") == skip
    assert outcome(expression, value, "null") == null


def test_every_function_is_described() -> None:
    named = set(re.findall(r"[a-z_]+", PAGE.split("## Functions")[1]))
    assert set(FUNCTIONS) <= named
    assert len(examples()) >= 25
