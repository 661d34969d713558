"""Rows of a map by their number: its list of leaves, and reading only those that are needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ldb.ids import Oid
from ldb.maps.node import Node, NodeSource, Reader, counts_of
from ldb.maps.rows import Rows, Schema

Oids = NDArray[np.uint8]

ALL_AT_ONCE = 256
"""Leaves read together."""


class Leaves:
    """The leaves of one map in the order of their keys; making it reads inner nodes only."""

    def __init__(self, source: NodeSource, schema: Schema, root: Oid) -> None:
        self.schema = schema
        self._reader = Reader(source, schema)
        top = self._reader.root(root)
        if top.level:
            oids, counts = zip(*_children(self._reader, top), strict=True)
            self.oids: Oids = np.concatenate(oids)
            self.counts: NDArray[np.int64] = np.concatenate(counts)
            """Rows of each leaf."""
        else:
            self.oids = np.frombuffer(root, np.uint8).reshape(1, -1)
            self.counts = np.array([len(top.rows)], np.int64)
        self.starts: NDArray[np.int64] = np.concatenate(
            (np.zeros(1, np.int64), np.cumsum(self.counts))
        )
        """Number of the first row of each leaf, and of the one after the last."""

    @property
    def size(self) -> int:
        """Rows of the map."""
        return int(self.starts[-1])

    def read(self, wanted: NDArray[np.intp]) -> Rows:
        """The rows of these leaves, by their place in `oids`, one leaf after the other."""
        names = [Oid(raw.tobytes()) for raw in self.oids[wanted]]
        found: list[Rows] = []
        for at in range(0, len(names), ALL_AT_ONCE):
            found += self._reader.leaves(names[at : at + ALL_AT_ONCE])
        return Rows.concat(found) if found else self.schema.blank(self.schema.column([]))

    def rows(self, numbers: NDArray[np.intp] | None = None) -> Rows:
        """Rows by number, in the order asked; all of them where no numbers are given.

        Rows of one leaf are read together, each leaf once.
        """
        if numbers is None:
            return self.read(np.arange(len(self.oids)))
        leaf = np.searchsorted(self.starts, numbers, side="right") - 1
        wanted, place = np.unique(leaf, return_inverse=True)
        found = self.read(wanted)
        counts = self.counts[wanted]
        firsts = np.cumsum(counts) - counts
        return found.take(firsts[place] + (numbers - self.starts[leaf]))


def _children(reader: Reader, node: Node) -> list[tuple[Oids, NDArray[np.int64]]]:
    if node.level == 1:
        return [(node.rows.fields[0], counts_of(node.rows).astype(np.int64))]
    found: list[tuple[Oids, NDArray[np.int64]]] = []
    for child in reader.open(node.entries(range(len(node.rows))), node.level - 1):
        found += _children(reader, child)
    return found
