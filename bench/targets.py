"""What LDB promises, each with the figure of this run beside its target.

A promise about a size that was not run is shown at the largest size that was, without a
verdict: "not judged". Ratios compare whole processes measured in the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.generate import show_size
from bench.rounds import Figures
from bench.synthetic import MapFigures

BARE_PYTHON = 0.015
"""Seconds of `python -c pass` for which the start-up targets are written."""

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise: what was measured, at which size, the target, and the word."""

    promise: str
    value: str
    target: str
    size: str
    word: str


def _word(passed: bool, judged: bool) -> str:
    if not judged:
        return "not judged"
    return "pass" if passed else "FAIL"


def _compare(
    promise: str,
    value: float | None,
    limit: float,
    unit: str,
    size: int,
    wanted: int | None,
    at_least: bool = False,
    remark: str = "",
) -> Verdict:
    sign = "≥" if at_least else "≤"
    target = f"{sign} {limit:g}{unit}"
    if value is None:
        return Verdict(promise, "no figure", target, show_size(size) if size else "", "not judged")
    passed = value >= limit if at_least else value <= limit
    judged = wanted is None or size >= wanted
    where = show_size(size) if size else ""
    if not judged and wanted:
        where += f" (target: {show_size(wanted)})"
    shown = f"{value:.3g}{unit}" if value < 1000 else f"{value:,.0f}{unit}"
    return Verdict(promise, shown + remark, target, where, _word(passed, judged))


def verdicts(figures: Figures, maps: list[MapFigures]) -> list[Verdict]:
    """All promises, in the order they are written down."""
    sizes = figures.sizes("ldb")
    lines: list[Verdict] = []
    if sizes:
        lines += _index(figures, _at(100_000, sizes)) + _startup(figures, sizes[-1])
        lines += _store(figures, _at(MILLION, sizes))
    return lines + [line for figure in maps for line in _maps(figure)]


def _at(wanted: int, sizes: list[int]) -> int:
    """The size to show: the promise's own where it was run, else the largest."""
    return wanted if wanted in sizes else sizes[-1]


def _ratio(figures: Figures, size: int, a: str, b: str, operation: str) -> float | None:
    over, under = figures.wall(a, operation, size), figures.wall(b, operation, size)
    return over[0] / under[0] if over and under else None


def _index(figures: Figures, size: int) -> list[Verdict]:
    alpha = figures.wall("ldb-alpha", "index", size)
    scaled = f" (scaled from {show_size(alpha[1])})" if alpha and alpha[1] != size else ""
    wanted = 100_000
    return [
        _compare(
            "index cold: ldb-alpha / ldb",
            _ratio(figures, size, "ldb-alpha", "ldb", "index"),
            15,
            "×",
            size,
            wanted,
            at_least=True,
            remark=scaled,
        ),
        _compare(
            "index cold: ldb / two-process loop",
            _ratio(figures, size, "ldb", "floor", "index"),
            2.5,
            "×",
            size,
            wanted,
        ),
        _compare(
            "index again: (ldb - ldb --help) / (walk with stat - python -c pass)",
            _beyond_startup(figures, size),
            1.5,
            "×",
            size,
            wanted,
        ),
        _compare("index again: ldb / git status", _git_status(figures, size), 5, "×", size, wanted),
    ]


def _beyond_startup(figures: Figures, size: int) -> float | None:
    again = figures.get("ldb", "index_again", size)
    start = figures.get("ldb", "startup", size)
    walk = figures.get("floor", "index_again", size)
    bare = figures.get("floor", "startup", size)
    if not (again and start and walk and bare):
        return None
    return (again.wall() - start.wall()) / max(walk.wall() - bare.wall(), 1e-3)


def _git_status(figures: Figures, size: int) -> float | None:
    again, status = figures.get("ldb", "index_again", size), figures.get("git", "status", size)
    return again.wall() / status.wall() if again and status else None


def _startup(figures: Figures, size: int) -> list[Verdict]:
    bare = figures.get("floor", "startup", size)
    lines = []
    for name, operation, limit in (
        ("ldb --help", "startup", 0.12),
        ("ldb status", "status", 0.2),
    ):
        result = figures.get("ldb", operation, size)
        remark = f" = {result.wall():.3f} s" if result else ""
        ratio = result.wall() / bare.wall() if result and bare else None
        lines.append(
            _compare(
                f"{name} / python -c pass",
                ratio,
                round(limit / BARE_PYTHON, 1),
                "×",
                size,
                None,
                remark=remark,
            )
        )
    return lines


def _store(figures: Figures, size: int) -> list[Verdict]:
    index = figures.get("ldb", "index", size)
    files = float(index.stored_files) if index and index.stored_files else None
    memory = [
        result.parent_mb()
        for name in ("index", "commit_all", "commit_100", "list_all")
        if (result := figures.get("ldb", name, size))
    ]
    commit = figures.get("ldb", "commit_all", size)
    row = commit.new_bytes / size if commit and commit.new_bytes else None
    return [
        *(
            _compare(f"commit 100 changes: {what}", seconds, 1, " s", size, MILLION)
            for what, seconds in (
                ("add, del and commit", _wall(figures, "commit_100", size)),
                ("commit alone", _wall(figures, "commit_100", size, "commit")),
            )
        ),
        _compare(
            "commit 100 changes: new bytes", _megabytes(figures, size), 2, " MB", size, MILLION
        ),
        _compare("diff of those two", _wall(figures, "diff", size), 0.5, " s", size, MILLION),
        _compare(
            "memory of the parent: index, commit, list",
            max(memory, default=None),
            700,
            " MB",
            size,
            MILLION,
        ),
        _compare("files of an instance after one index", files, 49, "", size, MILLION),
        _compare("dataset map, bytes a row on disk", row, 70, "", size, 100_000),
    ]


def _wall(figures: Figures, operation: str, size: int, step: str = "") -> float | None:
    result = figures.get("ldb", operation, size)
    return result.wall(step) if result else None


def _megabytes(figures: Figures, size: int) -> float | None:
    result = figures.get("ldb", "commit_100", size)
    return result.new_bytes / 1e6 if result and result.new_bytes is not None else None


def _maps(figure: MapFigures) -> list[Verdict]:
    rows = f"synthetic map of {show_size(figure.rows)}"
    megabytes = 2 if figure.rows <= MILLION else 3
    line: Callable[..., Verdict] = _compare
    # Nothing is promised of memory beyond a million rows; the table has the figure.
    memory = (
        [line(f"{rows}: memory of the parent", figure.parent_mb, 700, " MB", figure.rows, MILLION)]
        if figure.rows <= MILLION
        else []
    )
    return [
        line(f"{rows}: commit 100, del + commit", figure.change, 1, " s", figure.rows, MILLION),
        line(f"{rows}: new bytes", figure.new_megabytes, megabytes, " MB", figure.rows, MILLION),
        line(f"{rows}: diff", figure.diff, 0.5, " s", figure.rows, MILLION),
        line(f"{rows}: bytes a row", figure.row_bytes, 70, "", figure.rows, MILLION),
        *memory,
    ]
