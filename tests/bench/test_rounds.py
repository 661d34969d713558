"""Turns, counts, scaling and verdicts, with the tools that every machine has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.generate import make
from bench.measure import Cost
from bench.report import Report, text
from bench.rounds import Figures, Plan, Result, run_size
from bench.targets import verdicts
from bench.tool import Tool, Work
from bench.tools.floors import Floor, LinkAndCopy
from bench.tools.git import Git
from bench.tools.ldb import Ldb

ONCE = Plan(runs=1)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_and_the_floors_count_what_they_must(tmp_path: Path) -> None:
    data = make(tmp_path / "data", 200)
    tools = [Git(data, tmp_path / "tools"), Floor(data, tmp_path / "tools")]
    report = Report(
        Figures(run_size(data, tools, ONCE)), [200], {t.name: t.version() for t in tools}, {}, [], 1
    )
    assert report.failures() == []
    assert report.mismatches() == []
    assert "index, cold" in text(report)
    diff = report.figures.get("git", "diff", 200)
    assert diff is not None
    assert diff.count == 100
    nested = report.figures.get("floor", "query-nested", 200)
    assert nested is not None
    assert nested.count


def test_what_is_linked_and_what_is_a_file_of_its_own(tmp_path: Path) -> None:
    data = make(tmp_path / "data", 30)
    tools = [kind(data, tmp_path / "tools") for kind in (Ldb, Floor, LinkAndCopy)]
    plan = Plan(runs=1, operations=frozenset({"index", "commit_all", "link_out", "link_images"}))
    report = Report(Figures(run_size(data, tools, plan)), [30], {}, {}, [], 1)
    assert (report.failures(), report.mismatches()) == ([], [])

    def links(tool: Tool, number: int, suffix: str) -> set[bool]:
        """Whether the files that an operation left are the stored ones themselves."""
        made = list((tool.work / f"out{number}").rglob(f"*{suffix}"))
        stored = {path.stat().st_ino for path in data.files.rglob(f"*{suffix}")}
        assert len(made) in (0, 30)
        return {path.stat().st_ino in stored for path in made}

    ours, plain, fair = tools
    assert [links(each, 0, ".png") for each in tools] == [{True}] * 3
    assert [links(each, 0, ".json") for each in tools] == [{False}, {True}, {False}]
    assert [links(each, 1, ".png") for each in (ours, plain)] == [{True}] * 2
    assert [links(each, 1, ".json") for each in (ours, plain)] == [set()] * 2
    assert not (fair.work / "out1").exists()


class Miscounting(Floor):
    """A floor that finds one image too many."""

    name = "miscounting"

    def index(self, turn: int) -> Work:
        return Work(super().index(turn).steps, lambda printed: int(printed) + 1)


class Broken(Floor):
    """A floor whose index fails."""

    name = "broken"

    def index(self, turn: int) -> Work:
        return Work([self.step("false")])


def test_wrong_counts_and_failures_are_reported(tmp_path: Path) -> None:
    data = make(tmp_path / "data", 100)
    tools = [Miscounting(data, tmp_path / "tools"), Broken(data, tmp_path / "tools")]
    plan = Plan(runs=1, operations=frozenset({"index", "query-string"}))
    report = Report(Figures(run_size(data, tools, plan)), [100], {"broken": "1"}, {}, [], 1)
    assert report.mismatches() == ["miscounting at 100, index: counted 101, not 100"]
    assert len(report.failures()) == 1
    assert "`false` ended with 1" in report.failures()[0]
    assert report.figures.get("broken", "query-string", 100) is None


def result(tool: str, operation: str, size: int, wall: float) -> Result:
    return Result(tool, operation, size, turns=[Cost(wall, wall, 10, 20)])


def test_a_capped_tool_is_scaled_beyond_its_start_up() -> None:
    figures = Figures(
        [
            result("old", "startup", 1000, 0.5),
            result("old", "index", 1000, 2.5),
            Result("old", "diff", 1000),
            Result("other", "index", 100_000, failure="x"),
        ]
    )
    assert figures.wall("old", "index", 1000) == (2.5, 1000)
    assert figures.wall("old", "index", 100_000) == (0.5 + 200, 1000)
    assert figures.wall("old", "startup", 100_000) == (0.5, 1000)
    assert figures.wall("old", "diff", 100_000) is None
    assert figures.wall("other", "index", 100_000) is None


def test_a_promise_is_judged_only_at_its_size() -> None:
    def words(size: int, ldb: float) -> list[str]:
        figures = Figures(
            [result("ldb", "index", size, ldb), result("ldb-alpha", "index", size, 30.0)]
        )
        return [v.word for v in verdicts(figures, []) if v.promise.startswith("index cold: ldb-a")]

    assert words(100_000, 1.0) == ["pass"]
    assert words(100_000, 3.0) == ["FAIL"]
    assert words(1000, 1.0) == ["not judged"]
