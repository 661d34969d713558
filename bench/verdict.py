"""One line of the report's last table: a promise, its figure, its target, the word.

A promise about a size that was not run is shown at the largest size that was, without a
verdict: "not judged". Ratios compare whole processes measured in the same run.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.generate import show_size
from bench.rounds import Figures


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


def compare(
    promise: str,
    value: float | None,
    limit: float,
    unit: str,
    size: int,
    wanted: int | None,
    at_least: bool = False,
    remark: str = "",
) -> Verdict:
    """The line of a figure that must be at most (or at least) `limit`.

    `size` is the one it was measured at, `wanted` the smallest one that counts.
    """
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


def largest(wanted: int, sizes: list[int]) -> int:
    """The size to show: the promise's own where it was run, else the largest."""
    return wanted if wanted in sizes else sizes[-1]


def ratio(figures: Figures, size: int, a: str, b: str, operation: str) -> float | None:
    """How many times the seconds of tool `b` tool `a` took; scaled where it was capped."""
    over, under = figures.wall(a, operation, size), figures.wall(b, operation, size)
    return over[0] / under[0] if over and under else None


def scaled(figures: Figures, tool: str, operation: str, size: int) -> str:
    """A remark where the tool's figure is scaled from a smaller size."""
    found = figures.wall(tool, operation, size)
    return f" (scaled from {show_size(found[1])})" if found and found[1] != size else ""
