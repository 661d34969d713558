"""Walking maps: every node once over all versions, and what its rows refer to.

A node is checked by itself (columns, order, cuts), against what each parent says of it,
and its rows against the shelves. What is damaged below a node is remembered with it, so
that each version learns what it cannot read without any node being read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import PATHS, key_path, objects_schema
from ldb.dataset import dataset_schema
from ldb.errors import LdbError
from ldb.history import MapRoot
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.maps import Rows, Schema
from ldb.maps.boundary import Cutter
from ldb.maps.node import Entry, Node, Reader
from ldb.objects.indexrows import KIND_ANNOTATION, KIND_DATA, KIND_LABELS
from ldb.objects.model import TYPE_OF_CODE, BlobType
from ldb.objects.oidtable import Oids
from ldb.objects.store import ObjectStore
from ldb.porcelain.fsck.report import SOUND, Findings, Labels
from ldb.porcelain.fsck.shelves import DAMAGED, MISSING, Codes, Shelves
from ldb.progress import Progress

Bad = list[tuple[int, str]]
"""Rows that something is wrong with, and the label of what."""

RowCheck = Callable[[Rows], Bad]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is remembered of a node."""

    level: int
    first: bytes
    last: bytes
    count: int
    whole: bool
    """Cut where its rows say; else it can only be the last of its level."""
    broken: Labels


class References:
    """Checks that blobs named by rows are there, sound, and of the type they must be."""

    def __init__(self, shelves: Shelves, findings: Findings, id_bytes: int) -> None:
        self.shelves = shelves
        self._findings = findings
        self._id_bytes = id_bytes

    def one(self, oid: Oid, kind: BlobType) -> Labels:
        """The same for a single blob."""
        return frozenset(label for _, label in self.column(_column(oid), kind))

    def column(self, oids: Oids, kind: BlobType) -> Bad:
        """Which rows of a column name no sound blob of this type."""
        return self.judge(oids, self.shelves.look(oids), kind)

    def judge(self, oids: Oids, codes: Codes, kind: BlobType) -> Bad:
        """The same where the codes are known already."""
        wrong = np.flatnonzero(codes != kind.code).tolist()
        return [(row, self._label(oids[row].tobytes(), int(codes[row]), kind)) for row in wrong]

    def _label(self, oid: bytes, code: int, kind: BlobType) -> str:
        if code == DAMAGED:
            return self.shelves.file_of(oid)
        if code == MISSING:
            return self._findings.problem(oid.hex(), f"{kind.value} is missing")
        found = TYPE_OF_CODE[code].value
        return self._findings.problem(oid.hex(), f"{found} where {kind.value} is needed")

    # -- rows of the three maps --------------------------------------------------------

    def dataset(self, rows: Rows) -> Bad:
        notes, transforms = rows.fields
        return [
            *self._optional(notes, BlobType.ANNOTATION),
            *self._optional(transforms, BlobType.TRANSFORM),
        ]

    def objects(self, rows: Rows) -> Bad:
        records, notes = rows.fields
        return [
            *self.column(records, BlobType.RECORD),
            *self._optional(notes, BlobType.ANNOTATION),
        ]

    def paths(self, rows: Rows) -> Bad:
        contents, kinds = rows.fields[0], rows.fields[-1].ravel()
        notes = kinds == KIND_ANNOTATION
        data = kinds == KIND_DATA
        odd = ~np.isin(kinds, (KIND_DATA, KIND_ANNOTATION, KIND_LABELS))
        odd |= data & contents[:, self._id_bytes :].any(axis=1)
        bad = [(at, self._odd_path(rows, at)) for at in np.flatnonzero(odd).tolist()]
        at = np.flatnonzero(notes)
        found = self.column(contents[at], BlobType.ANNOTATION)
        return bad + [(int(at[row]), label) for row, label in found]

    def _odd_path(self, rows: Rows, at: int) -> str:
        path = key_path(bytes(rows.keys[at])).decode("utf-8", "backslashreplace")
        return self._findings.problem(path, "row of `paths` is neither data nor annotation")

    def _optional(self, column: NDArray[np.uint8], kind: BlobType) -> Bad:
        at = np.flatnonzero(column.any(axis=1))
        return [(int(at[row]), label) for row, label in self.column(column[at], kind)]


