"""What the tests of maps share: a store of nodes in a dict, and maps as plain dictionaries."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from ldb.errors import NotFound
from ldb.ids import Oid
from ldb.maps import Changes, Root, Schema, build, diff, scan
from ldb.objects.model import Blob, BlobType, oid_of

Values = tuple[bytes, ...]
Table = dict[bytes, Values]

FIXED = Schema("fixed", 4, (("one", 2), ("two", 1)), target=8)
STRINGS = Schema("strings", 0, (("one", 2), ("two", 1)), target=8)
DATASET = Schema("dataset", 16, (("annotation", 32), ("transforms", 32)))


class Nodes:
    """Node source and sink over a dict; counts what it is asked to add and to read."""

    def __init__(self, below: Nodes | None = None) -> None:
        self.blobs: dict[Oid, Blob] = {}
        self.below = below
        self.added = 0
        self.read = 0

    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob:
        self.read += 1
        if oid in self.blobs:
            return self.blobs[oid]
        if self.below is None:
            raise NotFound("blob", oid)
        return self.below.get(oid, kind)

    def add(self, kind: BlobType, payload: bytes, oid: Oid | None = None) -> Oid:
        named = oid_of(kind, payload)
        assert oid in (None, named)
        self.blobs[named] = Blob(kind, payload)
        self.added += 1
        return named


class BatchNodes(Nodes):
    """The same, answering for several nodes at once as a real store does."""

    def get_many(self, oids: Sequence[Oid]) -> list[Blob]:
        return [self.get(oid) for oid in oids]


def built(nodes: Nodes, schema: Schema, table: Table) -> Root:
    return build(nodes, schema, [schema.rows(table)])


def table_of(nodes: Nodes, schema: Schema, root: Root) -> Table:
    table: Table = {}
    for rows in scan(nodes, schema, root.oid):
        table.update(rows.as_dict(schema))
    return table


def applied(table: Table, changes: dict[bytes, Values | None]) -> Table:
    """What the changes make of a dictionary."""
    both = {**table, **changes}
    return {key: values for key, values in both.items() if values is not None}


def in_chunks(changes: Changes, cuts: Iterable[int]) -> list[Changes]:
    """The same changes as several chunks, of which some may be empty."""
    places = [0, *sorted(min(cut, len(changes)) for cut in cuts), len(changes)]
    return [changes.slice(a, b) for a, b in itertools.pairwise(places)]


def diff_tables(
    nodes: Nodes, schema: Schema, old: Root, new: Root
) -> tuple[Table, Table, Table, Table]:
    """Removed, added, and changed rows before and after."""
    tables: tuple[Table, Table, Table, Table] = ({}, {}, {}, {})
    for part in diff(nodes, schema, old.oid, new.oid):
        assert len(part)
        pieces = (part.removed, part.added, part.old, part.new)
        for table, rows in zip(tables, pieces, strict=True):
            table.update(rows.as_dict(schema))
    return tables
