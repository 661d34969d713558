"""Places of oids by looking each of them up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ldb.objects.bulk import locate
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids
from ldb.objects.packread import PackReader
from ldb.objects.store import ObjectStore
from ldb.places.model import NO_BLOB, UNKNOWN, Numbers, Places, Table


def places_of_oids(store: ObjectStore, oids: Oids, kind: BlobType) -> Places:
    """Places of an (n, 32) array of oids by looking each up; zeros name no blob."""
    table = Table(kind)
    return Places(table, search(table, store.all_packs(), oids))


def search(table: Table, packs: Sequence[PackReader], oids: Oids) -> Numbers:
    """Numbers in `table` of oids, looked up in `packs`."""
    numbers = np.full(len(oids), UNKNOWN, np.uint32)
    there = oids.any(axis=1)
    numbers[~there] = NO_BLOB
    where = np.flatnonzero(there)
    if not len(where):
        return numbers
    at = locate(packs, oids if len(where) == len(oids) else oids[where])
    for place in at.packs():
        rows = np.flatnonzero(at.pack == place)
        numbers[where[rows]] = table.numbers(packs[place], at.ordinal[rows])
    return numbers