class MapWalk:
    """All maps of one schema."""

    def __init__(
        self,
        source: ObjectStore,
        schema: Schema,
        check: RowCheck,
        references: References,
        findings: Findings,
        progress: Progress,
    ) -> None:
        self._schema = schema
        self._reader = Reader(source, schema)
        self._check = check
        self._references = references
        self._findings = findings
        self._progress = progress
        self._seen: dict[Oid, _Seen] = {}

    def walk(self, root: MapRoot) -> Labels:
        """Check a map; the damage that keeps it from being read whole."""
        seen = self._seen.get(root.root)
        if seen is None:
            broken = self._references.one(root.root, BlobType.MAP)
            if broken:
                return broken
            try:
                seen = self._node(self._reader.root(root.root), True)
            except LdbError as error:
                return frozenset({self._findings.problem(root.root, str(error))})
        if seen.count != root.count:
            why = f"map of {seen.count} rows where its commit says {root.count}"
            return seen.broken | {self._findings.problem(root.root, why)}
        return seen.broken

    def _node(self, node: Node, last: bool) -> _Seen:
        """Check a node and all below it; `last`: no other node of its level comes after it."""
        if not node.level:
            self._leaves([node], last)
        else:
            whole = self._cuts([node], last)
            broken = self._children(node, last)
            self._remember(node, whole[0], broken)
        return self._seen[node.oid]

    def _children(self, node: Node, last: bool) -> Labels:
        oids = node.rows.fields[0]
        codes = self._references.shelves.look(oids)
        bad = dict(self._references.judge(oids, codes, BlobType.MAP))
        entries = node.entries(range(len(node.rows)))
        end = len(entries) - 1
        new = [
            at for at, each in enumerate(entries) if at not in bad and each.oid not in self._seen
        ]
        opened = self._open([entries[at] for at in new], node.level - 1)
        if node.level == 1:
            leaves = [leaf for leaf in opened if leaf]
            self._leaves(leaves, last and bool(new) and new[-1] == end and opened[-1] is not None)
        else:
            for at, child in zip(new, opened):
                if child and child.oid not in self._seen:
                    self._node(child, last and at == end)
        broken = set(bad.values())
        for at, entry in enumerate(entries):
            if at not in bad:
                broken |= self._agrees(entry, node.level - 1, last and at == end)
        return frozenset(broken) if broken else SOUND

    def _open(self, entries: Sequence[Entry], level: int) -> list[Node | None]:
        """The nodes that a parent names; None for one that is not what it should be."""
        if not entries:
            return []
        try:
            return [*self._reader.open(entries, level)]
        except LdbError:
            return [self._open_one(entry, level) for entry in entries]

    def _open_one(self, entry: Entry, level: int) -> Node | None:
        try:
            return self._reader.open([entry], level)[0]
        except LdbError as error:
            self._findings.problem(entry.oid, str(error))
            return None

    def _agrees(self, entry: Entry, level: int, last: bool) -> Labels:
        """Damage below a child, and whether it is what this parent says."""
        seen = self._seen.get(entry.oid)
        if seen is None:  # could not be opened
            return frozenset({str(entry.oid)})
        said = (level, entry.last, entry.count)
        if (seen.level, seen.last, seen.count) != said or (entry.low and seen.first <= entry.low):
            why = "map node with other rows than one of its parents says"
            return seen.broken | {self._findings.problem(entry.oid, why)}
        if not seen.whole and not last:
            why = "map node that ends before its rows say"
            return seen.broken | {self._findings.problem(entry.oid, why)}
        return seen.broken

    def _leaves(self, leaves: Sequence[Node], last: bool) -> None:
        """Check leaves together; `last`: the last of them is the last of its level."""
        if not leaves:
            return
        whole = self._cuts(leaves, last)
        ends = np.cumsum([len(leaf.rows) for leaf in leaves])
        broken: dict[int, set[str]] = {}
        if ends[-1]:
            for row, label in self._check(Rows.concat([leaf.rows for leaf in leaves])):
                at = int(np.searchsorted(ends, row, side="right"))
                broken.setdefault(at, set()).add(label)
        for at, leaf in enumerate(leaves):
            self._remember(leaf, whole[at], frozenset(broken.get(at, SOUND)))
        self._findings.checked.rows += int(ends[-1])

    def _remember(self, node: Node, whole: bool, broken: Labels) -> None:
        first = bytes(node.rows.keys[0]) if len(node.rows) else b""
        seen = _Seen(node.level, first, node.last, node.count, whole, broken)
        self._seen[node.oid] = seen
        self._findings.checked.nodes += 1
        self._progress.advance()

    def _cuts(self, nodes: Sequence[Node], last: bool) -> list[bool]:
        """Which nodes end where their rows say they must."""
        sizes = [len(node.rows) for node in nodes]
        cut = self._cut(nodes)
        if cut == sizes or (last and cut == sizes[:-1]):
            return [True] * len(cut) + [False] * (len(sizes) - len(cut))
        return [self._cut_alone(node) for node in nodes]

    def _cut_alone(self, node: Node) -> bool:
        cut = self._cut([node])
        if cut and cut != [len(node.rows)]:
            self._findings.problem(node.oid, "map node that goes on where its rows say it ends")
        return bool(cut)

    def _cut(self, nodes: Sequence[Node]) -> list[int]:
        """Sizes of the nodes that the rows of these nodes would be cut into."""
        cutter = Cutter(self._schema, nodes[0].level)
        return [len(each) for each in cutter.push(Rows.concat([node.rows for node in nodes]))]


def walks(
    instance: Instance,
    source: ObjectStore,
    references: References,
    findings: Findings,
    progress: Progress,
) -> dict[str, MapWalk]:
    """A walk for each map by its name in commits."""
    schemas: dict[str, tuple[Schema, RowCheck]] = {
        "dataset": (dataset_schema(instance), references.dataset),
        "objects": (objects_schema(instance), references.objects),
        "paths": (PATHS, references.paths),
    }
    return {
        name: MapWalk(source, schema, check, references, findings, progress)
        for name, (schema, check) in schemas.items()
    }


def _column(oid: Oid) -> Oids:
    return np.frombuffer(oid, np.uint8).reshape(1, 32)
