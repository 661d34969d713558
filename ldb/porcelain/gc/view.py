"""What is garbage right now: lists, refs and packs, looked at in this order.

A version made while this goes on is either among the refs, or its writer looks at the
condemned lists after we have. Copies in condemned packs count for nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ldb.backends.base import Backend, Entry
from ldb.errors import Corrupt, NotFound, StoreFailed
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.objects.bulk import ABSENT, Located, locate, read_groups
from ldb.objects.condemned import (
    FOLDER,
    Condemned,
    Lists,
    read_condemned,
    read_lists,
)
from ldb.objects.loose import OBJECTS, oid_of_key
from ldb.objects.oidtable import Oids, as_oids
from ldb.objects.packformat import derived_from, pack_name
from ldb.objects.packread import PackReader
from ldb.porcelain.fsck.files import loose_part, sound_part
from ldb.porcelain.fsck.report import Findings
from ldb.porcelain.fsck.shelves import Part, Shelves
from ldb.porcelain.gc.copies import Copies
from ldb.porcelain.gc.mark import Marker, read_versions
from ldb.progress import Progress
from ldb.refs.store import Ref


@dataclass(frozen=True, slots=True)
class Stored:
    """The files below `objects/`."""

    packs: dict[str, Entry]
    loose: dict[Oid, Entry]
    derived: dict[str, list[Entry]]
    """Columns and places by the name of their pack."""

    def size(self, names: Condemned) -> int:
        """Bytes of these files, derived ones included."""
        packs = sum(self.packs[name].size for name in names.packs)
        beside = sum(each.size for name in names.packs for each in self.derived.get(name, ()))
        return packs + beside + sum(self.loose[oid].size for oid in names.loose)


@dataclass(frozen=True, slots=True)
class View:
    """Everything as it was found."""

    now: float
    """The store's time before anything was looked at."""
    lists: Lists
    condemned: Condemned
    """Names on active lists."""
    stored: Stored
    unused: Condemned
    """What nobody needs."""
    doubled: Condemned
    """What is not needed because packs that stay have it."""
    copies: Copies
    keepers: list[PackReader]
    """The packs that stay."""
    shelves: Shelves
    refs: list[Ref]

    @property
    def garbage(self) -> Condemned:
        return self.unused | self.doubled

    def without_sound_copy(self, doomed: Condemned) -> Condemned:
        """Those of these doubled files whose copies cannot all be read."""
        oids = self.copies.oids_of(doomed.packs)
        oids = np.concatenate((oids, as_oids(b"".join(doomed.loose))))
        lost = {row.tobytes() for row in _unreadable(self.keepers, oids)}
        if not lost:
            return Condemned()
        packs = [
            name
            for name in doomed.packs
            if any(row.tobytes() in lost for row in self.copies.oids_of([name]))
        ]
        return Condemned(frozenset(packs), frozenset(o for o in doomed.loose if o in lost))


def store_time(backend: Backend) -> float:
    """What time it is by the store's clock: that of a value just made."""
    for _ in range(TRIES):
        key = f"{FOLDER}clock-{secrets.token_hex(16)}"
        backend.create(key, b"")
        try:
            for entry in backend.list(key):
                return entry.stored
        finally:
            backend.delete([key])
    # Another gc clears old ones away: we must have slept each time.
    raise StoreFailed(backend.url, "a value just made is not listed")


def look(instance: Instance, grace: float, progress: Progress) -> View:
    """What there is, and what of it is garbage; raises `Corrupt` where that cannot be told.

    Of files stored less than `grace` seconds ago none is doubled: those are the newer copies.
    """
    for _ in range(TRIES - 1):
        with suppress(NotFound):  # another gc deleted what we were about to read
            return _look(instance, grace, progress)
    return _look(instance, grace, progress)


