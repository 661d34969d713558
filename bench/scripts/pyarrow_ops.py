"""The four queries by bare pyarrow: `pyarrow_ops.py nothing|QUERY [PARQUET]`; prints a count.

The least a program can do that has the annotations in Parquet already: read the columns a
query names, compute, count.
"""

from __future__ import annotations

import sys
from typing import Any

import pyarrow.compute as pc  # type: ignore[import-untyped, unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

COLUMNS = {
    "string": ["class"],
    "number": ["confidence"],
    "length": ["boxes.list.element.score"],
    "nested": ["boxes.list.element.label", "boxes.list.element.score"],
}


def nested(boxes: Any) -> int:
    """Lists that hold a sure cat."""
    found = 0
    for chunk in boxes.chunks:
        box = chunk.flatten()
        holds = pc.and_(pc.equal(box.field("label"), "cat"), pc.greater(box.field("score"), 0.9))
        found += len(pc.unique(pc.list_parent_indices(chunk).filter(holds)))
    return found


def main() -> None:
    """Run one query."""
    query, *paths = sys.argv[1:]
    if query == "nothing":
        return
    names = COLUMNS[query]
    table = pq.ParquetFile(paths[0]).read(columns=names)
    if query == "nested":
        print(nested(table["boxes"]))
        return
    if query == "string":
        holds = pc.equal(table["class"], "cat")
    elif query == "number":
        holds = pc.greater(table["confidence"], 0.9)
    else:
        holds = pc.equal(pc.list_value_length(table["boxes"]), 3)
    print(pc.sum(holds).as_py())


if __name__ == "__main__":
    main()
