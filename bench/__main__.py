"""The command: `python -m bench [SIZE…] [options]`.

Exit codes: 0 all was measured and all counts agree; 1 a count is wrong, or ldb failed or is
missing. Peers that are absent or fail are reported, and do not fail the run. Missed targets
do so with `--strict` only, because figures of a busy machine are no proof.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence

from bench import report as reporting
from bench.generate import DataSet, make, parse_size, show_size
from bench.operations import OPERATIONS
from bench.places import RESULTS, only_bench, work
from bench.rounds import Figures, Plan, Result, run_size
from bench.synthetic import MapFigures, measure_map
from bench.tool import Absent, Tool
from bench.tools import TOOLS
from bench.venvs import installed


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sizes", nargs="*", metavar="SIZE", help="as in: 1k 10k 100k 1M")
    parser.add_argument("--maps", nargs="+", default=[], metavar="ROWS", help="synthetic maps: 1M")
    parser.add_argument(
        "--annotations", nargs="+", default=[], metavar="N", help="instances without files: 10M"
    )
    parser.add_argument("--runs", type=int, default=3, help="turns of every operation (3)")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds (60); see rounds.py")
    parser.add_argument("--tools", type=_names, help="comma-separated; default: all")
    parser.add_argument("--operations", type=_names, help="comma-separated; default: all")
    parser.add_argument("--cap", action="append", default=[], metavar="TOOL=SIZE")
    parser.add_argument("--strict", action="store_true", help="a missed target fails the run")
    parser.add_argument("--keep", action="store_true", help="leave the tools' folders behind")
    return parser.parse_args(argv)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


def _caps(options: Sequence[str]) -> dict[str, int]:
    caps = {tool.name: tool.cap for tool in TOOLS if tool.cap}
    for option in options:
        name, _, size = option.partition("=")
        caps[name] = parse_size(size)
    return caps


def _chosen(names: frozenset[str] | None) -> list[type[Tool]]:
    unknown = (names or frozenset()) - {tool.name for tool in TOOLS}
    if unknown:
        raise SystemExit(f"no such tool: {', '.join(sorted(unknown))}")
    return [tool for tool in TOOLS if names is None or tool.name in names]


def _plan(arguments: argparse.Namespace) -> Plan:
    every = frozenset(operation.name for operation in OPERATIONS)
    unknown = (arguments.operations or frozenset()) - every
    if unknown:
        raise SystemExit(f"no such operation: {', '.join(sorted(unknown))}; there are {every}")
    return Plan(arguments.runs, arguments.patience, arguments.operations or every)


def _run_files(
    sizes: list[int], chosen: list[type[Tool]], caps: dict[str, int], plan: Plan
) -> tuple[list[Result], dict[str, str], dict[str, str]]:
    """All results over files; versions of the tools that ran; reasons of those that did not."""
    results: list[Result] = []
    versions: dict[str, str] = {}
    absent: dict[str, str] = {}
    # A capped tool needs its cap as a size of its own to be scaled from.
    needed = {size: {t for t in chosen if size <= caps.get(t.name, size)} for size in sizes}
    for tool_type in chosen:
        cap = caps.get(tool_type.name)
        if cap and sizes and cap < max(sizes) and cap not in sizes:
            needed.setdefault(cap, set()).add(tool_type)
    for size in sorted(needed):
        data = make(work() / "data", size)
        kinds = [t for t in chosen if t in needed[size] and t.name not in absent]
        results += _run_tools(data, kinds, versions, absent, plan)
        data.restore()
    return results, versions, absent


def _run_tools(
    data: DataSet,
    kinds: Sequence[type[Tool]],
    versions: dict[str, str],
    absent: dict[str, str],
    plan: Plan,
) -> list[Result]:
    tools = []
    for kind in kinds:
        tool = kind(data, work() / "tools" / data.root.parent.name / show_size(data.count))
        try:
            versions[tool.name] = tool.version()
            tools.append(tool)
        except Absent as reason:
            absent[tool.name] = str(reason)
    results = run_size(data, tools, plan)
    for tool in tools:
        tool.clear()
    return results


def _run_annotations(
    sizes: list[int],
    names: frozenset[str] | None,
    versions: dict[str, str],
    absent: dict[str, str],
    plan: Plan,
) -> list[Result]:
    """All results over annotations that have no files."""
    # They are made by the library itself, which nothing else here imports.
    from bench.synthetic_annotations import make_annotations
    from bench.tools.no_files import OPERATIONS as POSSIBLE
    from bench.tools.no_files import TOOLS as ABLE

    kinds = [kind for kind in ABLE if names is None or kind.name in names]
    python = None
    if any(kind.name != "ldb" for kind in kinds):
        try:
            python = installed("duckdb", "duckdb")[0] / "python"
        except Absent as reason:
            absent["duckdb"] = str(reason)
            kinds = [kind for kind in kinds if kind.name == "ldb"]
    results = []
    able = Plan(plan.runs, plan.patience, plan.operations & POSSIBLE)
    for size in sizes:
        try:
            data = make_annotations(work() / "annotations", size, python)
            data.warm()
            results += _run_tools(data, kinds, versions, absent, able)
        except Exception as error:  # noqa: BLE001  the rest of the report is still wanted
            absent[f"ldb on {show_size(size)} annotations without files"] = str(error)
    return results


def _run_maps(rows: list[int], runs: int, absent: dict[str, str]) -> list[MapFigures]:
    figures = []
    for count in rows:
        try:
            figures.append(measure_map(count, work() / "tools", runs))
        except Exception as error:  # noqa: BLE001  the rest of the report is still wanted
            absent[f"ldb map of {show_size(count)} rows"] = str(error)
    return figures


def main(argv: Sequence[str]) -> int:
    """Run the bench, print and save its report; returns the exit code."""
    arguments = _arguments(argv)
    sizes = [parse_size(text) for text in arguments.sizes]
    if not (sizes or arguments.maps or arguments.annotations):
        sizes = [parse_size(text) for text in ("1k", "10k", "100k")]
    chosen, plan = _chosen(arguments.tools), _plan(arguments)
    with only_bench():
        return _bench(sizes, chosen, plan, arguments)


def _bench(
    sizes: list[int], chosen: list[type[Tool]], plan: Plan, arguments: argparse.Namespace
) -> int:
    results, versions, absent = _run_files(sizes, chosen, _caps(arguments.cap), plan)
    without = sorted(parse_size(text) for text in arguments.annotations)
    synthetic = _run_annotations(without, arguments.tools, versions, absent, plan)
    maps = _run_maps([parse_size(text) for text in arguments.maps], plan.runs, absent)
    report = reporting.Report(
        figures=Figures(results),
        sizes=sizes,
        versions=versions,
        absent=absent,
        maps=maps,
        runs=plan.runs,
        synthetic=Figures(synthetic),
    )
    if not arguments.keep:
        shutil.rmtree(work() / "tools", ignore_errors=True)
    print(reporting.text(report))
    print(f"\nsaved: {reporting.save(report, RESULTS)} and .md beside it", file=sys.stderr)
    return int(_failed(report, arguments.strict))


def _failed(report: reporting.Report, strict: bool) -> bool:
    ours = [text for text in report.failures() if text.startswith("ldb at ")]
    missing = [name for name in report.absent if name == "ldb" or name.startswith("ldb ")]
    missed = [v for v in report.verdicts() if v.word == "FAIL"] if strict else []
    return bool(report.mismatches() or ours or missing or missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
