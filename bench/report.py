"""The report: a table a size, the promises, the remarks; as text, Markdown and JSON."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.generate import show_size
from bench.operations import OPERATIONS
from bench.rounds import INDEX_FAILED, Figures
from bench.speed import speed
from bench.synthetic import MapFigures
from bench.targets import verdicts
from bench.verdict import Verdict

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run: figures, tool versions (or why absent), map figures, those without files."""

    figures: Figures
    sizes: Sequence[int]
    versions: dict[str, str]
    absent: dict[str, str]
    maps: Sequence[MapFigures]
    runs: int
    synthetic: Figures = field(default_factory=lambda: Figures([]))

    def verdicts(self) -> list[Verdict]:
        """The promises of this run."""
        maps = list(self.maps)
        return verdicts(self.figures, maps) + speed(self.figures, self.synthetic, maps)

    def mismatches(self) -> list[str]:
        """Every count that is not what it must be."""
        return [
            f"{r.tool} at {show_size(r.size)}, {r.operation}: {r.mismatch}"
            for r in (*self.figures.results, *self.synthetic.results)
            if r.mismatch
        ]

    def failures(self) -> list[str]:
        """Every operation that ended with an error."""
        return [
            f"{r.tool} at {show_size(r.size)}, {r.operation}: {r.failure}"
            for r in (*self.figures.results, *self.synthetic.results)
            if r.failure and r.failure != INDEX_FAILED
        ]


