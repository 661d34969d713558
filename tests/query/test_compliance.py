"""The public JMESPath compliance cases, through the compiled closures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ldb.errors import BadInput
from ldb.query import QueryFailed, compile_query, parse

FOLDER = Path(__file__).parents[3] / "shared" / "jmespath-compliance"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the compliance cases are not beside this repository"
)


def cases() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        for suite in json.loads(path.read_text(encoding="utf-8")):
            for case in suite["cases"]:
                name = f"{path.stem}:{case['expression']}"
                found.append(pytest.param(suite["given"], case, id=name))
    return found


def outcome(expression: str, given: object) -> object:
    """The result, or how far evaluation came: not parsed, not compiled, failed."""
    try:
        parsed = parse(expression, "--jquery")
    except BadInput as error:
        return "too early", error.why
    try:
        query = compile_query(parsed, missing="null")
    except BadInput as error:
        return "not compiled", error.why
    try:
        return query(given)
    except QueryFailed as error:
        return "failed", error.why


@pytest.mark.parametrize(("given", "case"), cases())
def test_compliance_case(given: object, case: dict[str, Any]) -> None:
    if "error" not in case:
        assert outcome(case["expression"], given) == case["result"]
        return
    got = outcome(case["expression"], given)
    assert isinstance(got, tuple), got
    stage, why = got
    wanted = {
        "syntax": ("too early", ""),
        "invalid-value": ("too early", "slice"),
        "unknown-function": ("not compiled", "unknown function"),
        "invalid-arity": ("not compiled", "takes"),
        "invalid-type": ("failed", ""),
    }
    if case["expression"] == "sort_by(people, name)":  # seen without reading a row
        assert stage == "not compiled"
        return
    assert stage == wanted[case["error"]][0]
    assert wanted[case["error"]][1] in why


def test_there_are_cases() -> None:
    assert len(cases()) > 800
