"""Places inside annotations, as parameters name them: `label`, `meta.class.name`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ldb.errors import BadInput


def key_path(where: str, text: str) -> list[str]:
    """The keys of `a.b.c`; raises `BadInput` naming `where` for one that is empty."""
    keys = text.split(".")
    if not all(keys):
        raise BadInput(where, f"{text!r} has an empty key; keys look like a or a.b")
    return keys


def put_at(keys: Sequence[str], value: Any) -> Any:
    """`value` inside an object for each key."""
    for key in reversed(keys):
        value = {key: value}
    return value


def taken_at(keys: Sequence[str], value: Any) -> Any:
    """What stands at a place; None where nothing does."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
