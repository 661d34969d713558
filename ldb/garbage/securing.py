"""Where the blobs lie that a new version needs, and saving those that are condemned."""

from __future__ import annotations

from collections.abc import Iterator

from ldb.errors import Corrupt, NotFound
from ldb.garbage.guard import Needs
from ldb.garbage.reach import reach_maps, record_histories
from ldb.garbage.rescue import rescue
from ldb.ids import Oid
from ldb.maps.copy import nodes
from ldb.objects.bulk import ABSENT, among, locate
from ldb.objects.condemned import Condemned
from ldb.objects.loose import OBJECTS, oid_of_key
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids, as_oids
from ldb.objects.packread import PackReader
from ldb.objects.store import ObjectStore


def secure(store: ObjectStore, needs: Needs, condemned: Condemned) -> None:
    """See to it that every blob needed lies where it is not condemned.

    Raises `NotFound` where one is not there any more.
    """
    store.refresh()
    safe = [pack for pack in store.packs() if pack.key not in condemned.pack_keys]
    keys = (entry.key for entry in store.backend.list(OBJECTS))
    loose = {oid for oid in map(oid_of_key, keys) if oid} - condemned.loose
    for oids in needed(store, needs):
        unsafe = _elsewhere(oids, safe, loose)
        if len(unsafe):
            _rescue(store, unsafe, safe)


def needed(store: ObjectStore, needs: Needs) -> Iterator[Oids]:
    """Every blob that a version needs beyond those that others need, some repeatedly."""
    yield as_oids(b"".join(needs.blobs))
    seen: set[Oid] = set()
    for root in needs.known():
        for _ in nodes(store, root, seen):
            pass
    for kind, oids in reach_maps(store, needs.roots, seen):
        yield oids
        if kind is BlobType.RECORD:
            yield record_histories(store, oids)


def _elsewhere(oids: Oids, safe: list[PackReader], loose: set[Oid]) -> Oids:
    """Those that lie neither in these packs nor loose."""
    if not len(oids):
        return oids
    left: Oids = oids[locate(safe, oids).pack == ABSENT]
    left = left[~among(left, loose)]
    return left


def _rescue(store: ObjectStore, oids: Oids, safe: list[PackReader]) -> None:
    unique = as_oids(b"".join(dict.fromkeys(row.tobytes() for row in oids)))
    before = len(store.written)
    try:
        rescue(store, unique)
    except Corrupt as error:
        raise NotFound("blob", f"{error.oid}, damaged in {error.where}") from error
    safe += store.written[before:]
