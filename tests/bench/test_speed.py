"""Promises of speed: which figure of a run is held against which target."""

from __future__ import annotations

from bench.measure import Cost
from bench.rounds import Figures, Result
from bench.speed import speed
from bench.synthetic import MapFigures
from bench.verdict import Verdict

MILLION = 1_000_000


def result(tool: str, operation: str, size: int, wall: float, memory: float = 20) -> Result:
    return Result(tool, operation, size, turns=[Cost(wall, wall, 10, memory)])


def words(lines: list[Verdict]) -> dict[str, str]:
    return {line.promise: line.word for line in lines}


def test_queries_are_held_against_seconds_duckdb_and_the_predecessor() -> None:
    def judged(ours: float) -> dict[str, str]:
        figures = Figures(
            [
                result("ldb", "query-string", MILLION, ours),
                result("ldb", "query-nested", MILLION, 2 * ours),
                result("duckdb", "query-string", MILLION, 0.3),
                result("ldb-alpha", "query-string", 10_000, 1.5),
            ]
        )
        return words(speed(figures, Figures([]), []))

    quick, slow = judged(0.4), judged(0.7)
    assert quick["query string, count"] == "pass"
    assert slow["query string, count"] == "FAIL"
    assert quick["query nested, count"] == "pass"
    assert slow["query nested, count"] == "FAIL"
    assert quick["query string: ldb / duckdb on Parquet"] == "pass"
    assert slow["query string: ldb / duckdb on Parquet"] == "FAIL"
    assert quick["query string: ldb-alpha / ldb"] == "pass"
    assert slow["query string: ldb-alpha / ldb"] == "FAIL"
    assert quick["query length, count"] == "not judged"


def test_ten_million_are_held_against_time_and_memory_of_all_processes() -> None:
    def judged(wall: float, memory: float) -> list[str]:
        figures = Figures([result("ldb", "query-length", 10 * MILLION, wall, memory)])
        lines = words(speed(Figures([]), figures, []))
        name = "query length (no files)"
        return [lines[f"{name}, count"], lines[f"{name}: memory, all processes"]]

    assert judged(2.9, 1400) == ["pass", "pass"]
    assert judged(3.1, 1600) == ["FAIL", "FAIL"]


def test_a_million_without_files_is_not_taken_for_ten() -> None:
    figures = Figures([result("ldb", "query-length", MILLION, 0.5)])
    lines = words(speed(Figures([]), figures, []))
    assert lines["query length (no files), count"] == "not judged"
    assert lines["query length, count"] == "pass"


def test_add_and_commit_are_shown_together_and_apart() -> None:
    added = result("ldb", "commit_passing", MILLION, 1.7)
    added.steps = [
        {"stage": Cost(0.3, 0, 0, 0), "add": Cost(0.9, 0, 0, 0), "commit": Cost(0.5, 0, 0, 0)}
    ]
    lines = speed(Figures([added]), Figures([]), [])
    (line,) = [each for each in lines if each.promise.startswith("add from query")]
    assert line.word == "pass"
    assert line.value == "1.4 s = add 0.90 + commit 0.50"


def test_indexing_and_writing_out_are_held_against_the_floors() -> None:
    size = 100_000
    index = result("ldb", "index", size, 2.0)
    index.stored_bytes, index.json_bytes = 46, 100
    figures = Figures(
        [
            index,
            result("floor", "index", size, 1.6),
            result("git", "index", size, 1.9),
            result("ldb", "link_out", size, 1.2),
            result("floor", "link_out", size, 1.0),
            result("link-and-copy", "link_out", size, 0.9),
            result("ldb", "link_images", size, 0.7),
            result("floor", "link_images", size, 0.6),
            result("ldb", "copy_out", size, 1.4),
            result("floor", "copy_out", size, 1.0),
            result("ldb", "index_again", MILLION, 1.1),
            result("floor", "index_again", MILLION, 0.1),
            result("parallel-walk", "index_again", MILLION, 1.0),
        ]
    )
    lines = words(speed(figures, Figures([]), []))
    assert lines["index cold: ldb / two-process loop"] == "pass"
    assert lines["index cold: git add / ldb"] == "FAIL"
    assert lines["index cold: dvc add / ldb"] == "not judged"
    assert lines["instance / its JSON files"] == "FAIL"
    assert lines["index again: ldb / parallel walk"] == "pass"
    assert lines["instantiate, hard links: ldb / cp -rl"] == "pass"
    assert lines["instantiate, hard links: ldb / cp -rl and cp -r"] == "FAIL"
    assert lines["instantiate, hard links, no annotations: ldb / cp -rl"] == "pass"
    assert lines["instantiate, copies: ldb / cp -r"] == "FAIL"


def test_diff_of_large_maps() -> None:
    def judged(rows: int, seconds: float) -> list[str]:
        figure = MapFigures(rows, 1, 1, 1, 1, seconds, 50, 300)
        return [line.word for line in speed(Figures([]), Figures([]), [figure])]

    assert judged(10 * MILLION, 0.29) == ["pass"]
    assert judged(10 * MILLION, 0.31) == ["FAIL"]
    assert judged(MILLION, 0.29) == []
