"""Differences and conflicts of maps as text: a letter, the key, the fields; tabs between."""

from __future__ import annotations

from typing import Any

import numpy as np

from ldb.maps import Conflicts, Difference, Schema, Side
from ldb.porcelain.plumbing.rowtext import NEWLINE, field_texts, key_texts, lines, records

ABSENT = b"-"
"""Stands for the fields of a row that one side does not have."""


def diff_lines(schema: Schema, part: Difference, end: bytes = NEWLINE) -> list[bytes]:
    """`A key fields`, `D key fields` or `M key old-fields new-fields`, by key."""
    found = [b"A\t" + line for line in lines(schema, part.added, end)]
    found += [b"D\t" + line for line in lines(schema, part.removed, end)]
    changed = zip(lines(schema, part.old, end), field_texts(part.new))
    found += [b"M\t%s\t%s" % pair for pair in changed]
    return [found[at] for at in _by_key(part)]


def diff_records(schema: Schema, part: Difference) -> list[dict[str, Any]]:
    """The same for JSON: `change`, `key`, and the fields under `old` and `new`."""
    found = [_record("A", None, row) for row in records(schema, part.added)]
    found += [_record("D", row, None) for row in records(schema, part.removed)]
    changed = zip(records(schema, part.old), records(schema, part.new))
    found += [_record("M", old, new) for old, new in changed]
    return [found[at] for at in _by_key(part)]


def conflict_lines(conflicts: Conflicts, end: bytes = NEWLINE) -> list[bytes]:
    """`C key base ours theirs`: the fields of each, or one `-` where it has no such row."""
    sides = (conflicts.base, conflicts.ours, conflicts.theirs)
    keys = key_texts(conflicts.schema, conflicts.base.rows, end)
    columns = zip(keys, *(_side_texts(side) for side in sides))
    return [b"\t".join([b"C", *column]) for column in columns]


def conflict_records(conflicts: Conflicts) -> list[dict[str, Any]]:
    """The same for JSON: `change`, `key`, `base`, `ours`, `theirs`; null where absent."""
    sides = {"base": conflicts.base, "ours": conflicts.ours, "theirs": conflicts.theirs}
    rows = {name: records(conflicts.schema, side.rows) for name, side in sides.items()}
    found = []
    for at, row in enumerate(rows["base"]):
        there = {name: bool(side.there[at]) for name, side in sides.items()}
        values = {name: _fields(rows[name][at]) if there[name] else None for name in sides}
        found.append({"change": "C", "key": row["key"], **values})
    return found


def _side_texts(side: Side) -> list[bytes]:
    texts = field_texts(side.rows)
    return [text if there else ABSENT for text, there in zip(texts, side.there.tolist())]


def _by_key(part: Difference) -> list[int]:
    keys = np.concatenate([part.added.keys, part.removed.keys, part.new.keys])
    order: list[int] = np.argsort(keys, kind="stable").tolist()
    return order


def _record(change: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    row = new or old or {}
    values = {name: _fields(side) if side else None for name, side in (("old", old), ("new", new))}
    return {"change": change, "key": row["key"], **values}


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "key"}
