"""Everything that versions need: refs, commits, maps, and what their rows name.

Where anything is missing or damaged marking stops: what is below it cannot be known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ldb.backends.base import Backend
from ldb.errors import Corrupt, NotFound, Unsupported
from ldb.garbage.reach import reach_maps, record_histories
from ldb.history import decode_commit, roots_of
from ldb.ids import Oid
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids, as_oids
from ldb.objects.store import ObjectStore
from ldb.porcelain.fsck.files import ref_file
from ldb.porcelain.fsck.shelves import DAMAGED, MISSING, Shelves
from ldb.progress import Progress
from ldb.refs.name import RefKind
from ldb.refs.store import Ref, decode

RECORDS = 256 * 1024
"""Records read together."""

_ORDER = (RefKind.INDEX, RefKind.DATASET, RefKind.SETTINGS)


def read_versions(backend: Backend) -> list[Ref]:
    """Every version that names a commit: newest ones first, of the index before others.

    Raises `Corrupt` for one that cannot be read, `Unsupported` for a kind of the future.
    """
    found: list[Ref] = []
    for entry in backend.list("refs/"):
        file = ref_file(entry.key)
        if file is None:
            raise Unsupported(f"gc beside {entry.key}, which is no ref that this build knows")
        data = bytes(backend.read(entry.key))
        found.append(decode(file.name, file.number, data, file.key))
    newest = {ref.name: ref.number for ref in sorted(found, key=lambda ref: ref.number)}
    found.sort(key=lambda ref: (newest[ref.name] != ref.number, _ORDER.index(ref.name.kind)))
    return [ref for ref in found if ref.target is not None]


class Marker:
    """Marks what versions need as used on the shelves."""

    def __init__(self, store: ObjectStore, shelves: Shelves, progress: Progress) -> None:
        self._store = store
        self._shelves = shelves
        self._progress = progress
        self._nodes: set[Oid] = set()
        self._commits: set[Oid] = set()

    def mark(self, refs: Iterable[Ref]) -> None:
        """Mark all that these versions need."""
        self._progress.start("looking what versions need")
        try:
            self._mark(refs)
        except NotFound as error:
            if error.kind != "blob":  # a file that was there a moment ago
                raise
            raise Corrupt(error.name, "a version needs it, and it is missing") from None
        self._shelves.same_used()

    def _mark(self, refs: Iterable[Ref]) -> None:
        for _, oids in self.reached(refs):
            self._look(oids)
            self._progress.advance(len(oids))
        for records in self._shelves.used(BlobType.RECORD, RECORDS):
            self._look(record_histories(self._store, records))

    def reached(self, refs: Iterable[Ref]) -> Iterator[tuple[BlobType, Oids]]:
        """Blobs that versions need, in the order of refs and rows; not histories of records."""
        targets: dict[bool, list[Oid]] = {True: [], False: []}
        for ref in refs:
            if ref.target is not None:
                targets[ref.name.kind is RefKind.SETTINGS].append(ref.target)
        yield BlobType.SETTINGS, as_oids(b"".join(targets[True]))
        roots: list[Oid] = []
        waiting = targets[False]
        while waiting := [oid for oid in dict.fromkeys(waiting) if oid not in self._commits]:
            self._commits.update(waiting)
            yield BlobType.COMMIT, as_oids(b"".join(waiting))
            blobs = self._store.get_many(waiting)
            commits = [decode_commit(each.payload, oid) for oid, each in zip(waiting, blobs)]
            roots += [root for commit in commits for root in roots_of(commit)]
            waiting = [oid for commit in commits for oid in commit.parents]
        yield from reach_maps(self._store, roots, self._nodes)

    def _look(self, oids: Oids) -> None:
        codes = self._shelves.look(oids)
        for code, why in ((MISSING, "is missing"), (DAMAGED, "is damaged")):
            if (codes == code).any():
                row = oids[int((codes == code).argmax())]
                raise Corrupt(Oid(row.tobytes()), f"a version needs it, and it {why}")
