"""Files made from packs that lie beside them: columns and places.

Whatever is wrong with one, nothing is lost: readers make it again, or do without it. But a
sound checksum over wrong content would give wrong answers, so the content is compared with
what the pack gives. A pack that is damaged itself can vouch for nothing; then only the
file's own sums are looked at. Formats: docs/formats/columns.md and places.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ldb.backends.base import Backend, Buffer, Entry
from ldb.columns import layout
from ldb.columns.build import from_values
from ldb.columns.compare import Differences, differences
from ldb.columns.model import Column, Positions
from ldb.columns.read import open_columns
from ldb.errors import Corrupt, LdbError, NotFound
from ldb.ids import Oid
from ldb.objects.codec import decode
from ldb.objects.columnfiles import shred_pack
from ldb.objects.model import BlobType
from ldb.objects.packcheck import oids_by_ordinal
from ldb.objects.packformat import PACKS, derived_from, pack_key, pack_name
from ldb.objects.packread import PackReader
from ldb.objects.ranks import Ranks
from ldb.places.file import parse_places
from ldb.porcelain.fsck.places import check_header, check_places
from ldb.porcelain.fsck.report import Findings
from ldb.progress import Progress

HARMLESS = "nothing is lost: delete the file, it is made again from its pack"

_KINDS = {f"{kind.value}.arrow": kind for kind in BlobType}


@dataclass(frozen=True, slots=True)
class Store:
    """Where packs lie: `prefix` goes before keys in names."""

    backend: Backend
    prefix: str = ""


def check_derived(stores: Sequence[Store], findings: Findings, progress: Progress) -> None:
    """Check all derived files; places in a store may lead to packs of any of them."""
    listed = [(store, list(store.backend.list(PACKS))) for store in stores]
    packs: dict[str, PackReader] = {}
    sound: set[str] = set()
    for store, entries in listed:
        for each in entries:
            name = pack_name(each.key)
            if name and name not in sound:
                packs[name] = PackReader(store.backend, each.key, each.size)
                if not findings.names(store.prefix + each.key):
                    sound.add(name)
    check = _Check(packs, sound, findings)
    files = [(store, e) for store, entries in listed for e in entries if derived_from(e.key)]
    progress.start("checking columns and places", sum(entry.size for _, entry in files))
    for store, entry in files:
        check.file(store, entry)
        progress.advance(entry.size)


class _Check:
    def __init__(self, packs: dict[str, PackReader], sound: set[str], findings: Findings) -> None:
        self._packs = packs
        self._sound = {name: pack for name, pack in packs.items() if name in sound}
        self._findings = findings

    def file(self, store: Store, entry: Entry) -> None:
        """Check one file; what is wrong goes to the findings."""
        name, suffix = derived_from(entry.key) or ("", "")
        label = store.prefix + entry.key
        if name not in self._packs:
            pack = store.prefix + pack_key(name)
            why = f"{label} belongs to {pack}, which is not there; it can be deleted"
            self._findings.note(why, "files beside packs that are not there")
            self._findings.lost_packs[str(pack)] = None
            return
        try:
            data = store.backend.read(entry.key)
            if suffix in _KINDS:
                self._columns(data, label, self._sound.get(name), _KINDS[suffix])
            else:
                self._places(data, label, self._sound.get(name))
        except NotFound:  # removed since it was listed
            pass
        except Corrupt as error:
            self._findings.problem(label, f"damaged: {error.where}; {HARMLESS}")
        except LdbError as error:
            self._findings.problem(label, f"{error}; {HARMLESS}")

    def _columns(self, data: Buffer, label: str, pack: PackReader | None, kind: BlobType) -> None:
        view = memoryview(data)
        held = open_columns(lambda start, stop: view[start:stop], len(view), label)
        layout.check_rest(view, label)
        if pack is None:
            return
        count = Ranks(pack, kind).count
        if held.size != count:
            raise Corrupt(label, f"{held.size} rows where its pack has {count} {kind.value}s")
        rows = _wrong_rows(held, pack, kind)
        if len(rows):
            ordinal = Ranks(pack, kind).ordinals()[rows[0]]
            oid = Oid(oids_by_ordinal(pack)[ordinal].tobytes())
            why = f"{len(rows)} rows are not what its pack holds, first that of {oid}"
            raise Corrupt(label, why)

    def _places(self, data: Buffer, label: str, pack: PackReader | None) -> None:
        file = parse_places(data, label)
        check_header(data, label)
        gone = [each.name for each in file.packs if each.name not in self._packs]
        if gone:
            why = f"{label} names {len(gone)} pack(s) that are not there any more"
            self._findings.note(why, "places in packs that are not there")
        if pack is not None:
            check_places(file, pack, self._sound, label)


def _wrong_rows(held: Column, pack: PackReader, kind: BlobType) -> Positions:
    """Rows that are not what the blobs say."""
    try:
        true = shred_pack(pack, kind)
    except ValueError:
        why = "columns of blobs that are not all MessagePack"
        raise Corrupt(pack.key, why) from None
    found = differences(held, true)
    unsure = np.flatnonzero(found.unsure)
    wrong = found.wrong
    if len(unsure):
        again = _by_value(held, pack, kind, unsure)
        wrong[unsure] = again.wrong | again.unsure
    return np.flatnonzero(wrong)


def _by_value(held: Column, pack: PackReader, kind: BlobType, rows: Positions) -> Differences:
    """The same for rows that shredding gave up: it has limits that `from_values` has not."""
    wanted = Ranks(pack, kind).ordinals()[rows]
    values = []
    for block in pack.read_blocks(each for each in pack.blocks() if each.type is kind):
        first = block.block.first
        inside = wanted[(wanted >= first) & (wanted < first + block.block.count)]
        if len(inside):
            payloads = block.all()
            values += [decode(payloads[at]) for at in (inside - first).tolist()]
    return differences(held.take(rows), from_values(values))