def _seconds(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def wall_cell(figures: Figures, tool: str, operation: str, size: int) -> str:
    """Seconds, and how many times those of ldb; `~` when scaled from a smaller size."""
    found = figures.wall(tool, operation, size)
    if found is None:
        raw = figures.raw(tool, operation, size)
        return "failed" if raw is not None and raw.failure else "n/a"
    seconds, measured_at = found
    ours = figures.get("ldb", operation, size)
    ratio = f" ×{seconds / ours.wall():.2g}" if ours and tool != "ldb" else ""
    return ("~" if measured_at != size else "") + _seconds(seconds) + ratio


def _table(figures: Figures, cell: Callable[[str, str], str]) -> Rows:
    tools = list(dict.fromkeys(result.tool for result in figures.results))
    rows = [["", *tools]]
    for operation in OPERATIONS:
        cells = [cell(tool, operation.name) for tool in tools]
        if any(text != "n/a" for text in cells):
            rows.append([operation.title, *cells])
    return rows


def wall_table(figures: Figures, size: int) -> Rows:
    """Median wall seconds."""
    return _table(figures, lambda tool, operation: wall_cell(figures, tool, operation, size))


def plain_table(figures: Figures, size: int, what: str) -> Rows:
    """CPU seconds, memory or new bytes of what was measured at this very size."""

    def cell(tool: str, operation: str) -> str:
        result = figures.get(tool, operation, size)
        if result is None:
            return "n/a"
        if what == "cpu":
            return _seconds(result.cpu())
        if what == "memory":
            return f"{result.tree_mb():.0f} / {result.parent_mb():.0f}"
        if result.new_bytes is None or not operation.startswith(("index", "commit")):
            return "n/a"
        return f"{result.new_bytes / 1e6:.3f} MB, {result.stored_files}"

    return _table(figures, cell)


def _subjects(report: Report) -> list[tuple[str, Figures, int]]:
    """A title, the figures and the size of every table."""
    files = [
        (f"{show_size(size)} images with annotations", report.figures, size)
        for size in report.sizes
    ]
    without = [
        (f"{show_size(size)} annotations without files", report.synthetic, size)
        for size in report.synthetic.sizes()
    ]
    return files + without


def verdict_rows(report: Report) -> Rows:
    """The promises, a line each."""
    head = ["promise", "measured", "target", "at", "word"]
    return [head, *([v.promise, v.value, v.target, v.size, v.word] for v in report.verdicts())]


def map_rows(report: Report) -> Rows:
    """The synthetic maps, a line each."""
    head = [
        "rows",
        "build s",
        "del 100 + commit s",
        "commit s",
        "new MB",
        "diff s",
        "bytes/row",
        "MB",
    ]
    return [
        head,
        *(
            [
                show_size(m.rows),
                _seconds(m.build),
                _seconds(m.change),
                _seconds(m.commit_alone),
                f"{m.new_megabytes:.2f}",
                _seconds(m.diff),
                f"{m.row_bytes:.1f}",
                f"{m.parent_mb:.0f}",
            ]
            for m in report.maps
        ),
    ]


def as_text(rows: Rows) -> str:
    """Columns aligned by spaces, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def as_markdown(rows: Rows) -> str:
    """A Markdown table."""
    safe = [[text.replace("|", "\\|") for text in row] for row in rows]
    rule = ["---", *["---:" for _ in rows[0][1:]]]
    return "\n".join("| " + " | ".join(row) + " |" for row in [safe[0], rule, *safe[1:]])


def remarks(report: Report) -> list[str]:
    """What a reader must know to believe the tables."""
    lines = [f"{name}: absent: {reason}" for name, reason in report.absent.items()]
    lines += [f"wrong count: {text}" for text in report.mismatches()]
    lines += [f"failed: {text}" for text in report.failures()]
    return lines


def notes(report: Report) -> Rows:
    """What each tool did for each operation, where that is not evident."""
    seen: dict[tuple[str, str], str] = {}
    for result in (*report.figures.results, *report.synthetic.results):
        if result.note:
            name = "query-*" if result.operation.startswith("query") else result.operation
            seen[result.tool, name] = result.note
    return [["tool", "operation", "what was run"], *([*key, text] for key, text in seen.items())]


def heading(report: Report) -> str:
    """What ran where."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return f"{machine()}; median of {report.runs}; {versions}"


def machine() -> str:
    """Processor, cores, memory, system, in one line."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line),
        platform.processor(),
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, {platform.system()} {platform.release()}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def text(report: Report) -> str:
    """What `make bench` prints."""
    parts = [heading(report)]
    for title, figures, size in _subjects(report):
        parts.append(
            f"\n{title}: median wall seconds, ×ldb; ~ scaled from a smaller size\n"
            + as_text(wall_table(figures, size))
        )
    if report.maps:
        parts.append("\nsynthetic dataset maps\n" + as_text(map_rows(report)))
    parts.append("\nit must reach\n" + as_text(verdict_rows(report)))
    parts.append(
        "\n" + "\n".join(remarks(report) or ["all counts agree; nothing failed or absent"])
    )
    return "\n".join(parts)


def markdown(report: Report) -> str:
    """All tables."""
    parts = ["# Benchmark\n", heading(report)]
    for title, figures, size in _subjects(report):
        parts.append(f"\n## {title}\n")
        parts.append(f"Wall seconds\n\n{as_markdown(wall_table(figures, size))}\n")
        for what, title in (
            ("cpu", "CPU seconds"),
            ("memory", "Peak resident MB, all processes / the one started"),
            ("bytes", "New bytes, and files stored after it"),
        ):
            parts.append(f"{title}\n\n{as_markdown(plain_table(figures, size, what))}\n")
    if report.maps:
        parts.append(f"\n## Synthetic dataset maps\n\n{as_markdown(map_rows(report))}\n")
    parts.append(f"\n## It must reach\n\n{as_markdown(verdict_rows(report))}\n")
    parts.append(f"\n## What was run\n\n{as_markdown(notes(report))}\n")
    parts.append("\n".join(f"- {line}" for line in remarks(report)))
    return "\n".join(parts) + "\n"


def save(report: Report, folder: Path) -> Path:
    """Write `<time>.json` and `<time>.md`; returns the path of the JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.timezone.utc)
    path = folder / f"{now:%Y-%m-%d-%H%M%S}.json"
    record = {
        "time": now.isoformat(),
        "machine": machine(),
        "python": platform.python_version(),
        "runs": report.runs,
        "versions": report.versions,
        "absent": report.absent,
        "results": [asdict(result) for result in report.figures.results],
        "without files": [asdict(result) for result in report.synthetic.results],
        "maps": [asdict(figure) for figure in report.maps],
        "verdicts": [asdict(verdict) for verdict in report.verdicts()],
    }
    path.write_text(json.dumps(record, indent=1))
    path.with_suffix(".md").write_text(markdown(report))
    return path
