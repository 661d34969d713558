"""`ldb fsck --repair`: make good again what can be, out of the instance or of a copy of it.

Files that are damaged are replaced by the copy's; blobs that are missing or cannot be read
are written once more from wherever a sound copy is; refs come last, once all they need is
there; what is derived is made anew. A damaged file goes only when everything in it that can be
read, and everything that versions need, lies elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ldb.backends.base import Backend
from ldb.errors import BadInput, Conflict, Corrupt, LdbError, NotFound
from ldb.garbage.reach import reach_maps, record_histories
from ldb.garbage.rescue import CopyWriter
from ldb.history import decode_commit, roots_of
from ldb.ids import Oid
from ldb.instance import INSTANCE_KEY, open_instance
from ldb.objects.condemned import list_key, read_condemned, read_lists
from ldb.objects.loose import OBJECTS, oid_of_key, parse_loose
from ldb.objects.model import Blob, BlobType
from ldb.objects.oidtable import Oids, as_oids
from ldb.objects.packcheck import verify
from ldb.objects.packformat import pack_name
from ldb.objects.packread import PackReader
from ldb.objects.store import ObjectStore
from ldb.porcelain.fsck.files import blob_files, ref_file
from ldb.porcelain.fsck.mend_derived import mend_derived
from ldb.porcelain.fsck.report import Findings
from ldb.porcelain.fsck.shelves import DAMAGED, MISSING, Codes, Part, Shelves
from ldb.porcelain.gc.lists import finish
from ldb.progress import SILENT, Progress
from ldb.refs.name import RefKind
from ldb.refs.store import Ref, decode

Positions = NDArray[np.int64]


@dataclass(slots=True)
class Repaired:
    """What was done, and what could not be, a line each."""

    mended: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def repair(backend: Backend, copy: Backend | None = None, progress: Progress = SILENT) -> Repaired:
    """Mend the instance on `backend`, also out of `copy`; raises `Conflict` for another's copy."""
    done = Repaired()
    _mend_instance(backend, copy, done)
    _mend_lists(backend, done)
    missing = _mend_refs(backend, copy, done)
    parts = _mend_files(backend, copy, done, progress)
    mending = _Mending(backend, copy, parts, progress)
    _mend_versions(backend, mending, done, progress)
    _bring_refs(backend, copy, mending, missing, done)
    findings = _drop_damaged(backend, mending, done)
    if mending.written:
        done.mended.append(f"{len(mending.written)} blob(s) written once more, from sound copies")
    mend_derived(backend, findings, done.mended, progress)
    return done


# -- single files ----------------------------------------------------------------------


def _mend_instance(backend: Backend, copy: Backend | None, done: Repaired) -> None:
    """The first file of all; both must be copies of one instance."""
    try:
        mine = open_instance(backend).id
    except (NotFound, Corrupt):
        if copy is None:
            raise
        open_instance(copy)
        backend.create(INSTANCE_KEY, copy.read(INSTANCE_KEY), unconditional=True)
        done.mended.append(f"{INSTANCE_KEY}: taken from the copy")
        return
    if copy is not None and open_instance(copy).id != mine:
        raise Conflict(f"instance at {copy.url}", f"a copy of {backend.url}", "another instance")


def _mend_lists(backend: Backend, done: Repaired) -> None:
    """Finish condemned lists that cannot be read: their names are garbage, and found again."""
    for number in read_lists(backend).active:
        try:
            read_condemned(backend, [number])
        except NotFound:
            pass
        except LdbError:
            finish(backend, number)
            done.mended.append(f"{list_key(number)}: dropped; gc makes another")


def _mend_refs(backend: Backend, copy: Backend | None, done: Repaired) -> list[Ref]:
    """Replace damaged ref files; the copy's versions that are not here at all."""
    theirs = {ref.name.key(ref.number): ref for ref in _sound_refs(copy)} if copy else {}
    here = [entry.key for entry in backend.list("refs/") if ref_file(entry.key)]
    for key in here:
        if _ref(backend, key) is None:
            if copy is not None and key in theirs:
                backend.create(key, copy.read(key), unconditional=True)
                done.mended.append(f"{key}: taken from the copy")
            else:
                done.lost.append(f"{key}: damaged, and there is no sound copy")
    return [ref for key, ref in theirs.items() if key not in set(here)]


