"""Keys that may follow in an expression that is being typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.query.completing import completions
from ldb.query.hints import tree_of

TREE = tree_of(
    {
        "class": "cat",
        "inference": {"confidence": 1, "model": "x"},
        "boxes": [{"label": "x", "score": 1, "by": {"who": 1}}],
        "my-key": {"é": 1},
    }
)


@pytest.mark.parametrize(
    ("typed", "ends"),
    [
        ("cl", ["class"]),
        ("inf", ["inference", "inference.confidence", "inference.model"]),
        ("inference.", ["confidence", "model"]),
        ("inference.con", ["confidence"]),
        ("class == 'cat' && inference.m", ["model"]),
        ("bo", ["boxes", "boxes[]"]),
        ("boxes[].", ["label", "score", "by", "by.who"]),
        ("boxes[0].s", ["score"]),
        ("boxes[?", ["label", "score", "by", "by.who"]),
        ("boxes[?score > `1` && la", ["label"]),
        ("boxes[?by.w", ["who"]),
        ("boxes[?score > `1`].la", ["label"]),
        ("length(bo", ["boxes", "boxes[]"]),
        ("[cl", ["class"]),
        ("{a: cl", ["class"]),
        ('"my-key".', ['"é"']),
        ("my", []),
        ("zzz", []),
        ("class == 'c", []),
        ("class == `", []),
        ("boxes[", []),
        ("max_by(boxes, &score).", []),
        ("inference.confidence.", []),
    ],
)
def test_completions(typed: str, ends: list[str]) -> None:
    found = completions(typed, TREE)
    assert [each.startswith(typed) for each in found] == [True] * len(ends)
    assert [each[-len(end) :] for each, end in zip(found, ends)] == ends


@given(st.text(alphabet="clasinfe.boxs[]?*'`\"(){}&|=> 01,:", max_size=25))
def test_what_was_typed_stays(typed: str) -> None:
    for each in completions(typed, TREE):
        assert each.startswith(typed)
