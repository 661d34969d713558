"""Files beside packs made anew where they are damaged or missing, and left-overs deleted."""

from __future__ import annotations

from contextlib import suppress

from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.columns.write import encode_columns
from ldb.errors import Corrupt, NotFound
from ldb.objects.columnfiles import shred_pack
from ldb.objects.columnsink import COLUMN_TYPES, FEWEST_ROWS
from ldb.objects.model import BlobType
from ldb.objects.packformat import PACKS, columns_key, derived_from, pack_key, pack_name
from ldb.objects.packread import PackReader
from ldb.objects.ranks import Ranks
from ldb.objects.store import ObjectStore
from ldb.places.file import places_key
from ldb.places.write import make_places
from ldb.porcelain.fsck.derived import Store, check_derived
from ldb.porcelain.fsck.files import YOUNG
from ldb.porcelain.fsck.report import Findings
from ldb.porcelain.gc.view import store_time
from ldb.progress import Progress


def mend_derived(
    backend: Backend, findings: Findings, mended: list[str], progress: Progress
) -> None:
    """Make columns and places anew; delete those without a pack, and old temporary files.

    `findings` know which packs are damaged, so that those vouch for nothing.
    """
    check_derived([Store(backend)], findings, progress)
    there = {entry.key for entry in backend.list(PACKS)}
    bad = {key for key in there if derived_from(key) and findings.names(key)}
    orphans = {key for key in there if (of := derived_from(key)) and pack_key(of[0]) not in there}
    backend.delete(sorted(bad | orphans))
    mended += [f"{key}: deleted, its pack is gone" for key in sorted(orphans)]
    store = ObjectStore(backend)
    for pack in store.packs():
        with suppress(Corrupt, NotFound, ValueError):  # a pack that could not be mended
            for key, data in _derived(store, pack, there - bad).items():
                backend.create(key, data, unconditional=True)
                mended.append(f"{key}: made anew")
    if isinstance(backend, LocalBackend):
        count = backend.delete_temporaries(store_time(backend) - YOUNG)
        mended += [f"tmp/: {count} file(s) of stopped commands deleted"] if count else []


def _derived(store: ObjectStore, pack: PackReader, there: set[str]) -> dict[str, bytes]:
    """The files that a pack should have beside it and has not."""
    name = pack_name(pack.key) or ""
    found: dict[str, bytes] = {}
    for kind in COLUMN_TYPES:
        key = columns_key(name, kind)
        if key not in there and Ranks(pack, kind).count >= FEWEST_ROWS:
            found[key] = encode_columns(shred_pack(pack, kind))
    key = places_key(name)
    if key not in there and Ranks(pack, BlobType.MAP).count:
        data = make_places(store, pack)
        if data is not None:
            found[key] = data
    return found
