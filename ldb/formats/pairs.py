"""`strict-pairs` and `bare-pairs`: `name.ext` with its annotation in `name.json` beside it.

Bare takes data files without an annotation too; strict leaves them out. Several data files
with one stem (`a.jpg`, `a.png`) share the annotation. A `.json` without a data file is left
out by both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STRICT = "strict-pairs"
BARE = "bare-pairs"
AUTO = "auto"
SUFFIX = b".json"


@dataclass(frozen=True, slots=True)
class Pairing:
    """Positions in one folder's list of names."""

    data: list[tuple[int, int]]
    """Each data file and its annotation, or -1."""
    annotations: list[int]
    """Each annotation that belongs to a data file, once, in order."""
    lone: int
    """Annotations without a data file, or data files left out by `strict`."""


def stem_of(name: bytes) -> bytes:
    """A file name without its extension."""
    return name.rpartition(b".")[0] or name


def is_annotation(name: bytes) -> bool:
    """Whether a file holds an annotation, by its name."""
    return name[-5:].lower() == SUFFIX


def pair(names: Sequence[bytes], strict: bool) -> Pairing:
    """Match the data files of one folder, sorted by name, with their annotations.

    Of `a.JSON` and `a.json` the one that sorts last counts.
    """
    notes = [at for at, name in enumerate(names) if name[-5:].lower() == SUFFIX]
    find = {names[at][: -len(SUFFIX)]: at for at in notes}.get
    beside = iter(notes)
    following = next(beside, -1)
    data = []
    for at, name in enumerate(names):
        if at == following:
            following = next(beside, -1)
        else:
            data.append((at, find(name.rpartition(b".")[0] or name, -1)))
    paired = {note for _, note in data if note >= 0}
    lone = len(notes) - len(paired)
    if strict:
        kept = [row for row in data if row[1] >= 0]
        return Pairing(kept, sorted(paired), lone + len(data) - len(kept))
    return Pairing(data, sorted(paired), lone)
