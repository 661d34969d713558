"""Writing blobs once more, though the store has them: out of condemned packs, or to repack.

A `salted` pack starts with a random blob, so that its name is new: the same blobs, packed by
somebody who was stopped, may be on a condemned list already.
"""

from __future__ import annotations

from collections.abc import Sequence

from ldb.ids import Oid
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids
from ldb.objects.pack import PackWriter
from ldb.objects.packformat import PACK_BYTES, columns_key
from ldb.objects.store import ObjectStore


def rescue(store: ObjectStore, oids: Oids) -> None:
    """Write blobs of a store once more, durable on return; raises `NotFound` or `Corrupt`."""
    writer = CopyWriter(store, salted=True)
    for group in store.groups(oids):
        writer.add(
            group.type, [Oid(row.tobytes()) for row in oids[group.positions]], group.payloads
        )
    writer.flush()


class CopyWriter:
    """Packs of blobs that the store may have already; `packs` names those published."""

    def __init__(
        self, store: ObjectStore, max_bytes: int = PACK_BYTES, *, salted: bool = False
    ) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._salted = salted
        self._pack: PackWriter | None = None
        self.packs: list[str] = []
        self.bytes = 0
        """Of the packs published."""

    def add(self, kind: BlobType, oids: Sequence[Oid], payloads: Sequence[bytes]) -> None:
        """Write blobs that have been checked; what is full is published."""
        if self._pack is None:
            self._pack = PackWriter(self._max_bytes)
            if self._salted:
                self._pack.salt()
        self._pack.add_many(kind, payloads, oids)
        if self._pack.full:
            self.flush()

    def flush(self) -> None:
        """Publish what waits: durable on return."""
        pack = self._pack.finish() if self._pack is not None else None
        if pack is None or self._pack is None:
            return
        create = self._store.backend.create
        create(pack.key, pack.data, unconditional=True)
        for kind, data in self._pack.columns():
            create(columns_key(pack.name, kind), data, unconditional=True)
        self._pack = None
        self._store.adopt(pack)
        self.packs.append(pack.name)
        self.bytes += len(pack.data)
