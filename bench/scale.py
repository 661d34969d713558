"""Cost against size: `python -m bench.scale [SIZE…]`, or `make bench-scale SIZES="1k 10k 100k"`.

Measures LDB alone, each operation at each size, over real files where there are some (up to
`--files-to`, and wherever a bench has made them before), beyond that over annotations that have
none, which leaves out what reads files. Draws docs/growth.svg, prints the exponents, and saves
the points. How exponents are fitted: growth.py.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.chart import svg
from bench.generate import DataSet, exists, make, parse_size, show_size
from bench.growth import BASE, Growth, Point, growth
from bench.places import RESULTS, only_bench, work
from bench.report import as_text, machine
from bench.rounds import Figures, Plan, run_size
from bench.tool import Tool
from bench.tools.ldb import Ldb

PICTURE = Path(__file__).parent.parent / "docs" / "growth.svg"

TITLES = {
    "index": "index, cold",
    "index_again": "index again, nothing changed",
    "index_changed": "index again, 100 changed",
    "status": "status",
    "query-string": "query, scalar",
    "query-nested": "query, nested",
    "list_all": "list all",
    "commit_all": "add all, commit",
    "commit_100": "commit 100 changes",
    "diff": "diff of 100 changes",
    "link_out": "instantiate, hard links",
    "copy_out": "instantiate, copies",
}
"""Operations in the order of the panels."""


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("sizes", nargs="*", metavar="SIZE", help="default: 1k 10k 100k")
    parser.add_argument("--runs", type=int, default=3, help="turns of every operation (3)")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds (30); see rounds.py")
    parser.add_argument("--files-to", type=parse_size, default=100_000, metavar="SIZE")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="docs/growth.svg")
    return parser.parse_args(argv)


def measure_size(size: int, files: bool, plan: Plan) -> Figures:
    """All operations of the plan at one size; raises where one fails or counts wrongly."""
    folder = work() / "tools" / "scale" / show_size(size)
    data: DataSet
    if files:
        data = make(work() / "data", size)
        tool: Tool = Ldb(data, folder)
    else:
        from bench.synthetic_annotations import make_annotations
        from bench.tools.no_files import OPERATIONS, LdbWithoutFiles

        made = make_annotations(work() / "annotations", size, None)
        made.warm()
        data, tool = made, LdbWithoutFiles(made, folder)
        plan = Plan(plan.runs, plan.patience, plan.operations & OPERATIONS)
    try:
        results = run_size(data, [tool], plan)
    finally:
        data.restore()
        shutil.rmtree(folder, ignore_errors=True)
    for result in results:
        if result.failure or result.mismatch:
            raise SystemExit(f"{result.operation}: {result.failure or result.mismatch}")
    return Figures(results)


def growths(measured: dict[int, tuple[Figures, bool]]) -> list[Growth]:
    """Each operation, from the figures by size, those of `BASE` among them."""
    base = measured[BASE][0]
    lines = []
    for name, title in TITLES.items():
        start = base.get("ldb", name, BASE)
        assert start is not None
        points = [
            Point(size, result.wall(), files)
            for size, (figures, files) in sorted(measured.items())
            if size != BASE and (result := figures.get("ldb", name, size))
        ]
        lines.append(growth(name, title, start.wall(), points))
    return lines


def _table(lines: Sequence[Growth], sizes: Sequence[int]) -> str:
    rows = [["", "start-up", *map(show_size, sizes), "", "points"]]
    for each in lines:
        at = {point.size: point for point in each.points}
        cells = [
            f"{at[size].seconds:.3f}{'' if at[size].files else '*'}" if size in at else "n/a"
            for size in sizes
        ]
        used = str(each.fit.used) if each.fit else "-"
        rows.append([each.title, f"{each.start:.3f}", *cells, each.verdict, used])
    return as_text(rows) + "\n* over annotations without files"


def main(argv: Sequence[str]) -> int:
    """Measure, draw, print, save."""
    arguments = _arguments(argv)
    sizes = sorted({parse_size(text) for text in arguments.sizes or ("1k", "10k", "100k")})
    plan = Plan(arguments.runs, arguments.patience, frozenset(TITLES))
    measured: dict[int, tuple[Figures, bool]] = {}
    with only_bench():
        for size in (BASE, *sizes):
            files = size <= arguments.files_to or exists(work() / "data", size)
            measured[size] = (measure_size(size, files, plan), files)
    lines = growths(measured)
    moment = datetime.datetime.now(datetime.timezone.utc)
    subtitle = f"whole processes, median of {plan.runs}, caches warm; {machine()}"
    arguments.picture.write_text(svg(lines, subtitle))
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"growth-{moment:%Y-%m-%d-%H%M%S}.json"
    record = {
        "time": moment.isoformat(),
        "machine": machine(),
        "runs": plan.runs,
        "growth": [{**asdict(each), "verdict": each.verdict} for each in lines],
    }
    path.write_text(json.dumps(record, indent=1))
    print(_table(lines, sizes))
    print(f"\ndrawn: {arguments.picture}; saved: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
