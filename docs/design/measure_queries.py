"""Time the compiled closures beside the jmespath library; figures of 003-queries.md.

Run from the project's root: python docs/design/measure_queries.py
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import jmespath

from ldb.query import Filter, compile_query, parse, truthy

ROWS = 20_000
QUERIES = (
    "class == 'cat'",
    "inference.confidence < `0.5`",
    "length(boxes) == `2`",
    "length(boxes[?score > `0.5`]) > `1`",
    "boxes[?label == 'cat' && score > `0.5`]",
    "class == 'cat' && inference.confidence > `0.9` || id == `5`",
    "boxes[*].label | contains(@, 'cat')",
)


def annotation(rng: random.Random, number: int) -> dict[str, Any]:
    """An annotation of some 400 bytes of JSON: a class, a score, up to five boxes."""
    boxes = [
        {"label": rng.choice(["cat", "dog"]), "score": rng.random(), "bbox": [1, 2, 3, 4]}
        for _ in range(rng.randint(0, 5))
    ]
    return {
        "boxes": boxes,
        "class": rng.choice(["cat", "dog", "bird"]),
        "id": number,
        "inference": {"confidence": rng.random(), "model": "m1"},
        "source": "x" * 50,
    }


def nanoseconds(run: Callable[[], object], times: int) -> float:
    """Best time of `times` runs, per row."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best / ROWS * 1e9


def main() -> None:
    rng = random.Random(1)
    rows = [annotation(rng, number) for number in range(ROWS)]
    print(f"{'ns a row':<62}{'--query':>9}{'--jquery':>10}{'library':>9}{'ratio':>7}")
    for text in QUERIES:
        strict = Filter(compile_query(parse(text), "skip"))
        lenient = Filter(compile_query(parse(text), "null"))
        library = jmespath.compile(text)
        answers = [truthy(library.search(row)) for row in rows]
        if not answers == strict.matches_many(rows) == lenient.matches_many(rows):
            raise SystemExit(f"{text}: the two do not agree")
        skip = nanoseconds(lambda strict=strict: strict.matches_many(rows), 15)  # type: ignore[misc]
        null = nanoseconds(lambda lenient=lenient: lenient.matches_many(rows), 15)  # type: ignore[misc]
        other = nanoseconds(lambda library=library: [library.search(row) for row in rows], 4)  # type: ignore[misc]
        print(f"{text:<62}{skip:>9.0f}{null:>10.0f}{other:>9.0f}{other / skip:>6.0f}×")


if __name__ == "__main__":
    main()
