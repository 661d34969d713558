"""How a selection was evaluated, in words: what `ldb list --explain` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ldb.cli.output import visible
from ldb.cli.showing import plural

if TYPE_CHECKING:
    from ldb.query.asking import FilterTrace
    from ldb.query.columnar.outcome import Step


def explanation(total: int, traces: Sequence[FilterTrace]) -> Iterator[str]:
    """Lines about each filter that ran; `total` objects were left at the end."""
    for trace in traces:
        value = "" if trace.text == "True" else f" {visible(trace.text)}"
        yield f"--{trace.kind}{value}"
        yield f"  {trace.rows_in:,} -> {plural(trace.rows_out, 'object')}, {trace.seconds:.3f} s"
        if trace.packs:
            blobs = f"{trace.blobs:,} {_things(trace)} in {plural(trace.packs, 'pack')}"
            yield f"  column-wise: {blobs}; {trace.bytes_read:,} bytes of columns read"
        if trace.made:
            yield f"  column files that were missing and have been made: {trace.made}"
        if trace.by_row:
            yield f"  row by row: {plural(trace.by_row, 'object')} ({trace.why})"
        yield from (f"  {_step(step)}" for step in trace.steps)
    yield f"{plural(total, 'data object')} selected"


def _things(trace: FilterTrace) -> str:
    return "annotations" if trace.kind in ("query", "jquery", "vquery") else "records"


def _step(step: Step) -> str:
    line = f"    {visible(step.expression)}: {step.how}"
    if step.rows:
        line += f", {plural(step.rows, 'value')}"
    return line + (f" ({step.why})" if step.why else "")


def explanation_json(total: int, traces: Sequence[FilterTrace]) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "objects": total,
        "filters": [
            {
                "filter": trace.kind,
                "value": trace.text,
                "in": trace.rows_in,
                "out": trace.rows_out,
                "seconds": round(trace.seconds, 6),
                "columns": {
                    "blobs": trace.blobs,
                    "packs": trace.packs,
                    "bytes": trace.bytes_read,
                    "made": trace.made,
                },
                "by_row": {"objects": trace.by_row, "why": trace.why if trace.by_row else ""},
                "steps": [
                    {
                        "expression": step.expression,
                        "how": step.how,
                        "why": step.why,
                        "values": step.rows,
                    }
                    for step in trace.steps
                ],
            }
            for trace in traces
        ],
    }
