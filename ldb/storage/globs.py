"""Globs over paths and URIs: `*`, `?` and `[…]` stay in one folder, `**` is any number of them.

Pure functions; what they are applied to (rows of the index, a listing) is the caller's.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence

Part = Callable[[str], object]
"""Whether one component of a path fits one component of a glob."""

_WILDCARD = re.compile(r"[*?\[]")


def fixed_folder(glob: str) -> str:
    """The folder, with a trailing slash, below which everything lies that fits."""
    return _WILDCARD.split(glob, maxsplit=1)[0].rpartition("/")[0] + "/"


def parts_of(glob: str) -> list[Part | None]:
    """A test for each component; None stands for `**`, any number of folders."""
    return [
        None if part == "**" else re.compile(fnmatch.translate(part)).match
        for part in glob.split("/")
    ]


def fits(parts: Sequence[Part | None], names: Sequence[str], below: bool) -> bool:
    """Whether a path fits a glob or, with `below`, lies in a folder that does.

    `*` and `?` stay in one folder, as in a shell. Linear in both, however many `**` there are.
    """
    exact = True
    while parts and parts[-1] is None:  # at the end `**` stands for whatever lies below
        parts, below, exact = parts[:-1], True, False
    reached = {0}
    for name in names:
        reached = _open(parts, reached)
        if below and len(parts) in reached:
            return True
        step = set()
        for at in reached:
            part = parts[at] if at < len(parts) else _never
            if part is None:
                step.add(at)
            elif part(name):
                step.add(at + 1)
        reached = step
    return exact and len(parts) in _open(parts, reached)


def _open(parts: Sequence[Part | None], reached: set[int]) -> set[int]:
    """With the places that are reached by taking `**` for no folder at all."""
    opened = set(reached)
    for at in sorted(reached):
        while at < len(parts) and parts[at] is None:
            at += 1
            opened.add(at)
    return opened


def _never(_: str) -> bool:
    return False
