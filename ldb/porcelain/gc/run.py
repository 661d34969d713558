"""One run of gc: sweep the lists that are due, then condemn what is garbage by now."""

from __future__ import annotations

from contextlib import suppress

from ldb.backends.base import Backend, Entry
from ldb.backends.local import LocalBackend
from ldb.errors import BadInput, NotFound
from ldb.instance import Instance
from ldb.objects.condemned import Condemned, read_condemned
from ldb.porcelain.gc.lists import CLAIM_LIFE, Folder, claim, clear, condemn, read_folder
from ldb.porcelain.gc.report import GcReport, Waiting
from ldb.porcelain.gc.sweep import count, doomed_of, renew_places, sweep
from ldb.porcelain.gc.view import View, look, store_time
from ldb.progress import SILENT, Progress

GRACE = 3 * 86400.0
"""Seconds, by default: how old garbage must be to be condemned, and a list to be swept."""

MIN_GRACE = 3600.0
"""The shortest grace period beside others: many times what writers allow themselves."""


def gc(
    instance: Instance,
    *,
    prune: bool = False,
    grace: float = GRACE,
    alone: bool = False,
    progress: Progress = SILENT,
) -> GcReport:
    """Take garbage away in two phases; without `prune` only say what would be done.

    `alone`: nobody else works on the instance, so nothing needs a grace period. Raises
    `Corrupt` where what is needed cannot be told, with nothing deleted.
    """
    if alone:
        grace = 0.0
    elif grace < MIN_GRACE:
        raise BadInput("grace period", f"{grace:.0f} s, less than an hour", "see `--alone`")
    if prune:
        return _pruned(instance, grace, alone, progress)
    return _dry(instance, grace, progress)


def _dry(instance: Instance, grace: float, progress: Progress) -> GcReport:
    view = look(instance, grace, progress)
    folder = read_folder(instance.backend)
    report = GcReport(dry_run=True)
    for number in folder.lists.active:
        if view.now - folder.stored(number) < grace:
            report.waiting.append(_waiting(instance.backend, folder, number, view.now, grace))
            continue
        names = read_condemned(instance.backend, [number])
        doomed = doomed_of(view, names, folder.stored(number))
        count(report.deleted, view.stored, doomed)
        report.spared += len(names) - len(doomed)
    count(report.condemned, view.stored, _condemnable(view, grace))
    report.deleted.derived += len(_orphans(view, grace))
    if isinstance(instance.backend, LocalBackend):
        report.temporaries = len(instance.backend.stale_temporaries(view.now - grace))
    _fill(report, view, grace)
    return report


def _pruned(instance: Instance, grace: float, alone: bool, progress: Progress) -> GcReport:
    report = GcReport(dry_run=False)
    view = _sweep_due(instance, grace, alone, report, progress)
    if view is None:
        view = look(instance, grace, progress)
    names = _condemnable(view, grace)
    made = condemn(instance.backend, view.lists, names) if len(names) else None
    if made is not None:
        count(report.condemned, view.stored, made[1])
    if made is not None and alone:
        view = _sweep_due(instance, grace, alone, report, progress) or view
    elif made is not None:
        folder = read_folder(instance.backend)
        report.waiting.append(_waiting(instance.backend, folder, made[0], view.now, grace))
    _tidy(instance.backend, view, grace, report)
    if report.deleted.packs:
        renew_places(instance)
    _fill(report, view, grace)
    return report


def _sweep_due(
    instance: Instance, grace: float, alone: bool, report: GcReport, progress: Progress
) -> View | None:
    """Sweep every list that is old enough and that nobody else is sweeping."""
    backend = instance.backend
    now = store_time(backend)
    folder = read_folder(backend)
    claims = []
    report.waiting.clear()
    for number in folder.lists.active:
        if now - folder.stored(number) < grace:
            report.waiting.append(_waiting(backend, folder, number, now, grace))
        elif (mine := claim(backend, folder, number, now, alone)) is not None:
            claims.append(mine)
        else:
            report.waiting.append(Waiting(number, 0, CLAIM_LIFE, "another gc has it in hand"))
    if not claims:
        return None
    view = look(instance, grace, progress)
    sweep(backend, claims, view, report, progress)
    return view


def _waiting(backend: Backend, folder: Folder, number: int, now: float, grace: float) -> Waiting:
    names = 0
    with suppress(NotFound):  # another gc has just finished it
        names = len(read_condemned(backend, [number]))
    return Waiting(number, names, folder.stored(number) + grace - now)


def _condemnable(view: View, grace: float) -> Condemned:
    """Garbage that is old enough and on no list yet."""
    old = Condemned(
        frozenset(n for n, each in view.stored.packs.items() if each.stored <= view.now - grace),
        frozenset(o for o, each in view.stored.loose.items() if each.stored <= view.now - grace),
    )
    return (view.garbage & old) - view.condemned


def _orphans(view: View, grace: float) -> list[Entry]:
    """Derived files whose pack is not there."""
    return [
        each
        for name, found in view.stored.derived.items()
        if name not in view.stored.packs
        for each in found
        if each.stored <= view.now - grace
    ]


def _tidy(backend: Backend, view: View, grace: float, report: GcReport) -> None:
    """Delete what nothing can need, whoever is at work."""
    orphans = _orphans(view, grace)
    backend.delete(each.key for each in orphans)
    report.deleted.derived += len(orphans)
    report.deleted.bytes += sum(each.size for each in orphans)
    clear(backend)
    clocks = [each for each in read_folder(backend).entries if "/clock-" in each.key]
    backend.delete(e.key for e in clocks if e.stored <= view.now - CLAIM_LIFE)
    if isinstance(backend, LocalBackend):
        report.temporaries = backend.delete_temporaries(view.now - grace)


def _fill(report: GcReport, view: View, grace: float) -> None:
    everything = Condemned(frozenset(view.stored.packs), frozenset(view.stored.loose))
    count(report.kept, view.stored, everything - view.garbage)
    count(report.young, view.stored, view.garbage - view.condemned - _condemnable(view, grace))
