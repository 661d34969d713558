"""The four queries of the bench, in every language they are asked in.

All are counts of objects over the annotations that generate.py makes. The plain Python
predicate is the definition; every other wording must give the same count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Query:
    """One question: its short name and its wordings."""

    name: str
    jmespath: str
    sql: str
    holds: Callable[[dict[str, Any]], bool]


QUERIES = (
    Query(
        "string",
        "class == 'cat'",
        "class = 'cat'",
        lambda value: value["class"] == "cat",
    ),
    Query(
        "number",
        "confidence > `0.9`",
        "confidence > 0.9",
        lambda value: value["confidence"] > 0.9,
    ),
    Query(
        "length",
        "length(boxes) == `3`",
        "len(boxes) = 3",
        lambda value: len(value["boxes"]) == 3,
    ),
    Query(
        "nested",
        "boxes[?label == 'cat' && score > `0.9`]",
        "len(list_filter(boxes, lambda b: b.label = 'cat' and b.score > 0.9)) > 0",
        lambda value: any(b["label"] == "cat" and b["score"] > 0.9 for b in value["boxes"]),
    ),
)

PASSING = Query(
    "passing",
    "confidence >= `0`",
    "confidence >= 0",
    lambda value: value["confidence"] >= 0,
)
"""Holds for every annotation, and has to be evaluated to know."""

BY_NAME = {query.name: query for query in QUERIES}
