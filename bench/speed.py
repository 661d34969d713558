"""What LDB promises of speed, each with its figure beside its target.

Whole processes; ratios of one run. Promises of ten million annotations are about instances
without files (synthetic_annotations.py), the others about real ones.
"""

from __future__ import annotations

import statistics

from bench.generate import MILLION, show_size
from bench.queries import QUERIES
from bench.rounds import Figures
from bench.synthetic import MapFigures
from bench.verdict import Verdict, compare, largest, ratio, scaled

HUNDRED_THOUSAND = 100_000
TEN_MILLION = 10 * MILLION

PEERS = (
    ("git", "git add"),
    ("dvc", "dvc add"),
    ("oxen", "oxen add"),
    ("datachain", "DataChain"),
)
"""Tools whose cold index LDB's must beat."""


def speed(figures: Figures, synthetic: Figures, maps: list[MapFigures]) -> list[Verdict]:
    """All promises of speed, in the order they are written down."""
    lines: list[Verdict] = []
    sizes = figures.sizes("ldb")
    if sizes:
        million, small = largest(MILLION, sizes), largest(HUNDRED_THOUSAND, sizes)
        lines += _queries(figures, million) + _index(figures, small)
        lines += _again(figures, million) + _add(figures, million, "")
        lines += _instantiate(figures, small)
    elif synthetic.sizes("ldb"):
        # Better than nothing: the same questions, over annotations that have no files.
        at = largest(MILLION, synthetic.sizes("ldb"))
        lines += _queries(synthetic, at) + _add(synthetic, at, " (no files)")
    if synthetic.sizes("ldb"):
        lines += _ten_million(synthetic, largest(TEN_MILLION, synthetic.sizes("ldb")))
    for figure in maps:
        if figure.rows >= TEN_MILLION:
            rows = f"synthetic map of {show_size(figure.rows)}"
            lines.append(
                compare(f"{rows}: diff of 100", figure.diff, 0.3, " s", figure.rows, TEN_MILLION)
            )
    return lines


def _seconds(figures: Figures, operation: str, size: int) -> float | None:
    result = figures.get("ldb", operation, size)
    return result.wall() if result else None


def _queries(figures: Figures, size: int) -> list[Verdict]:
    lines = []
    for query in QUERIES:
        name, operation = f"query {query.name}", f"query-{query.name}"
        limit = 1.2 if query.name == "nested" else 0.6
        seconds = _seconds(figures, operation, size)
        duck = ratio(figures, size, "ldb", "duckdb", operation)
        alpha = ratio(figures, size, "ldb-alpha", "ldb", operation)
        remark = scaled(figures, "ldb-alpha", operation, size)
        lines += [
            compare(f"{name}, count", seconds, limit, " s", size, MILLION),
            compare(f"{name}: ldb / duckdb on Parquet", duck, 1.5, "×", size, MILLION),
            compare(f"{name}: ldb-alpha / ldb", alpha, 250, "×", size, MILLION, True, remark),
        ]
    return lines


def _ten_million(figures: Figures, size: int) -> list[Verdict]:
    lines = []
    for query in QUERIES:
        name, operation = f"query {query.name} (no files)", f"query-{query.name}"
        result = figures.get("ldb", operation, size)
        wall, memory = (result.wall(), result.tree_mb()) if result else (None, None)
        lines += [
            compare(f"{name}, count", wall, 3, " s", size, TEN_MILLION),
            compare(f"{name}: memory, all processes", memory, 1500, " MB", size, TEN_MILLION),
        ]
    diff = _seconds(figures, "diff", size)
    return [*lines, compare("diff of 100 (no files)", diff, 0.3, " s", size, TEN_MILLION)]


def _index(figures: Figures, size: int) -> list[Verdict]:
    index = figures.get("ldb", "index", size)
    share = None
    if index and index.stored_bytes and index.json_bytes:
        share = 100 * index.stored_bytes / index.json_bytes
    wanted = HUNDRED_THOUSAND
    floor = ratio(figures, size, "ldb", "floor", "index")
    lines = [compare("index cold: ldb / two-process loop", floor, 1.3, "×", size, wanted)]
    for tool, name, limit in (
        ("ldb-alpha", "ldb-alpha", 20.0),
        *((tool, name, 1.0) for tool, name in PEERS),
    ):
        times = ratio(figures, size, tool, "ldb", "index")
        remark = scaled(figures, tool, "index", size)
        lines.append(
            compare(f"index cold: {name} / ldb", times, limit, "×", size, wanted, True, remark)
        )
    return [*lines, compare("instance / its JSON files", share, 45, " %", size, wanted)]


def _again(figures: Figures, size: int) -> list[Verdict]:
    again = figures.get("ldb", "index_again", size)
    walk = figures.get("parallel-walk", "index_again", size)
    times = again.wall() / walk.wall() if again and walk else None
    return [compare("index again: ldb / parallel walk", times, 1.2, "×", size, MILLION)]


def _add(figures: Figures, size: int, where: str) -> list[Verdict]:
    """Of `commit_passing`: the two commands together, and each."""
    result = figures.get("ldb", "commit_passing", size)
    add = commit = both = None
    if result:
        add, commit = result.wall("add"), result.wall("commit")
        both = statistics.median(turn["add"].wall + turn["commit"].wall for turn in result.steps)
    remark = f" = add {add:.2f} + commit {commit:.2f}" if add and commit else ""
    name = f"add from query (all pass) and commit{where}"
    return [compare(name, both, 1.5, " s", size, MILLION, remark=remark)]


def _instantiate(figures: Figures, size: int) -> list[Verdict]:
    return [
        compare(
            f"instantiate, {name}: ldb / {program}",
            ratio(figures, size, "ldb", tool, operation),
            1.3,
            "×",
            size,
            HUNDRED_THOUSAND,
        )
        for name, program, tool, operation in (
            ("hard links", "cp -rl", "floor", "link_out"),
            ("hard links", "cp -rl and cp -r", "link-and-copy", "link_out"),
            ("hard links, no annotations", "cp -rl", "floor", "link_images"),
            ("copies", "cp -r", "floor", "copy_out"),
        )
    ]
