"""`ldb repack`: many small packs and loose blobs become few large packs.

Only what versions need is copied, once; refs are not touched and nothing is deleted: the
old packs have become garbage, which `ldb gc` takes away. Annotations and records keep the
order in which they were written, so that neighbours compress well; nodes of maps stand in the
order in which the newest versions are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.garbage.rescue import CopyWriter
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.objects.bulk import ABSENT, locate, read_groups
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids
from ldb.objects.packformat import PACK_BYTES, pack_name
from ldb.objects.packread import PackReader
from ldb.objects.ranks import Ranks
from ldb.places.write import write_places
from ldb.porcelain.gc.mark import Marker
from ldb.porcelain.gc.view import LOOSE, View, look
from ldb.progress import SILENT, Progress

SMALL = 16 * 1024 * 1024
"""Packs of fewer bytes are consolidated."""

SPARSE = 0.5
"""Packs of whose blobs a smaller share is needed are written anew."""

BLOBS = 2_000_000
"""Blobs of packs that are consolidated at a time: bounds memory."""

NODES = 2048
"""Map nodes read together, whatever order they are stored in."""

_APART = (BlobType.ANNOTATION, BlobType.RECORD)
"""Types that get packs of their own where there is more than one pack's worth."""


@dataclass(slots=True)
class RepackReport:
    """What was consolidated, or would be."""

    dry_run: bool
    packs: int = 0
    loose: int = 0
    bytes: int = 0
    """Of these."""
    blobs: int = 0
    """Copied."""
    new_packs: int = 0
    new_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What is consolidated together: packs in the order in which they were written."""

    packs: list[PackReader]
    loose: list[Oid]
    bytes: int


def repack(
    instance: Instance, *, dry_run: bool = False, progress: Progress = SILENT
) -> RepackReport:
    """Consolidate; raises `Corrupt` where it cannot be told what is needed, or read."""
    report = RepackReport(dry_run)
    view = look(instance, 0.0, progress)
    inputs = list(_inputs(view))
    if not _pays(inputs):
        return report
    for each in inputs:
        report.packs += len(each.packs)
        report.loose += len(each.loose)
        report.bytes += each.bytes
        if not dry_run:
            _Consolidation(instance, view, each, report, progress).run()
    return report


def _inputs(view: View) -> Iterator[_Inputs]:
    """Small and sparse packs that nothing else makes needless, and all loose blobs."""
    used = dict(zip(view.copies.files, view.copies.used.tolist()))
    stored = view.stored
    chosen = [
        pack
        for pack in sorted(view.keepers, key=lambda each: stored.packs[_name(each)].stored)
        if pack.size < SMALL or used[_name(pack)] < SPARSE * len(pack)
    ]
    loose = sorted(frozenset(stored.loose) - view.garbage.loose - view.condemned.loose)
    size = sum(stored.loose[oid].size for oid in loose)
    batch: list[PackReader] = []
    for pack in chosen:
        if batch and sum(map(len, batch)) + len(pack) > BLOBS:
            yield _Inputs(batch, loose, size + sum(each.size for each in batch))
            batch, loose, size = [], [], 0
        batch.append(pack)
    if batch or loose:
        yield _Inputs(batch, loose, size + sum(each.size for each in batch))


def _pays(inputs: list[_Inputs]) -> bool:
    """Whether there will be fewer files afterwards; a pack that is sparse is reason enough."""
    if any(pack.size >= SMALL for each in inputs for pack in each.packs):
        return True
    size = sum(each.bytes for each in inputs)
    after = -(-size // PACK_BYTES) + (len(_APART) if size > PACK_BYTES else 0)
    return sum(len(each.packs) + len(each.loose) for each in inputs) > after


def _name(pack: PackReader) -> str:
    return pack_name(pack.key) or ""


class _Consolidation:
    """One lot of packs and loose blobs, written anew."""

    def __init__(
        self,
        instance: Instance,
        view: View,
        inputs: _Inputs,
        report: RepackReport,
        progress: Progress,
    ) -> None:
        self._instance = instance
        self._view = view
        self._inputs = inputs
        self._report = report
        self._progress = progress
        self._oids = self._wanted()
        self._keys = _keys(self._oids)
        self._todo = np.ones(len(self._oids), np.bool_)
        whole = CopyWriter(instance.objects)
        apart = inputs.bytes > PACK_BYTES
        self._writers = {
            kind: CopyWriter(instance.objects) if apart and kind in _APART else whole
            for kind in BlobType
        }

    def run(self) -> None:
        """Copy, publish, and write places beside the new packs."""
        self._progress.start("copying blobs", len(self._oids))
        for pack in self._inputs.packs:
            self._copy_pack(pack)
        self._copy_loose()
        self._copy_nodes()
        writers = list({id(each): each for each in self._writers.values()}.values())
        for writer in writers:
            writer.flush()
        names = {name for writer in writers for name in writer.packs}
        self._report.new_packs += len(names)
        self._report.new_bytes += sum(writer.bytes for writer in writers)
        self._instance.objects.refresh()
        for pack in self._instance.objects.packs():
            if _name(pack) in names:
                write_places(self._instance.objects, pack)

    def _wanted(self) -> Oids:
        """Needed blobs of the inputs that no pack has which stays as it is; sorted."""
        names = {_name(pack) for pack in self._inputs.packs}
        files = names | ({LOOSE} if self._inputs.loose else set())
        oids = self._view.copies.oids_of(files)
        others = [pack for pack in self._view.keepers if _name(pack) not in names]
        oids = oids[locate(others, oids).pack == ABSENT]
        unique = np.unique(_keys(oids))
        return np.frombuffer(unique.tobytes(), np.uint8).reshape(-1, 32)

    def _take(self, oids: Oids) -> NDArray[np.bool_]:
        """Which of these are still to be copied; they are not any more. No oid twice."""
        at = np.minimum(self._keys.searchsorted(_keys(oids)), max(len(self._keys) - 1, 0))
        if not len(self._keys):
            return np.zeros(len(oids), np.bool_)
        mine: NDArray[np.bool_] = (self._keys[at] == _keys(oids)) & self._todo[at]
        self._todo[at[mine]] = False
        return mine

    def _copy_pack(self, pack: PackReader) -> None:
        """All but map nodes, in the order of the pack."""
        oids = pack.columns.oids()
        nodes = np.isin(pack.columns.ordinals, Ranks(pack, BlobType.MAP).ordinals())
        oids = oids[~nodes]
        oids = oids[self._take(oids)]
        for group in read_groups([pack], oids, locate([pack], oids)):
            self._write(group.type, oids[group.positions], group.payloads)

    def _copy_loose(self) -> None:
        for oid in self._inputs.loose:
            column = np.frombuffer(oid, np.uint8).reshape(1, 32)
            blob = self._instance.objects.get(oid)
            if blob.type is not BlobType.MAP and self._take(column).any():
                self._write(blob.type, column, [blob.payload])

    def _copy_nodes(self) -> None:
        """Map nodes, as the newest versions have them."""
        marker = Marker(self._instance.objects, self._view.shelves, self._progress)
        for kind, oids in marker.reached(self._view.refs):
            if kind is BlobType.MAP:
                wanted = oids[self._take(oids)]
                for at in range(0, len(wanted), NODES):
                    self._copy_some_nodes(wanted[at : at + NODES])

    def _copy_some_nodes(self, oids: Oids) -> None:
        payloads: list[bytes] = [b""] * len(oids)
        for positions, found in self._instance.objects.scan(oids, BlobType.MAP):
            for position, payload in zip(positions.tolist(), found):
                payloads[position] = payload
        self._write(BlobType.MAP, oids, payloads)

    def _write(self, kind: BlobType, oids: Oids, payloads: Iterable[bytes]) -> None:
        self._writers[kind].add(kind, [Oid(row.tobytes()) for row in oids], list(payloads))
        self._report.blobs += len(oids)
        self._progress.advance(len(oids))


def _keys(oids: Oids) -> NDArray[np.bytes_]:
    """The same as one value each, which sort as oids do."""
    return np.ascontiguousarray(oids).view("S32").ravel()
