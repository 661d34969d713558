"""Running operations tool by tool in turns, and what is kept of each.

Turns go round all tools before the next turn begins, each time starting with another tool,
so that a slow minute of the machine falls on all of them. Before each turn what others left to
be written is written out, and where files are read they are read once, so that no tool pays for
another or for an empty page cache. A tool whose first turn took longer
than the patience is not asked again for that operation, unless that changes the data.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.generate import DataSet
from bench.measure import CommandFailed, Cost, measure, stored
from bench.operations import OPERATIONS, Operation, judge
from bench.tool import Tool, Work

INDEX_FAILED = "its index failed"
"""Why a tool was not asked for anything more at a size."""


@dataclass(slots=True)
class Result:
    """What one tool did in one operation at one size."""

    tool: str
    operation: str
    size: int
    note: str = ""
    turns: list[Cost] = field(default_factory=list)
    steps: list[dict[str, Cost]] = field(default_factory=list)
    count: int | None = None
    failure: str = ""
    mismatch: str = ""
    new_bytes: int | None = None
    """Of the turn that added most: what is stored already is not stored again."""
    stored_bytes: int | None = None
    stored_files: int | None = None
    json_bytes: int | None = None
    """Sum of the sizes of the annotation files; for `index` only."""

    @property
    def measured(self) -> bool:
        """Whether there is a figure."""
        return bool(self.turns) and not self.failure

    def wall(self, step: str = "") -> float:
        """Median seconds of the whole operation or of one step of it."""
        if step:
            return statistics.median(turn[step].wall for turn in self.steps)
        return statistics.median(cost.wall for cost in self.turns)

    def cpu(self) -> float:
        """Median CPU seconds."""
        return statistics.median(cost.cpu for cost in self.turns)

    def tree_mb(self) -> float:
        """Largest resident megabytes of all processes together."""
        return max(cost.tree_mb for cost in self.turns)

    def parent_mb(self) -> float:
        """Largest resident megabytes of the process that was started."""
        return max(cost.parent_mb for cost in self.turns)


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how patiently."""

    runs: int = 3
    patience: float = 60.0
    operations: frozenset[str] = frozenset(operation.name for operation in OPERATIONS)


def run_size(data: DataSet, tools: Sequence[Tool], plan: Plan) -> list[Result]:
    """All operations of the plan with all tools, over one data set."""
    results: list[Result] = []
    lost: dict[str, str] = {}
    for operation in OPERATIONS:
        if operation.name in plan.operations:
            print(f"{data.count:>9,} · {operation.title}", file=sys.stderr, flush=True)
            batch = _run_operation(operation, data, tools, plan, lost)
            lost.update({r.tool: r.failure for r in batch if r.failure and r.operation == "index"})
            results.extend(batch)
    return results


def _run_operation(
    operation: Operation, data: DataSet, tools: Sequence[Tool], plan: Plan, lost: dict[str, str]
) -> list[Result]:
    results = {
        tool.name: Result(tool.name, operation.name, data.count, operation.note(tool))
        for tool in tools
    }
    for name in lost:
        results[name].failure = INDEX_FAILED
    active = [tool for tool in tools if tool.name not in lost]
    warm_ups = 1 if operation.warm else 0
    for turn in range(plan.runs + warm_ups):
        if operation.changes:
            data.change(data.revision() + 1)
        shift = turn % len(active) if active else 0
        for tool in active[shift:] + active[:shift]:
            kept = turn >= warm_ups
            seconds = _take_turn(operation, data, tool, turn, results[tool.name], kept)
            tired = seconds is not None and seconds > plan.patience and results[tool.name].turns
            # A tool that misses a change of the data would answer for the data before it.
            if seconds is None or (tired and not operation.changes):
                active = [other for other in active if other is not tool]
    return list(results.values())


def _take_turn(
    operation: Operation, data: DataSet, tool: Tool, turn: int, result: Result, kept: bool
) -> float | None:
    """One turn of one tool; its seconds, or None when there is nothing more to ask of it."""
    try:
        work = operation.start(tool, turn)
        if work is None:
            return None
        os.sync()
        if operation.reads:
            data.warm()
        before = _stored(tool)
        text, costs = _timed(work)
        if work.count:
            result.count = work.count(text)
    except (CommandFailed, ValueError, OSError) as error:
        result.failure = str(error)
        print(f"{'':>9}   {tool.name}: {error}", file=sys.stderr, flush=True)
        return None
    total = Cost.together(list(costs.values()))
    if kept:
        result.turns.append(total)
        result.steps.append(costs)
    if result.count is not None:
        result.mismatch = judge(operation, data, result.count) or result.mismatch
    _note_stored(tool, before, result)
    if operation.name == "index":
        result.json_bytes = result.json_bytes or data.json_bytes()
    return total.wall


def _timed(work: Work) -> tuple[str, dict[str, Cost]]:
    costs: dict[str, Cost] = {}
    text = ""
    for number, step in enumerate(work.steps):
        cost, output = measure(step)
        name = step.name or str(number)
        costs[name if name not in costs else f"{name} {number}"] = cost
        text += output
    return text, costs


def _stored(tool: Tool) -> tuple[int, int]:
    folder = tool.state()
    return stored(folder) if folder is not None and folder.exists() else (0, 0)


def _note_stored(tool: Tool, before: tuple[int, int], result: Result) -> None:
    if tool.state() is None:
        return
    result.stored_bytes, result.stored_files = _stored(tool)
    result.new_bytes = max(result.stored_bytes - before[0], result.new_bytes or 0)


class Figures:
    """All results of a run, looked up by tool, operation and size."""

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = list(results)
        self._by_key = {(r.tool, r.operation, r.size): r for r in results}

    def get(self, tool: str, operation: str, size: int) -> Result | None:
        """The result, when there is one with a figure."""
        result = self._by_key.get((tool, operation, size))
        return result if result is not None and result.measured else None

    def raw(self, tool: str, operation: str, size: int) -> Result | None:
        """The result, also when it is a failure or nothing."""
        return self._by_key.get((tool, operation, size))

    def sizes(self, tool: str | None = None, operation: str | None = None) -> list[int]:
        """Sizes with figures, smallest first."""
        return sorted(
            {
                r.size
                for r in self.results
                if r.measured and tool in (None, r.tool) and operation in (None, r.operation)
            }
        )

    def wall(self, tool: str, operation: str, size: int) -> tuple[float, int] | None:
        """Seconds at `size` and the size they were measured at.

        A tool that was not run at this size is scaled from its largest smaller one: what it
        takes beyond its start-up grows in proportion, its start-up does not.
        """
        exact = self.get(tool, operation, size)
        if exact:
            return exact.wall(), size
        if self.raw(tool, operation, size):
            return None  # It was asked, and has none or failed: nothing to scale.
        smaller = [s for s in self.sizes(tool, operation) if s < size]
        if not smaller:
            return None
        largest = self._by_key[tool, operation, smaller[-1]]
        start = self.get(tool, "startup", smaller[-1])
        fixed = min(start.wall(), largest.wall()) if start else 0.0
        if operation == "startup":
            return largest.wall(), smaller[-1]
        return fixed + (largest.wall() - fixed) * size / smaller[-1], smaller[-1]
