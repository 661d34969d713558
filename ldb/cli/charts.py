"""Small pictures and numbers of distributions, as lines of text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ldb.cli.output import visible

_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LONGEST = 40
"""Characters of a value that are shown."""


def blocks(counts: Sequence[int]) -> str:
    """A histogram one line high; where there is nothing, a dot."""
    most = max(counts, default=0)
    return "".join(_LEVELS[-(-each * len(_LEVELS) // most) - 1] if each else "." for each in counts)


def bar(count: int, most: int, width: int) -> str:
    """A bar as long as `count` is of `most`, never quite nothing."""
    eighths = max(1, count * width * 8 // most) if count else 0
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def share(count: int, total: int) -> str:
    """Percent, more precisely where it is little."""
    if not total:
        return "-"
    part = count / total
    if 0 < part < 0.001:
        return "<0.1%"
    return f"{part:.1%}" if 0 < part < 0.0995 or 0.995 <= part < 1 else f"{part:.0%}"


def number(value: float) -> str:
    """A few digits of a number; integers whole, unless they are very long."""
    if isinstance(value, int) and abs(value) < 10**15:
        return f"{value:,}"
    return f"{float(value):.4g}"


def value_text(value: Any) -> str:
    """A JSON value on one line, cut where it is long; quotes where a text looks like another."""
    text = value if isinstance(value, str) and not _ambiguous(value) else _json(value)
    shown = visible(text)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def as_many_as_fit(parts: Iterable[str], width: int) -> str:
    """Parts with commas between, up to a line's width but one at least; then dots."""
    line = ""
    for part in parts:
        if line and len(line) + len(part) + 2 > width:
            return f"{line}, …"
        line = f"{line}, {part}" if line else part
    return line


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _ambiguous(text: str) -> bool:
    if not text or text != text.strip():
        return True
    if text[0] not in '-0123456789tfnN"[{I':
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
