"""The object store: every blob of an instance or workspace, by oid, out of packs and loose files.

A blob that is returned has been hashed and is the one asked for. What is not found is
looked for again in a fresh listing, and the tables searched are checked, before
`NotFound` is raised. numpy is imported by the methods that take arrays, not before.
Rules: docs/formats/objects.md and pack.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ldb.backends.base import Backend, Entry, Range
from ldb.errors import Ambiguous, BadInput, Corrupt, NotFound
from ldb.ids import MIN_PREFIX, OID_BYTES, Oid, is_hex
from ldb.objects.batch import BatchWriter
from ldb.objects.blockcache import BlockCache
from ldb.objects.condemned import Lists, lists_among
from ldb.objects.loose import MAX_FILE, OBJECTS, loose_key, oid_of_key, pack_loose, parse_loose
from ldb.objects.model import Blob, BlobType, oid_of
from ldb.objects.pack import Pack
from ldb.objects.packformat import PACK_BYTES, PACKS, derived_from, pack_name
from ldb.objects.packread import OPENED_TOGETHER, PackReader, likely_first, opening

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ldb.objects.bulk import Group, Located

__all__ = ["BatchWriter", "ObjectStore", "StoreCounts"]

CACHE_BYTES = 16 * 1024 * 1024
"""Decompressed blocks kept for single reads, most recently used first."""

LOOKED_INTO = 8
"""Packs opened for each blob that is about to be written, to see whether it is there: more than
that cost more than writing it again. `ldb repack` drops what is there twice."""

SINGLY = (BlobType.COMMIT, BlobType.SETTINGS)
"""Kinds of blobs that are written one by one, and so are loose until `ldb repack`."""

SHOWN_MATCHES = 8


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """How much a store holds, without its fallback."""

    loose: int
    loose_bytes: int
    packs: int
    pack_bytes: int
    packed: dict[BlobType, int]
    """Blobs in packs by type; one that is in two packs counts twice."""
    derived: int
    """Files made from packs that lie beside them: columns and places."""
    derived_bytes: int


class ObjectStore:
    """The blobs under `objects/` of a backend; `fallback` is read where this one has none."""

    def __init__(self, backend: Backend, fallback: ObjectStore | None = None) -> None:
        self.backend = backend
        self.fallback = fallback
        self._packs: list[PackReader] | None = None
        self._loose: set[Oid] | None = None
        self._blocks = BlockCache(CACHE_BYTES)
        self.written: list[PackReader] = []
        """Packs that were written through this store."""
        self.lists: Lists | None = None
        """Condemned lists when packs were first listed: relying on blobs counts from here."""

    # -- one blob ----------------------------------------------------------------------

    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob:
        """The blob of this name; `NotFound`, `Corrupt`, or `BadInput` if of another kind."""
        blob = self._found(oid, singly=kind in SINGLY)
        if kind is not None and blob.type is not kind:
            raise BadInput(oid, f"is of type {blob.type.value}, not {kind.value}")
        return blob

    def has(self, oid: Oid) -> bool:
        """Whether the blob is here or in the fallback."""
        return any(layer._holds(oid) for layer in self._layers())

    def put(self, blob: Blob) -> Oid:
        """Write one blob, durable on return; nothing is done where this store has it."""
        oid = blob.oid
        if self._known(oid):
            return oid
        if self.salted:
            with self.writer() as writer:
                writer.add(blob.type, blob.payload, oid)
        else:
            self.backend.create(loose_key(oid), pack_loose(blob), unconditional=True)
            if self._loose is not None:
                self._loose.add(oid)
        return oid

    @property
    def salted(self) -> bool:
        """Whether files written here get names that were never there: once gc has been at work.

        Its deletes may come late, when the name is somebody else's.
        """
        self.packs()
        return self.lists is not None and self.lists.highest > 0

    def expand(self, hex_prefix: str) -> Oid:
        """The one oid that starts with these hex digits (6 at least)."""
        prefix = hex_prefix.lower()
        if not is_hex(prefix) or not MIN_PREFIX <= len(prefix) <= 2 * OID_BYTES:
            raise BadInput(hex_prefix, f"not {MIN_PREFIX} to {2 * OID_BYTES} hex digits")
        matches = self._matches(prefix)
        if not matches:
            self.refresh()
            matches = self._matches(prefix)
        if not matches:
            raise NotFound("blob", hex_prefix)
        if len(matches) > 1:
            shown = [str(oid) for oid in sorted(matches)[:SHOWN_MATCHES]]
            raise Ambiguous("blob", hex_prefix, shown)
        return matches.pop()

    # -- many blobs --------------------------------------------------------------------

    def get_many(self, oids: Sequence[Oid]) -> list[Blob]:
        """Blobs of any kinds, in the order of the oids; errors as for `get`."""
        if len(oids) < 3:
            return [self.get(oid) for oid in oids]
        from ldb.objects.oidtable import as_oids

        blobs: list[Blob | None] = [None] * len(oids)
        for group in self.groups(as_oids(b"".join(oids))):
            for position, payload in zip(group.positions.tolist(), group.payloads):
                blobs[position] = Blob(group.type, payload)
        return [blob for blob in blobs if blob is not None]

    def prefetch(self, oids: Sequence[Oid]) -> None:
        """Bring those that are loose here together, where one by one each would be a request."""
        if self.backend.far and oids:
            packed = self.packed(oids, thrifty=True)
            loose = [Range(loose_key(oid)) for oid, known in zip(oids, packed) if not known]
            with suppress(NotFound):  # whoever reads it says so
                self.backend.prefetch(loose)

    def scan(
        self, oids: NDArray[np.uint8], kind: BlobType
    ) -> Iterator[tuple[NDArray[np.int64], list[bytes]]]:
        """Payloads of an (n, 32) array of oids, in the order they are stored in.

        Yields (positions in `oids`, payloads) block by block; oids may repeat. All are
        located before the first is read, so `NotFound` comes first; `BadInput` where a
        blob is of another kind.
        """
        for group in self.groups(oids):
            if group.type is not kind:
                wrong = oids[group.positions[0]].tobytes().hex()
                raise BadInput(wrong, f"is of type {group.type.value}, not {kind.value}")
            yield group.positions, group.payloads

    def groups(self, oids: NDArray[np.uint8]) -> Iterator[Group]:
        """Blobs of any kinds, as they lie together; errors as for `get`."""
        import numpy as np

        from ldb.objects.bulk import Group, read_groups

        left = np.arange(len(oids))
        for attempt in range(2):
            packs, at = self._located(oids[left])
            found = np.zeros(len(left), np.bool_)
            try:
                for group in read_groups(packs, oids[left], at):
                    found[group.positions] = True
                    yield replace(group, positions=left[group.positions])
            except (NotFound, Corrupt) as error:
                # A pack has been removed since it was listed, and what it held lies in another;
                # or what this machine keeps of it is damaged.
                if attempt or (isinstance(error, Corrupt) and not self._distrust([error])):
                    raise
                self.refresh()
                left = left[~found]
                continue
            for position in left[at.missing]:
                blob = self._loose_blob(Oid(oids[position].tobytes()))
                yield Group(blob.type, position.reshape(1), [blob.payload])
            return

    def _located(self, oids: NDArray[np.uint8]) -> tuple[list[PackReader], Located]:
        """Packs, and where in them the oids are; raises unless the others are loose."""
        from ldb.objects.bulk import among, locate

        for attempt in range(2):
            packs = self.all_packs()
            at = locate(packs, oids)
            rest = at.missing
            for layer in self._layers():
                rest = rest[~among(oids[rest], layer._loose_oids())] if len(rest) else rest
            if not len(rest):
                break
            if not attempt:
                self._distrust(at.damaged)
                self.refresh()
        if len(rest):
            raise self._missing(oids[rest[0]].tobytes(), at.damaged)
        return packs, at

    def contains(self, oids: NDArray[np.uint8], own: bool = False) -> NDArray[np.bool_]:
        """Which of an (n, 32) array of oids are here, as last listed.

        In the fallback too, unless `own`.
        """
        from ldb.objects.bulk import ABSENT, among, locate

        layers = [self] if own else self._layers()
        packs = [pack for layer in layers for pack in layer.packs()]
        found: NDArray[np.bool_] = locate(packs, oids).pack != ABSENT
        for layer in layers:
            found |= among(oids, layer._loose_oids())
        return found

    def packed(self, oids: Sequence[Oid], thrifty: bool = False) -> list[bool]:
        """Which of the oids are in packs of this store itself.

        `thrifty` is for who may take some for missing that are there: few blobs are not looked for
        in many packs that nobody has opened yet.
        """
        packs = self._worth_opening(len(oids)) if thrifty else self.packs()
        if not packs:
            return [False] * len(oids)
        from ldb.objects.bulk import ABSENT, locate
        from ldb.objects.oidtable import as_oids

        found: list[bool] = (locate(packs, as_oids(b"".join(oids))).pack != ABSENT).tolist()
        return found

    def packed_rows(self, oids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The same of an (n, 32) array, `thrifty`."""
        from ldb.objects.bulk import ABSENT, locate

        found: NDArray[np.bool_] = locate(self._worth_opening(len(oids)), oids).pack != ABSENT
        return found

    def _worth_opening(self, blobs: int) -> list[PackReader]:
        """The packs that are open, and of the others so many as looking for the blobs is worth."""
        left = LOOKED_INTO * blobs
        packs = self.packs()
        if len(packs) <= left:
            return packs
        chosen = []
        for pack in packs:
            if pack.is_open or left:
                left -= not pack.is_open
                chosen.append(pack)
        return chosen

    def writer(self, max_bytes: int = PACK_BYTES) -> BatchWriter:
        """A context manager that writes packs of about `max_bytes` into this store."""
        return BatchWriter(self, max_bytes)

    # -- the whole store ---------------------------------------------------------------

    def refresh(self) -> None:
        """Forget what was listed: packs and loose blobs made by others show up."""
        for layer in self._layers():
            layer._packs = layer._list_packs({pack.key: pack for pack in layer._packs or []})
            layer._loose = None

    def packs(self) -> list[PackReader]:
        """The packs of this store, without the fallback's, in the order they are searched in."""
        if self._packs is None:
            self._packs = self._list_packs({}, self.backend.last_listed(PACKS))
        return self._packs

    def adopt(self, pack: Pack) -> None:
        """Take note of a pack that has just been published here."""
        if all(known.key != pack.key for known in self.packs()):
            self.packs().insert(0, PackReader(self.backend, pack.key, len(pack.data)))
            self.written.append(self.packs()[0])

    def loose(self) -> Iterator[Oid]:
        """Oids of the loose blobs of this store, sorted."""
        return iter(sorted(self._loose_oids()))

    def oids(self, kind: BlobType | None = None) -> Iterator[Oid]:
        """Every oid of this store, each once, of one kind or of all."""
        for rows in self.oid_arrays(kind):
            yield from map(Oid, map(bytes, rows))
        packed = self.packed(loose := list(self.loose()))
        for oid, known in zip(loose, packed):
            if not known and (kind is None or self.get(oid).type is kind):
                yield oid

    def oid_arrays(self, kind: BlobType | None = None) -> Iterator[NDArray[np.uint8]]:
        """The oids in packs as (n, 32) arrays, each oid once."""
        packs = self.packs()
        if not packs:
            return
        from ldb.objects.bulk import locate, oids_by_type

        for place, pack in enumerate(packs):
            oids = oids_by_type(pack, kind)
            yield oids[locate(packs[:place], oids).missing]

    def counts(self) -> StoreCounts:
        """Numbers of blobs and bytes, from a fresh listing."""
        self.refresh()
        packed = dict.fromkeys(BlobType, 0)
        for pack in self.packs():
            for block in pack.blocks():
                packed[block.type] += block.count
        entries = list(self.backend.list(OBJECTS))
        sizes = [entry.size for entry in entries if oid_of_key(entry.key)]
        derived = [entry.size for entry in entries if derived_from(entry.key)]
        return StoreCounts(
            len(sizes),
            sum(sizes),
            len(self.packs()),
            sum(pack.size for pack in self.packs()),
            packed,
            len(derived),
            sum(derived),
        )

    # -- inside ------------------------------------------------------------------------

    def _layers(self) -> list[ObjectStore]:
        return [self] if self.fallback is None else [self, *self.fallback._layers()]

    def all_packs(self) -> list[PackReader]:
        """The packs of this store and of the fallback, in the order they are searched in."""
        return [pack for layer in self._layers() for pack in layer.packs()]

    def _list_packs(
        self, known: dict[str, PackReader], listed: Iterable[Entry] | None = None
    ) -> list[PackReader]:
        packs, others = [], []
        for entry in likely_first(self.backend.list(PACKS) if listed is None else listed):
            if not pack_name(entry.key):
                others.append(entry.key)
            else:
                old = known.get(entry.key)
                same = old is not None and old.size == entry.size
                new = PackReader(self.backend, entry.key, entry.size)
                packs.append(old if same and old else new)
        if self.lists is None:
            self.lists = lists_among(others)
        return packs

    def _loose_oids(self) -> set[Oid]:
        if self._loose is None:
            keys = (entry.key for entry in self.backend.list(OBJECTS))
            self._loose = {oid for oid in map(oid_of_key, keys) if oid}
        return self._loose

    def _known(self, oid: Oid) -> bool:
        """The same for who is about to write the blob: asking must not cost more than that."""
        if not self.backend.far:
            packs = self._worth_opening(1)
            return bool(self._in_packs(packs, oid, []) or self._in_file(oid, []))
        return oid in (self._loose or ()) or any(self.packed([oid], thrifty=True))

    def _holds(self, oid: Oid) -> bool:
        """Whether this store itself has the blob (a damaged one does not count)."""
        return self._look(oid, []) is not None

    def _found(self, oid: Oid, singly: bool = False) -> Blob:
        """The blob, from wherever there is a sound copy of it."""
        for attempt in range(2):
            damaged: list[Corrupt] = []
            for layer in self._layers():
                blob = layer._look_for_loose(oid, damaged) if singly else None
                blob = blob or layer._look(oid, damaged)
                if blob is not None:
                    return blob
            if not attempt:
                self._distrust(damaged)
                self.refresh()
        raise self._missing(oid, damaged)

    def _loose_blob(self, oid: Oid) -> Blob:
        """A blob that no pack has: its file first, since looking through all packs is slow."""
        for layer in self._layers():
            if oid in layer._loose_oids():
                with suppress(Corrupt, NotFound):
                    data = layer.backend.read(loose_key(oid), 0, MAX_FILE + 1)
                    return parse_loose(data, oid)
        return self._found(oid)

    def _distrust(self, damaged: Sequence[Corrupt]) -> bool:
        """Drop what this machine keeps of damaged values; whether reading again may help."""
        dropped = False
        for layer in self._layers():
            told = " ".join(f"{each.oid} {each.where}" for each in damaged)
            for pack in [each for each in layer._packs or [] if each.key in told]:
                if layer.backend.forget(pack.key):
                    assert layer._packs is not None
                    layer._packs.remove(pack)  # it may have read what was damaged already
                    dropped = True
        if dropped:
            self._blocks = BlockCache(CACHE_BYTES)
        return dropped

    def _look(self, oid: Oid, damaged: list[Corrupt]) -> Blob | None:
        return self._in_packs(self.packs(), oid, damaged) or self._in_file(oid, damaged)

    def _look_for_loose(self, oid: Oid, damaged: list[Corrupt]) -> Blob | None:
        """Look for its file before the packs, but for so many as a request far away outweighs."""
        few = self.packs()[:OPENED_TOGETHER] if self.backend.far else []
        return self._in_packs(few, oid, damaged) or self._in_file(oid, damaged)

    def _in_packs(self, packs: list[PackReader], oid: Oid, damaged: list[Corrupt]) -> Blob | None:
        for pack in opening(packs):
            try:
                ordinal = pack.find_one(oid)
                if ordinal >= 0:
                    blob = self._packed_blob(pack, ordinal, oid)
                    self._put_first(pack)
                    return blob
            except Corrupt as error:
                damaged.append(error)
            except NotFound:  # the pack has been removed since it was listed
                continue
        return None

    def _in_file(self, oid: Oid, damaged: list[Corrupt]) -> Blob | None:
        try:
            return parse_loose(self.backend.read(loose_key(oid), 0, MAX_FILE + 1), oid)
        except Corrupt as error:
            damaged.append(error)
            self.backend.forget(loose_key(oid))
        except NotFound:
            pass
        return None

    def _packed_blob(self, pack: PackReader, ordinal: int, oid: Oid) -> Blob:
        found = self._blocks.payloads(pack, ordinal)
        block = found.block
        payload = found.blob(ordinal)
        if payload is None or oid_of(block.type, payload) != oid:
            raise Corrupt(oid, f"{pack.key}, block {block.number}: another hash")
        return Blob(block.type, payload)

    def _put_first(self, pack: PackReader) -> None:
        """Look into this pack first next time: what is read together was written together."""
        if self.packs()[0] is not pack:
            self._packs = [pack, *(other for other in self.packs() if other is not pack)]

    def _missing(self, oid: bytes, damaged: list[Corrupt]) -> Corrupt | NotFound:
        """Why a blob was not found: something damaged that could hold it, or it is not there."""
        for pack in self.all_packs():
            try:
                pack.check_slice(oid[0])
            except Corrupt as error:
                damaged.append(error)
        return damaged[0] if damaged else NotFound("blob", oid.hex())

    def _matches(self, prefix: str) -> set[Oid]:
        found: set[Oid] = set()
        damaged: list[Corrupt] = []
        for layer in self._layers():
            for pack in layer.packs():
                try:
                    found.update(pack.starting_with(prefix))
                except Corrupt as error:
                    damaged.append(error)
            start = f"{OBJECTS}{prefix[:2]}/{prefix[2:]}"
            found.update(filter(None, (oid_of_key(e.key) for e in layer.backend.list(start))))
        if damaged and not found:
            raise damaged[0]
        return found
