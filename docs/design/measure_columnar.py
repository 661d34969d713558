"""Time queries on columns beside the closures row by row; figures of 003-queries.md.

Run from the project's root: python docs/design/measure_columnar.py [ROWS]

The columns are those of 20,000 different annotations, over and over, with codes as narrow
as the columns' file has them.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ldb.columns.build import from_values
from ldb.columns.model import Column, Kind
from ldb.query import Filter, compile_query, parse
from ldb.query.columnar import Status, compile_columns

DIFFERENT = 20_000
QUERIES = (
    "class == 'cat'",
    "confidence > `0.9`",
    "length(boxes) == `3`",
    "boxes[?label == 'cat' && score > `0.9`]",
    "class == 'cat' && confidence > `0.9` || position == `5`",
    "camera.iso >= `800` && !reviewed",
    "regex(time, '^2026-0[1-3]')",
    "length(boxes[?score > `0.5`]) > `1`",
    "boxes[*].label | contains(@, 'cat')",
    "sum(boxes[*].bbox[2]) > `40`",
    "max(boxes[].score) > `0.9`",
    "sort_by(boxes, &score)[-1].label == 'cat'",
)
SHOWN = ("boxes[*].label", "{class: class, best: max(boxes[*].score)}")


def annotation(draw: random.Random, position: int) -> dict[str, Any]:
    """An annotation like those of the bench: 0 to 4 boxes, some 20 values."""
    classes = ("bird", "boat", "car", "cat", "dog", "horse", "person", "sheep", "train", "truck")
    boxes = [
        {
            "bbox": [draw.randrange(32) for _ in range(4)],
            "label": draw.choice(classes),
            "score": round(draw.random(), 4),
        }
        for _ in range(draw.randrange(5))
    ]
    return {
        "boxes": boxes,
        "camera": {"iso": 100 * draw.randrange(1, 33), "serial": f"{draw.getrandbits(40):010x}"},
        "class": draw.choice(classes),
        "confidence": round(draw.random(), 4),
        "note": "x" * 40,
        "position": position,
        "reviewed": draw.random() < 0.5,
        "time": f"2026-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}",
    }


def loaded(column: Column) -> Column:
    """The column with all its parts in memory, codes and ints as narrow as they can be."""
    present = column.present

    def narrow(numbers: Any) -> Any:
        for dtype in (np.int8, np.int16, np.int32):
            limits = np.iinfo(dtype)
            if limits.min <= numbers.min(initial=0) and numbers.max(initial=0) <= limits.max:
                return numbers.astype(dtype)
        return numbers

    return Column(
        column.size,
        column.kind,
        kinds=None if column.kind is not None else column.kinds,
        present=present,
        ints=narrow(column.ints) if Kind.INT in present else None,
        floats=column.floats if Kind.FLOAT in present else None,
        codes=narrow(column.codes) if Kind.TEXT in present else None,
        words=column.words if Kind.TEXT in present else None,
        offsets=column.offsets if Kind.LIST in present else None,
        items=loaded(column.items) if Kind.LIST in present else None,
        fields={key: loaded(below) for key, below in column.fields.items()},
    )


def milliseconds(run: Callable[[], object], times: int) -> float:
    """Best time of `times` runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def main(size: int) -> None:
    draw = random.Random(1)
    values = [annotation(draw, position) for position in range(DIFFERENT)]
    small = from_values(values)
    column = loaded(small.take(np.arange(size) % DIFFERENT))
    boxes = column.fields["boxes"].items.size
    print(f"{size:,} annotations, {boxes:,} boxes; ms, and rows by closures scaled to as many")
    print(f"{'test':<58}{'--query':>9}{'--jquery':>10}{'by row':>9}{'ratio':>7}")
    for text in QUERIES:
        took = []
        answers = Filter(compile_query(parse(text), "skip"))
        expected = answers.matches_many(values)
        for missing in ("skip", "null"):
            program = compile_columns(compile_query(parse(text), missing), missing)
            if program.test(small).mask.tolist() != expected:
                raise SystemExit(f"{text}: the two do not agree")
            took.append(milliseconds(lambda program=program: program.test(column), 5))  # type: ignore[misc]
        rows = milliseconds(lambda answers=answers: answers.matches_many(values), 3)  # type: ignore[misc]
        rows *= size / DIFFERENT
        print(f"{text:<58}{took[0]:>9.1f}{took[1]:>10.1f}{rows:>9.0f}{rows / took[0]:>6.0f}×")
    print("value, with all values as Python objects after it")
    for text in SHOWN:
        query = compile_query(parse(text), "skip")
        program = compile_columns(query, "skip")
        outcome = program.run(small)
        if (outcome.status != Status.OK).any() or outcome.values.values() != [
            *map(query.run, values)
        ]:
            raise SystemExit(f"{text}: the two do not agree")
        run = milliseconds(lambda program=program: program.run(column), 3)  # type: ignore[misc]
        both = milliseconds(lambda program=program: program.run(column).values.values(), 1)  # type: ignore[misc]
        print(f"{text:<58}{run:>9.1f}{both:>10.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