def _ref(backend: Backend, key: str) -> Ref | None:
    file = ref_file(key)
    try:
        return decode(file.name, file.number, bytes(backend.read(key)), key) if file else None
    except LdbError:
        return None


def _sound_refs(backend: Backend) -> list[Ref]:
    found = (_ref(backend, entry.key) for entry in backend.list("refs/"))
    return sorted(filter(None, found), key=lambda ref: (ref.name, ref.number))


def _mend_files(
    backend: Backend, copy: Backend | None, done: Repaired, progress: Progress
) -> list[Part]:
    """Replace damaged packs and loose blobs; what is in all of them."""
    findings = Findings()
    parts = list(blob_files(backend, "", (INSTANCE_KEY,), findings, progress))
    if copy is None or not findings.damaged:
        return parts
    mended = []
    for entry in backend.list("objects/"):
        if findings.names(entry.key) and _is_sound(copy, entry.key):
            backend.create(entry.key, copy.read(entry.key), unconditional=True)
            mended.append(f"{entry.key}: taken from the copy")
    done.mended += mended
    if mended:
        parts = list(blob_files(backend, "", (INSTANCE_KEY,), Findings(), progress))
    return parts


def _is_sound(backend: Backend, key: str) -> bool:
    size = next((each.size for each in backend.list(key) if each.key == key), None)
    if size is None:
        return False
    try:
        if pack_name(key):
            return not verify(PackReader(backend, key, size))
        oid = oid_of_key(key)
        return oid is not None and bool(parse_loose(backend.read(key), oid))
    except LdbError:
        return False


# -- blobs -----------------------------------------------------------------------------


class _Anywhere:
    """Reads a blob from whichever place has a sound copy of it."""

    def __init__(self, backend: Backend, copy: Backend | None) -> None:
        own = ObjectStore(backend)
        self._store = own if copy is None else ObjectStore(copy, fallback=own)

    def get(self, oid: Oid, kind: BlobType | None = None) -> Blob:
        return self._store.get(oid, kind)

    def scan(self, oids: Oids, kind: BlobType) -> Iterator[tuple[Positions, list[bytes]]]:
        try:
            found = list(self._store.scan(oids, kind))
        except Corrupt:  # one copy is damaged, which need not be the only one
            found = [
                (np.array([at]), [self.get(Oid(row.tobytes()), kind).payload])
                for at, row in enumerate(oids)
            ]
        yield from found


