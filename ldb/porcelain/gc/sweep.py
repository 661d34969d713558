"""Deleting what is on condemned lists, and garbage still."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ldb.backends.base import Backend
from ldb.errors import NotFound
from ldb.instance import Instance
from ldb.objects.condemned import Condemned, read_condemned
from ldb.objects.packformat import pack_name
from ldb.places.find import load_places
from ldb.places.write import write_places
from ldb.porcelain.gc.lists import Claim, finish
from ldb.porcelain.gc.report import Amount, GcReport
from ldb.porcelain.gc.view import Stored, View
from ldb.progress import Progress

BATCH = 200
"""Packs or blobs deleted by one call."""


def sweep(
    backend: Backend, claims: list[Claim], view: View, report: GcReport, progress: Progress
) -> None:
    """Delete the garbage on claimed lists; the first failed delete ends it (`StoreFailed`)."""
    progress.start("deleting")
    for claim in claims:
        if not claim.holds(backend):
            report.unfinished = True
            return
        try:
            names = read_condemned(backend, [claim.number])
        except NotFound:  # this run slept, and another has taken the claim over and finished it
            report.unfinished = True
            return
        doomed = doomed_of(view, names, claim.stored)
        report.spared += len(names) - len(doomed)
        for batch in _batches(doomed):
            if not claim.holds(backend):
                report.unfinished = True
                return
            for keys in _keys(view.stored, batch):
                backend.delete(keys)
            count(report.deleted, view.stored, batch)
            progress.advance(len(batch))
        finish(backend, claim.number)


def doomed_of(view: View, names: Condemned, stored: float) -> Condemned:
    """What of a list may be deleted: garbage still, and not stored again since."""
    old = Condemned(
        frozenset(name for name, each in view.stored.packs.items() if each.stored <= stored),
        frozenset(oid for oid, each in view.stored.loose.items() if each.stored <= stored),
    )
    doubled = names & view.doubled & old
    return (names & view.unused & old) | (doubled - view.without_sound_copy(doubled))


def renew_places(instance: Instance) -> None:
    """Make place files anew that lead to packs which are gone: nobody can use them."""
    store = instance.objects
    store.refresh()
    there = {pack_name(pack.key) for pack in store.packs()}
    for pack in store.packs():
        file = load_places(pack)
        if file is not None and any(each.name not in there for each in file.packs):
            write_places(store, pack)


def count(amount: Amount, stored: Stored, names: Condemned) -> None:
    """Add files to a number of them."""
    amount.packs += len(names.packs)
    amount.loose += len(names.loose)
    amount.derived += sum(len(stored.derived.get(name, ())) for name in names.packs)
    amount.bytes += stored.size(names)


def _batches(names: Condemned) -> Iterator[Condemned]:
    packs, loose = iter(sorted(names.packs)), iter(sorted(names.loose))
    while some := frozenset(islice(packs, BATCH)):
        yield Condemned(packs=some)
    while blobs := frozenset(islice(loose, BATCH)):
        yield Condemned(loose=blobs)


def _keys(stored: Stored, names: Condemned) -> Iterator[list[str]]:
    """Derived files before their packs: what is left by a kill belongs to something."""
    packs, loose = sorted(names.packs), sorted(names.loose)
    yield [each.key for name in packs for each in stored.derived.get(name, ())]
    yield [stored.packs[name].key for name in packs] + [stored.loose[oid].key for oid in loose]
