"""Writing place files: one beside each pack that holds leaves of maps whose rows name blobs.

Only what the store's packs hold is found; a row whose blob is elsewhere stays unknown and
costs a query one look at the blob. Made again at any time: a file is a function of the
packs that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from ldb.errors import Corrupt, LdbError, NotFound
from ldb.ids import NO_OID, Oid
from ldb.maps.decode import unpack
from ldb.maps.encode import ending
from ldb.objects.model import Blob, BlobType
from ldb.objects.oidtable import as_oids
from ldb.objects.packformat import pack_name
from ldb.objects.packread import PackReader
from ldb.objects.store import ObjectStore
from ldb.places.file import FIELDS, NAMING, PackCounts, Section, encode_places, places_key
from ldb.places.model import Table
from ldb.places.search import search

FEWEST_ROWS = 1024
"""Leaves with fewer rows than this in all are searched for when they are asked: no file."""


def write_places(store: ObjectStore, pack: PackReader) -> bytes | None:
    """Write the place file of a pack of `store`, and give its bytes; None for few rows.

    Nothing depends on a place file, so one that cannot be written is left out.
    """
    data = None
    with suppress(NotFound):  # the pack is gone: whoever needs what was in it is told so
        data = make_places(store, pack)
    if data is not None:
        with suppress(LdbError):
            key = places_key(pack_name(pack.key) or "")
            pack.backend.create(key, data, unconditional=True)
    return data


def make_places(store: ObjectStore, pack: PackReader) -> bytes | None:
    """The place file of one pack; None where it would say too little to be worth a file."""
    gathered = gather(pack)
    if sum(each.rows for each in gathered.values()) < FEWEST_ROWS:
        return None
    packs = [each for each in store.all_packs() if _is_whole(each)]
    tables = {field: Table(kind) for field, (_, kind) in FIELDS.items()}
    for table in tables.values():
        for each in packs:  # all of them, so that both tables have one order
            table.add(each)
    sections = [
        each.section(field, tables[field], packs) for field, each in gathered.items() if each.rows
    ]
    counts = [np.diff(tables[field].bases).tolist() for field in ("annotation", "record")]
    named = [
        PackCounts(pack_name(each.key) or "", annotations, records)
        for each, annotations, records in zip(packs, *counts, strict=True)
    ]
    return encode_places(named, sections)


def _is_whole(pack: PackReader) -> bool:
    """Whether a pack can be counted: one that is damaged, or gone, must not be in the way."""
    try:
        pack.runs(BlobType.ANNOTATION)
    except (NotFound, Corrupt):
        return False
    return True


class Gathered:
    """The oids that one field of many leaves names."""

    def __init__(self) -> None:
        self.rows = 0
        self.leaves: list[int] = []
        """Ordinals of the leaves in their pack, ascending."""
        self.oids: list[bytes] = []
        """For each leaf the oids of its rows, end to end."""
        self.starts = [0]
        """Where the rows of each leaf start, and the end."""

    def add(self, ordinal: int, oids: bytes) -> None:
        self.rows += len(oids) // 32
        self.leaves.append(ordinal)
        self.oids.append(oids)
        self.starts.append(self.rows)

    def section(self, field: str, table: Table, packs: Sequence[PackReader]) -> Section:
        return Section(
            field,
            np.array(self.leaves, np.uint32),
            np.array(self.starts, np.int64),
            search(table, packs, as_oids(b"".join(self.oids))),
        )


def gather(pack: PackReader) -> dict[str, Gathered]:
    """What the leaves of a pack name, by field."""
    gathered = {field: Gathered() for field in FIELDS}
    leaves = tuple(ending(0, schema) for schema in NAMING)
    blocks = (each for each in pack.blocks() if each.type is BlobType.MAP)
    for block in pack.read_blocks(blocks):
        for ordinal, payload in enumerate(block.all(), block.block.first):
            if payload.endswith(leaves):  # few are: most leaves of an index are of paths
                node = unpack(_UNNAMED, Blob(BlobType.MAP, payload))
                for name, oids in zip(NAMING[node["schema"]], node["fields"], strict=False):
                    gathered[name].add(ordinal, oids)
    return gathered


_UNNAMED = Oid(NO_OID)
"""Stands for a node's oid, which nobody here needs enough to hash the node for it."""