def _look(instance: Instance, grace: float, progress: Progress) -> View:
    backend = instance.backend
    now = store_time(backend)
    lists, condemned = _condemned(backend)
    refs = read_versions(backend)
    stored = _stored(backend)
    readers = _readers(instance, stored.packs)
    shelves = Shelves([*_parts(readers), _loose(backend, stored.loose)])
    Marker(instance.objects, shelves, progress).mark(refs)
    copies = Copies(shelves, condemned.packs)
    used = {name for name, count in zip(copies.files, copies.used.tolist()) if count}
    old = [e for e in stored.packs.items() if e[1].stored <= now - grace or e[0] in condemned.packs]
    order = [name for name, _ in sorted(old, key=lambda each: (each[1].stored, each[0]))]
    spared = copies.spare([name for name in order if name in used])
    gone = condemned.packs | spared
    keepers = [reader for name, reader in readers.items() if name in used and name not in gone]
    needed = {Oid(row.tobytes()) for row in copies.oids_of([LOOSE])}
    doubled = _found_in(keepers, needed)
    return View(
        now=now,
        lists=lists,
        condemned=condemned,
        stored=stored,
        unused=Condemned(frozenset(readers) - used, frozenset(stored.loose) - needed),
        doubled=Condemned(frozenset(spared), frozenset(doubled)),
        copies=copies,
        keepers=keepers,
        shelves=shelves,
        refs=refs,
    )


TRIES = 5

LOOSE = "loose"
"""What loose blobs together are called on the shelves."""


def _condemned(backend: Backend) -> tuple[Lists, Condemned]:
    for _ in range(TRIES):
        lists = read_lists(backend)
        with suppress(NotFound):  # another gc has just finished one
            return lists, read_condemned(backend, lists.active)
    raise StoreFailed(backend.url, "condemned lists come and go", "try again")


def _stored(backend: Backend) -> Stored:
    packs: dict[str, Entry] = {}
    loose: dict[Oid, Entry] = {}
    derived: dict[str, list[Entry]] = {}
    for entry in backend.list(OBJECTS):
        if name := pack_name(entry.key):
            packs[name] = entry
        elif oid := oid_of_key(entry.key):
            loose[oid] = entry
        elif made := derived_from(entry.key):
            derived.setdefault(made[0], []).append(entry)
    return Stored(packs, loose, derived)


def _readers(instance: Instance, packs: dict[str, Entry]) -> dict[str, PackReader]:
    """A reader for each pack, its tables proven."""
    instance.objects.refresh()
    known = {pack.key: pack for pack in instance.objects.packs()}
    found = {}
    for name, entry in packs.items():
        reader = known.get(entry.key) or PackReader(instance.backend, entry.key, entry.size)
        try:
            reader.check_table()
        except NotFound:  # deleted since it was listed: by another gc, as garbage
            continue
        found[name] = reader
    return found


def _parts(readers: dict[str, PackReader]) -> Iterable[Part]:
    return [sound_part(reader, name) for name, reader in readers.items()]


def _loose(backend: Backend, loose: dict[Oid, Entry]) -> Part:
    findings = Findings()
    part = loose_part(backend, list(loose.items()), LOOSE, findings)
    for problem in findings.report().problems:
        raise Corrupt(problem.name.removeprefix(LOOSE), problem.why)
    return part


def _found_in(keepers: list[PackReader], oids: Collection[Oid]) -> set[Oid]:
    listed = list(oids)
    hit = locate(keepers, as_oids(b"".join(listed))).pack != ABSENT
    return {oid for oid, there in zip(listed, hit.tolist()) if there}


def _unreadable(keepers: list[PackReader], oids: Oids) -> Oids:
    """Those that cannot be read from the packs that stay."""
    at = locate(keepers, oids)
    bad = at.pack == ABSENT
    for place in at.packs():
        mine = at.pack == place
        only = Located(np.where(mine, at.pack, ABSENT).astype(np.int32), at.ordinal, [])
        try:
            for _ in read_groups(keepers, oids, only):
                pass
        except (Corrupt, NotFound):
            bad |= mine
    unreadable: Oids = oids[bad]
    return unreadable
