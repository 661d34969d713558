"""Writing many blobs: into packs, each published in one piece when it is full.

Nothing is visible before its pack is, and a pack holds no promise about others: a writer
killed at any moment leaves whole packs that nobody refers to yet, or nothing. Rules:
docs/formats/pack.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from ldb.backends.base import Backend
from ldb.errors import BadInput
from ldb.ids import Oid
from ldb.objects.model import Blob, BlobType
from ldb.objects.pack import Pack, PackWriter, hash_many
from ldb.objects.packformat import PACK_BYTES

WAITING_BLOBS = 4096
WAITING_BYTES = 4 * 1024 * 1024
"""Blobs, and their bytes, that wait to be looked up in the store together."""


class _Store(Protocol):
    backend: Backend

    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob: ...
    def packed(self, oids: Sequence[Oid]) -> list[bool]: ...
    def adopt(self, pack: Pack) -> None: ...


class BatchWriter:
    """Context manager: publishes on a clean exit; on an exception nothing further.

    Blobs that the store's packs hold already are skipped. Its own blobs can be read back
    at once. `packs` names what was published.
    """

    def __init__(self, store: _Store, max_bytes: int = PACK_BYTES) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._pack = PackWriter(max_bytes)
        self._waiting: dict[Oid, Blob] = {}
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
        return self.add_many(kind, [payload], None if oid is None else [oid])[0]

    def add_many(
        self, kind: BlobType, payloads: Sequence[bytes], oids: Sequence[Oid] | None = None
    ) -> list[Oid]:
        """Write blobs of one type; their oids in order."""
        named = hash_many(kind, payloads) if oids is None else list(oids)
        waiting, pack = self._waiting, self._pack
        for oid, payload in zip(named, payloads, strict=True):
            if oid not in waiting and oid not in pack:
                waiting[oid] = Blob(kind, payload)
                self._waiting_bytes += len(payload)
        if len(waiting) >= WAITING_BLOBS or self._waiting_bytes >= WAITING_BYTES:
            self._settle()
        return named

    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob:
        """Any blob of the store, or one added here a moment ago; errors as the store's."""
        blob = self._waiting.get(oid) or self._pack.get(oid)
        if blob is None:
            return self._store.get(oid, kind)
        if kind is not None and blob.type is not kind:
            raise BadInput(oid, f"is of type {blob.type.value}, not {kind.value}")
        return blob

    def get_many(self, oids: Sequence[Oid]) -> list[Blob]:
        """The same for several."""
        return [self.get(oid) for oid in oids]

    def flush(self) -> None:
        """Publish everything added so far: durable on return."""
        self._settle()
        self._publish()

    def _settle(self) -> None:
        """Move what waits into the pack, without what the store has."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        known = self._store.packed(list(waiting))
        self.skipped += sum(known)
        for kind in BlobType:
            fresh = [
                (oid, blob.payload)
                for (oid, blob), old in zip(waiting.items(), known)
                if blob.type is kind and not old
            ]
            if fresh:
                self._pack.add_many(kind, [row[1] for row in fresh], [row[0] for row in fresh])
        if self._pack.full:
            self._publish()

    def _publish(self) -> None:
        pack = self._pack.finish()
        if pack is None:
            return
        self._store.backend.create(pack.key, pack.data, unconditional=True)
        self._pack = PackWriter(self._max_bytes)
        self._store.adopt(pack)
        self.packs.append(pack.name)
        self.written += pack.blobs
