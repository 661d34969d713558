"""One program asked about many data objects: the protocol of `--pipe` and of user filters.

On stdin a JSON array with `[id, data path, annotation path]` for each object, in the order of
the selection so far; the annotation path is null where there is none. On stdout the ids that are
to stay, in the order wanted: one a line, or one JSON array. docs/guide/plugins.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ldb.foreign.programs import ProgramFailed

Row = tuple[str, str, "str | None"]

_SPARE = 1 << 16
_SHOWN = 60


def request_of(rows: Sequence[Row]) -> bytes:
    """What the program reads."""
    return json.dumps(rows, separators=(",", ":")).encode("utf-8", "surrogateescape")


def most_bytes(rows: Sequence[Row]) -> int:
    """More than that no right answer has."""
    return _SPARE + sum(len(row[0]) + 16 for row in rows)


def answered(stdout: bytes, ids: Sequence[str], program: str) -> list[int]:
    """Positions in `ids` that a program named, in its order; raises `ProgramFailed`."""
    places = {each: at for at, each in enumerate(ids)}
    found: list[int] = []
    for word in _words(stdout, program):
        at = places.pop(word.removeprefix("id:").lower(), None)
        if at is None:
            again = word.removeprefix("id:").lower() in ids
            why = "was printed twice" if again else "is not an id that it was given"
            raise ProgramFailed(program, f"{word[:_SHOWN]!r} {why}")
        found.append(at)
    return found


def _words(stdout: bytes, program: str) -> list[str]:
    text = stdout.decode("utf-8", "replace").strip()
    if not text.startswith("["):
        return text.split()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ProgramFailed(program, f"printed {text[:_SHOWN]!r}, which is no JSON array of ids")
    return found
