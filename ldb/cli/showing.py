"""How rows, differences and versions look on a terminal; shared by several commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ldb.cli.output import visible

if TYPE_CHECKING:
    from ldb.history import DiffCounts, Operation, Version


def when(milliseconds: int) -> str:
    """A time for people: UTC, to the second."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):  # a clock gone wrong, or somebody's joke
        return "no calendar's time"
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def counts(changes: DiffCounts) -> str:
    """`+12 -3 ~1`."""
    return f"+{changes.added} -{changes.removed} ~{changes.changed}"


def changes_json(changes: DiffCounts) -> dict[str, int]:
    """The same for scripts."""
    return {"added": changes.added, "removed": changes.removed, "changed": changes.changed}


def operation_line(operation: Operation) -> str:
    """The command as it was typed, and what it did."""
    numbers = ", ".join(f"{name} {count}" for name, count in operation.counts.items() if count)
    return f"ldb {visible(as_typed(operation.command))}" + (f"  ({numbers})" if numbers else "")


def as_typed(words: Iterable[str]) -> str:
    """Words as a shell takes them. Queries with 'texts' go into double quotes where those keep
    everything as it is, for `'label == '"'"'4'"'"''` is hard to read."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if "'" in word and not any(char in word for char in '"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def operation_json(operation: Operation) -> dict[str, Any]:
    """An operation for scripts."""
    return {
        "command": list(operation.command),
        "sources": [
            {"spec": each.spec, "commit": str(each.commit) if each.commit else None}
            for each in operation.sources
        ],
        "filters": [list(each) for each in operation.filters],
        "counts": dict(operation.counts),
        "time": operation.time,
    }


def version_json(version: Version) -> dict[str, Any]:
    """A version for scripts."""
    commit = version.commit
    return {
        "version": str(version),
        "commit": str(version.oid),
        "parents": [str(each) for each in commit.parents],
        "objects": objects_in(version),
        "author": commit.author,
        "time": commit.time,
        "message": commit.message,
        "operations": [operation_json(each) for each in commit.operations],
    }


def objects_in(version: Version) -> int:
    """How many data objects a version holds."""
    maps = version.commit.maps
    return (maps.get("dataset") or maps["objects"]).count


def plural(count: int, word: str) -> str:
    """`1 data object`, `2 data objects`."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def joined(parts: Iterable[str]) -> str:
    """Non-empty parts with commas between."""
    return ", ".join(part for part in parts if part)
