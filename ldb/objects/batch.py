"""Writing many blobs: into packs, each published in one piece when it is full.

Nothing is visible before its pack is, and a pack holds no promise about others: a writer
killed at any moment leaves whole packs that nobody refers to yet, or nothing. Rules:
docs/formats/pack.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from ldb.backends.base import Backend
from ldb.errors import BadInput
from ldb.ids import Oid
from ldb.objects.model import Blob, BlobType, hash_many, oid_of
from ldb.objects.pack import Pack, PackWriter
from ldb.objects.packformat import PACK_BYTES, columns_key
from ldb.progress import SILENT, Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ldb.objects.bulk import Group

WAITING_BLOBS = 4096
WAITING_BYTES = 4 * 1024 * 1024
"""Blobs, and their bytes, that wait to be looked up in the store together."""


class _Store(Protocol):
    backend: Backend

    @property
    def salted(self) -> bool: ...
    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob: ...
    def get_many(self, oids: Sequence[Oid]) -> list[Blob]: ...
    def packed(self, oids: Sequence[Oid], thrifty: bool = False) -> list[bool]: ...
    def packed_rows(self, oids: NDArray[np.uint8]) -> NDArray[np.bool_]: ...
    def adopt(self, pack: Pack) -> None: ...


class _Source(Protocol):
    def groups(self, oids: NDArray[np.uint8]) -> Iterator[Group]: ...


class BatchWriter:
    """Context manager: publishes on a clean exit; on an exception nothing further.

    Blobs that the store's packs hold already are skipped, as far as looking for them costs less
    than writing them. Its own blobs can be read back at once. `packs` names what was published.
    """

    def __init__(self, store: _Store, max_bytes: int = PACK_BYTES) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._pack = PackWriter(max_bytes)
        self._waiting: dict[BlobType, dict[Oid, bytes]] = {kind: {} for kind in BlobType}
        self._waiting_bytes = 0
        self.packs: list[str] = []
        self.written = 0
        """Blobs published so far."""
        self.skipped = 0
        """Blobs that the store's packs had already."""

    def __enter__(self) -> BatchWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.flush()

    def add(self, kind: BlobType, payload: bytes, oid: Oid | None = None) -> Oid:
        """Write one blob; `oid` saves hashing it where the caller has just done so."""
        named = oid_of(kind, payload) if oid is None else oid
        self._wait(kind, [named], [payload])
        return named

    def add_many(
        self, kind: BlobType, payloads: Sequence[bytes], oids: Sequence[Oid] | None = None
    ) -> list[Oid]:
        """Write blobs of one type; their oids in order."""
        named = hash_many(kind, payloads) if oids is None else list(oids)
        self._wait(kind, named, payloads)
        return named

    def _wait(self, kind: BlobType, oids: Sequence[Oid], payloads: Sequence[bytes]) -> None:
        waiting = self._waiting[kind]
        waiting.update(zip(oids, payloads, strict=True))
        self._waiting_bytes += sum(map(len, payloads))
        if len(waiting) >= WAITING_BLOBS or self._waiting_bytes >= WAITING_BYTES:
            self._settle()

    def copy(self, source: _Source, oids: NDArray[np.uint8], progress: Progress = SILENT) -> None:
        """Add blobs of another store, in the order in which they lie there; each is a step.

        Every block of that store is read once a call, so all oids are best given together: they
        are hashes, and a part of them lies in as many blocks as all. Blocks that are wanted
        whole come over as they are, once every blob in them is proven. What this store has
        already is not read.
        """
        known = self._store.packed_rows(oids)
        self.skipped += (there := int(known.sum()))
        progress.advance(there)
        left = oids[~known] if there else oids
        for group in source.groups(left):
            named = [Oid(row.tobytes()) for row in left[group.positions]]
            block = group.whole
            if block and self._lacks(group.type, named):
                self._pack.add_block(
                    group.type, named, group.payloads, block.frame, block.raw, block.crc
                )
                if self._pack.full:
                    self._settle()
            else:
                self._wait(group.type, named, group.payloads)
            progress.advance(len(named))

    def _lacks(self, kind: BlobType, oids: Sequence[Oid]) -> bool:
        """Whether none of these was added and not yet published."""
        return self._waiting[kind].keys().isdisjoint(oids) and self._pack.lacks(oids)

    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob:
        """Any blob of the store, or one added here a moment ago; errors as the store's."""
        blob = self._own(oid)
        if blob is None:
            return self._store.get(oid, kind)
        if kind is not None and blob.type is not kind:
            raise BadInput(oid, f"is of type {blob.type.value}, not {kind.value}")
        return blob

    def _own(self, oid: Oid) -> Blob | None:
        for kind, waiting in self._waiting.items():
            if oid in waiting:
                return Blob(kind, waiting[oid])
        return self._pack.get(oid)

    def get_many(self, oids: Sequence[Oid]) -> list[Blob]:
        """The same for several."""
        own = [self._own(oid) for oid in oids]
        others = iter(self._store.get_many([oid for oid, blob in zip(oids, own) if blob is None]))
        return [next(others) if blob is None else blob for blob in own]

    def flush(self) -> None:
        """Publish everything added so far: durable on return."""
        self._settle()
        self._publish()

    def _settle(self) -> None:
        """Move what waits into the pack, without what the store has."""
        for kind, waiting in self._waiting.items():
            known = self._store.packed(list(waiting), thrifty=True)
            if any(known):
                self.skipped += sum(known)
                fresh = {oid: waiting[oid] for oid, old in zip(waiting, known) if not old}
            else:
                fresh = waiting
            self._pack.add_many(kind, list(fresh.values()), list(fresh))
            self._waiting[kind] = {}
        self._waiting_bytes = 0
        if self._pack.full:
            self._publish()

    def _publish(self) -> None:
        if self._store.salted and not self._pack.empty:
            self._pack.salt()
        pack = self._pack.finish()
        if pack is None:
            return
        create = self._store.backend.create
        create(pack.key, pack.data, unconditional=True)
        for kind, data in self._pack.columns():
            create(columns_key(pack.name, kind), data, unconditional=True)
        self._pack = PackWriter(self._max_bytes)
        self._store.adopt(pack)
        self.packs.append(pack.name)
        self.written += pack.blobs
