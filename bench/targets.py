"""What LDB promises of storing and of starting, each with its figure beside its target."""

from __future__ import annotations

from collections.abc import Callable

from bench.generate import MILLION, show_size
from bench.rounds import Figures
from bench.synthetic import MapFigures
from bench.verdict import Verdict, compare, largest, ratio, scaled

BARE_PYTHON = 0.015
"""Seconds of `python -c pass` for which the start-up targets are written."""


def verdicts(figures: Figures, maps: list[MapFigures]) -> list[Verdict]:
    """All promises, in the order they are written down."""
    sizes = figures.sizes("ldb")
    lines: list[Verdict] = []
    if sizes:
        lines += _index(figures, largest(100_000, sizes)) + _startup(figures, sizes[-1])
        lines += _store(figures, largest(MILLION, sizes))
    return lines + [line for figure in maps for line in _maps(figure)]


def _index(figures: Figures, size: int) -> list[Verdict]:
    wanted = 100_000
    return [
        compare(
            "index cold: ldb-alpha / ldb",
            ratio(figures, size, "ldb-alpha", "ldb", "index"),
            15,
            "×",
            size,
            wanted,
            at_least=True,
            remark=scaled(figures, "ldb-alpha", "index", size),
        ),
        compare(
            "index cold: ldb / two-process loop",
            ratio(figures, size, "ldb", "floor", "index"),
            2.5,
            "×",
            size,
            wanted,
        ),
        compare(
            "index again: (ldb - ldb --help) / (walk with stat - python -c pass)",
            _beyond_startup(figures, size),
            1.5,
            "×",
            size,
            wanted,
        ),
        compare("index again: ldb / git status", _git_status(figures, size), 5, "×", size, wanted),
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
        times = result.wall() / bare.wall() if result and bare else None
        lines.append(
            compare(
                f"{name} / python -c pass",
                times,
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
            compare(f"commit 100 changes: {what}", seconds, 1, " s", size, MILLION)
            for what, seconds in (
                ("add, del and commit", _wall(figures, "commit_100", size)),
                ("commit alone", _wall(figures, "commit_100", size, "commit")),
            )
        ),
        compare(
            "commit 100 changes: new bytes", _megabytes(figures, size), 2, " MB", size, MILLION
        ),
        compare("diff of those two", _wall(figures, "diff", size), 0.5, " s", size, MILLION),
        compare(
            "memory of the parent: index, commit, list",
            max(memory, default=None),
            700,
            " MB",
            size,
            MILLION,
        ),
        compare("files of an instance after one index", files, 49, "", size, MILLION),
        compare("dataset map, bytes a row on disk", row, 70, "", size, 100_000),
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
    line: Callable[..., Verdict] = compare
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