class _Mending:
    """Writes blobs once more that versions need and that are missing or damaged here."""

    def __init__(
        self, backend: Backend, copy: Backend | None, parts: list[Part], progress: Progress
    ) -> None:
        self._source = _Anywhere(backend, copy)
        self._shelves = Shelves(parts)
        self._progress = progress
        self._writer = CopyWriter(ObjectStore(backend), salted=True)
        self._commits: set[Oid] = set()
        self._nodes: set[Oid] = set()
        self.written: set[Oid] = set()
        self.gone: set[Oid] = set()
        """Blobs that versions need, and that cannot be read anywhere."""

    def flush(self) -> None:
        """Publish what was written so far."""
        self._writer.flush()

    def version(self, ref: Ref) -> str:
        """Write what a version needs; what is wrong with it still, or nothing."""
        assert ref.target is not None
        if self.gone:  # what another version lacks too must be met again
            self._commits, self._nodes = set(), set()
        lacking: set[Oid] = set()
        try:
            if ref.name.kind is RefKind.SETTINGS:
                self._see(as_oids(ref.target), lacking)
            else:
                self._commit(ref.target, lacking)
        except (NotFound, Corrupt, BadInput) as error:
            self._commits, self._nodes = set(), set()
            return str(error)
        return f"{len(lacking)} blob(s) are gone, {min(lacking)} first" if lacking else ""

    def write(self, oid: Oid) -> bool:
        """Write a blob once more; whether there is a sound copy to write."""
        if oid in self.written:
            return True
        try:
            blob = self._source.get(oid)
        except (NotFound, Corrupt):
            return False
        self._writer.add(blob.type, [oid], [blob.payload])
        self.written.add(oid)
        return True

    def _commit(self, start: Oid, lacking: set[Oid]) -> None:
        waiting = [start]
        while waiting:
            oid = waiting.pop()
            if oid in self._commits:
                continue
            self._commits.add(oid)
            self._see(as_oids(oid), lacking)
            commit = decode_commit(self._source.get(oid, BlobType.COMMIT).payload, oid)
            for kind, oids in reach_maps(self._source, roots_of(commit), self._nodes):
                self._see(oids, lacking)
                if kind is BlobType.RECORD:
                    self._see(record_histories(self._source, oids), lacking)
            waiting += commit.parents

    def _see(self, oids: Oids, lacking: set[Oid]) -> None:
        """Write those once more that are not sound here."""
        codes = self._shelves.look(oids)
        self._progress.advance(len(oids))
        for at in np.flatnonzero(_unsound(codes)).tolist():
            oid = Oid(oids[at].tobytes())
            if not self.write(oid):
                lacking.add(oid)
                self.gone.add(oid)


def _unsound(codes: Codes) -> NDArray[np.bool_]:
    unsound: NDArray[np.bool_] = (codes == MISSING) | (codes == DAMAGED)
    return unsound


def _mend_versions(backend: Backend, mending: _Mending, done: Repaired, progress: Progress) -> None:
    progress.start("looking what versions need")
    for ref in _sound_refs(backend):
        if ref.target is not None and (why := mending.version(ref)):
            done.lost.append(f"{ref}: {why}")
    mending.flush()


def _bring_refs(
    backend: Backend, copy: Backend | None, mending: _Mending, missing: list[Ref], done: Repaired
) -> None:
    """Versions that only the copy has, once all that they need is here."""
    for ref in missing:
        key = ref.name.key(ref.number)
        why = mending.version(ref) if ref.target is not None else ""
        if why or copy is None:
            done.lost.append(f"{ref}: not taken from the copy: {why}")
            continue
        mending.flush()
        backend.create(key, copy.read(key))
        done.mended.append(f"{ref}: taken from the copy")


def _drop_damaged(backend: Backend, mending: _Mending, done: Repaired) -> Findings:
    """Delete damaged files, once all that can be read in them lies elsewhere; what was found."""
    findings = Findings()
    parts = list(blob_files(backend, "", (INSTANCE_KEY,), findings, SILENT))
    for part in parts:
        if not part.loose and findings.names(part.name):
            others = [each for each in parts if each is not part]
            if _drop(backend, part, others, mending, done):
                parts = others
    for entry in list(backend.list(OBJECTS)):
        oid = oid_of_key(entry.key)
        if oid is not None and findings.names(entry.key) and oid not in mending.gone:
            backend.delete([entry.key])
            done.mended.append(f"{entry.key}: deleted, it cannot be read and is not needed")
    return findings


def _drop(
    backend: Backend, part: Part, others: list[Part], mending: _Mending, done: Repaired
) -> bool:
    oids = part.columns.oids()
    alone = _unsound(Shelves(others).look(oids))
    readable = part.codes != DAMAGED
    for at in np.flatnonzero(alone & readable).tolist():
        mending.write(Oid(oids[at].tobytes()))
    mending.flush()
    lost = {Oid(row.tobytes()) for row in oids[alone & ~readable]} & mending.gone
    if lost:
        done.lost.append(f"{part.name}: kept, {len(lost)} needed blob(s) in it cannot be read")
        return False
    backend.delete([part.name])
    done.mended.append(f"{part.name}: deleted, what could be read in it lies elsewhere")
    return True
