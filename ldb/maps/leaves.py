"""Rows of a map by their number: its list of leaves, and reading only those that are needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ldb.ids import Oid
from ldb.maps.node import Children, Node, NodeSource, Reader, above
from ldb.maps.rows import Rows, Schema

Oids = NDArray[np.uint8]


class Leaves:
    """The leaves of one map in the order of their keys; making it reads inner nodes only."""

    def __init__(self, source: NodeSource, schema: Schema, root: Oid) -> None:
        self.schema = schema
        self._reader = Reader(source, schema)
        top = self._reader.root(root)
        self._top = top
        found = _children(self._reader, top) if top.level else [above(schema, top).children()]
        self._leaves = Children.concat(found)
        self.oids: Oids = self._leaves.oids
        self.counts: NDArray[np.int64] = self._leaves.counts.astype(np.int64)
        """Rows of each leaf."""
        self.starts: NDArray[np.int64] = np.concatenate(
            (np.zeros(1, np.int64), np.cumsum(self.counts))
        )
        """Number of the first row of each leaf, and of the one after the last."""

    @property
    def size(self) -> int:
        """Rows of the map."""
        return int(self.starts[-1])

    def read(self, wanted: NDArray[np.intp]) -> Rows:
        """The rows of these leaves, by their ascending places, one leaf after the other."""
        if not self._top.level:
            return self._top.rows.slice(0, len(self._top.rows) if len(wanted) else 0)
        found = [
            self._reader.read(self._leaves.take(wanted[at : at + self._reader.batch]), 0).rows
            for at in range(0, len(wanted), self._reader.batch)
        ]
        return Rows.concat(found) if found else self.schema.blank(self.schema.column([]))

    def rows(self, numbers: NDArray[np.intp] | None = None) -> Rows:
        """Rows by number, in the order asked; all of them where no numbers are given.

        Rows of one leaf are read together, each leaf once.
        """
        if numbers is None:
            return self.read(np.arange(len(self.oids)))
        if bool((numbers[1:] > numbers[:-1]).all()):
            return self._ascending(numbers)
        leaf = np.searchsorted(self.starts, numbers, side="right") - 1
        wanted, place = np.unique(leaf, return_inverse=True)
        found = self.read(wanted)
        counts = self.counts[wanted]
        firsts = np.cumsum(counts) - counts
        return found.take(firsts[place] + (numbers - self.starts[leaf]))

    def _ascending(self, numbers: NDArray[np.intp]) -> Rows:
        """The same for ascending numbers, without looking each of them up."""
        hits = np.diff(np.searchsorted(numbers, self.starts))
        wanted = np.flatnonzero(hits)
        found = self.read(wanted)
        if not len(wanted):
            return found
        counts = self.counts[wanted]
        shift = self.starts[wanted] - (np.cumsum(counts) - counts)
        at = numbers - np.repeat(shift, hits[wanted])
        if at[-1] - at[0] == len(at) - 1:
            return found.slice(int(at[0]), int(at[-1]) + 1)
        return found.take(at)


def _children(reader: Reader, node: Node) -> list[Children]:
    if node.level == 1:
        return [node.children()]
    found: list[Children] = []
    for child in reader.open(node.entries(range(len(node.rows))), node.level - 1):
        found += _children(reader, child)
    return found
