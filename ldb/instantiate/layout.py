"""Which name each object of a run gets.

By default the name holds the id, so each object's name depends on nothing else. With
`preserve_paths` names are those of the source, and only a look at all of them tells which
collide: that look keeps sixteen bytes an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import takewhile
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ldb.instantiate.naming import Name, folded, name_as_seen, name_with_id

Parts = Iterable[tuple[NDArray[np.int64], list[str]]]
"""First paths of objects in any order (empty where there is none), with their positions."""


class Layout(Protocol):
    """Gives names."""

    def name(self, position: int, object_id: str, path: str, type: str) -> Name:  # noqa: A002
        """The name of one object, whose full id is `object_id` (hex), first seen at `path`."""
        ...

    def part(self, start: int, stop: int) -> Layout:
        """The same names for positions [start, stop), counted from `start`."""
        ...


class WithIds:
    """`<base>-<id>.<ext>`, all in one folder."""

    def name(self, position: int, object_id: str, path: str, type: str) -> Name:  # noqa: A002
        return name_with_id(path, object_id, type)

    def part(self, start: int, stop: int) -> Layout:
        return self


class AsSeen:
    """Folders and names of the source, with ids where names collide."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = tuple(sorted((f"{root.rstrip('/')}/" for root in roots), key=len))
        self._colliding = np.zeros(0, np.bool_)

    def look(self, parts: Parts) -> bool:
        """Learn the folder common to all paths outside the roots; whether there are any."""
        low = high = ""
        for _, paths in parts:
            for path in paths:
                if path and self._root(path) is None:
                    low = min(low or path, path)
                    high = max(high, path)
        if not low:
            return False
        # What the first and the last in order share, all between them share.
        both = zip(low.split("/")[:-1], high.split("/")[:-1], strict=False)
        common = [one for one, other in takewhile(lambda pair: pair[0] == pair[1], both)]
        self._roots = ("".join(f"{part}/" for part in common), *self._roots)
        return True

    def settle(self, parts: Parts, annotations: NDArray[np.uint8]) -> None:
        """Find out which names collide; `annotations` are the oids, shape (n, 32)."""
        names = np.zeros((len(annotations), 2), np.uint64)
        for positions, paths in parts:
            for position, path in zip(positions.tolist(), paths, strict=True):
                name = self._as_seen(path)
                names[position] = _mark(name.data_path), _mark(name.annotation_path)
        notes = np.ascontiguousarray(annotations[:, :8]).view(np.uint64).ravel()
        self._colliding = collisions(names[:, 0], names[:, 1], notes)

    def name(self, position: int, object_id: str, path: str, type: str) -> Name:  # noqa: A002
        if not path:
            return name_with_id("", object_id, type)
        name = name_as_seen(self._relative(path), object_id)
        if self._colliding[position]:
            return name_with_id(path, object_id, folder=name.folder)
        return name

    def part(self, start: int, stop: int) -> Layout:
        some = AsSeen(())
        some._roots, some._colliding = self._roots, self._colliding[start:stop]
        return some

    def _as_seen(self, path: str) -> Name:
        # An object without a path has its id for a name; here any name of its own will do.
        return name_as_seen(self._relative(path), "") if path else name_with_id("", "")

    def _root(self, path: str) -> str | None:
        """The innermost root that holds `path`."""
        for root in reversed(self._roots):
            if path.startswith(root):
                return root
        return None

    def _relative(self, path: str) -> str:
        return path[len(self._root(path) or "") :]


def _mark(path: str) -> int:
    # Two different names with one mark get ids without need: 1 in 10^7 for a million names.
    return int.from_bytes(blake2b(folded(path).encode(), digest_size=8).digest(), "little")


def collisions(
    names: NDArray[np.uint64], stems: NDArray[np.uint64], notes: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Objects that share a data file's name, or a stem but not the annotation."""
    _, inverse, counts = np.unique(names, return_inverse=True, return_counts=True)
    shared: NDArray[np.bool_] = counts[inverse.reshape(-1)] > 1
    order = np.lexsort((notes, stems))
    stem, note = stems[order], notes[order]
    another = stem[1:] != stem[:-1]
    group = np.concatenate([np.zeros(min(1, len(stem)), np.int64), np.cumsum(another)])
    mixed = group[1:][~another & (note[1:] != note[:-1])]
    shared[order] |= np.isin(group, mixed)
    return shared
