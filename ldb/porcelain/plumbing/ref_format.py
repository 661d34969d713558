"""The format strings of `ldb for-each-ref`: text with `%(field)` in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Union

from ldb.errors import BadInput
from ldb.history import Commit, load_commit
from ldb.instance import Instance
from ldb.refs.name import INDEX
from ldb.refs.store import Ref

DEFAULT = "%(objectname) %(version)"

Field = Callable[[Instance, Ref], str]

SHORT = 12
"""Digits of a short oid."""


def _commit(instance: Instance, ref: Ref) -> Commit:
    assert ref.target is not None
    return load_commit(instance, ref.target)


def _rows(instance: Instance, ref: Ref) -> str:
    maps = _commit(instance, ref).maps
    first = "objects" if "objects" in maps else min(maps, default="")
    return str(maps[first].count) if first else "0"


FIELDS: dict[str, Field] = {
    "refname": lambda _, ref: str(ref.name),
    "refname:short": lambda _, ref: ref.name.name,
    "objectname": lambda _, ref: str(ref.target),
    "objectname:short": lambda _, ref: str(ref.target)[:SHORT],
    "version": lambda _, ref: str(ref),
    "number": lambda _, ref: str(ref.number),
    "kind": lambda _, ref: "index" if ref.name == INDEX else "dataset",
    "author": lambda _, ref: ref.author,
    "time": lambda _, ref: ref.time,
    "message": lambda instance, ref: _commit(instance, ref).message,
    "rows": _rows,
}
"""What can be said of a ref; author and time are those of the update, not of the commit."""

_PART = re.compile(r"%(?:%|\((?P<field>[^)]*)\)|(?P<byte>[0-9a-fA-F]{2}))|%")


def compiled(pattern: str) -> Sequence[Union[str, Field]]:
    """The parts of a format; raises `BadInput` for a field that there is not."""
    parts: list[Union[str, Field]] = []
    at = 0
    for found in _PART.finditer(pattern):
        parts.append(pattern[at : found.start()])
        parts.append(_part(found))
        at = found.end()
    parts.append(pattern[at:])
    return parts


def _part(found: re.Match[str]) -> Union[str, Field]:
    if found["field"] is not None:
        if found["field"] not in FIELDS:
            known = ", ".join(FIELDS)
            raise BadInput("--format", f"there is no field {found['field']!r}", f"known: {known}")
        return FIELDS[found["field"]]
    if found["byte"] is not None:
        return bytes([int(found["byte"], 16)]).decode("ascii", "surrogateescape")
    if found[0] != "%%":
        raise BadInput("--format", f"a lone % at {found.start() + 1}", "write it %%")
    return "%"
