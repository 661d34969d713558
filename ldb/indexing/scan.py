"""From folders to jobs: only what is new or changed since the index last saw it.

Runs in the parent. The index's `paths` rows are walked beside the folders in the same
order, so each folder costs two list comparisons when nothing changed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ldb.catalog import FOLDER_END, Catalog
from ldb.engines.base import Engine
from ldb.formats.base import State
from ldb.formats.pairs import Pairing, is_annotation, pair
from ldb.indexing.jobs import FolderJobs, Job, Kind, folder_jobs
from ldb.indexing.seen import Cursor, Seen
from ldb.indexing.targets import Target, only
from ldb.indexing.walkers import LARGE, Listed, walk_large
from ldb.objects.indexrows import KIND_DATA, KIND_LABELS
from ldb.storage.listing import Folder, Report, read_folder, walk
from ldb.storage.location import local_folder, uri_bytes

BATCH = 1024
"""Jobs sent to a worker at a time."""

_NO_JOB = 255
"""Stands for the kind of a file that is left out."""


@dataclass(slots=True)
class ScanCounts:
    """What one scan saw."""

    data: int = 0
    annotations: int = 0
    lone: int = 0
    gone: int = 0
    labels: int = 0
    """Label files, of formats that have such, and how many of them were read."""
    labels_read: int = 0
    outdated: int = 0
    """Annotations of which label files or the index have a newer state."""


@dataclass(slots=True)
class Scan:
    """One run over the targets; `jobs` is read once, the rest is complete after that."""

    catalog: Catalog
    targets: list[Target]
    strict: bool
    report: Report
    skip: frozenset[tuple[int, int]] = frozenset()
    keep_unchanged: bool = False
    """Collect the ids of unchanged data files too (to tag them)."""
    processes: int = 1
    engine: Engine | None = None
    """Whose workers list as well; None: this process does, and children of it."""
    counts: ScanCounts = field(default_factory=ScanCounts)
    replaced: dict[bytes, bytes] = field(default_factory=dict)
    """Key of a data file that was read again or is gone → the data object id it had."""
    unchanged: list[bytes] = field(default_factory=list)
    elsewhere: dict[bytes, bytes] = field(default_factory=dict)
    """Known data object id → oid of the annotation that a label file gives it by its id; empty: the
    newest state of that is what the data object has."""
    states: dict[bytes, State] = field(default_factory=dict)
    """Known data object id → the state of that annotation, where its format tells states apart."""

    def batches(self) -> Iterator[list[FolderJobs]]:
        """Jobs in key order, `BATCH` at a time."""
        batch: list[FolderJobs] = []
        room = BATCH
        for jobs in self._jobs():
            for at in _cuts(len(jobs), room):
                part = jobs.part(at, at + room)
                batch.append(part)
                room -= len(part)
                if not room:
                    yield batch
                    batch, room = [], BATCH
        if batch:
            yield batch

    def _jobs(self) -> Iterator[FolderJobs]:
        for target in self.targets:
            prefix = uri_bytes(target.folder)
            if target.labels is not None:
                from ldb.indexing.labelgroups import local_jobs  # pairs do without

                yield from local_jobs(self, target)
            elif target.names is None:
                seen = Cursor(self.catalog.paths_under(prefix))
                for folder in self._folders(target.folder):
                    start = uri_bytes(folder.path)[:-1] + FOLDER_END
                    yield from self._forget(seen.until(start))
                    if folder.unlisted:
                        # Whatever the index knows below it stays as it is.
                        seen.until(_after(uri_bytes(folder.path)))
                        continue
                    yield from self._compare(folder, seen.until(_after(start)), True)
                yield from self._forget(seen.rest())
            else:
                start = prefix[:-1] + FOLDER_END
                rows = Cursor(self.catalog.paths_under(start)).rest()
                folder = only(
                    read_folder(target.folder, target.about(self.report))[0], target.names
                )
                yield from self._compare(folder, rows, False)

    def _folders(self, root: bytes) -> Iterator[Folder | Listed]:
        known = self.catalog.paths.count if self.catalog.paths else 0
        if self.processes > 1 and known >= LARGE:
            return walk_large(root, self.report, self.skip, self.processes)
        # What the index knows nothing of needs no stat: all of it will be read.
        stats = next(self.catalog.paths_under(uri_bytes(root)), None) is not None
        if self.engine is not None:
            from ldb.indexing.spreadwalk import walk_spread  # for clusters alone

            own = local_folder(self.catalog.instance.url)
            return walk_spread(root, self.report, self.skip, own, self.engine, stats)
        return walk(root, self.report, self.skip, stats=stats)

    def _forget(self, rows: Seen) -> Iterator[FolderJobs]:
        numbered = zip(rows.keys, range(len(rows.keys)))
        for prefix, group in itertools.groupby(numbered, key=lambda row: _prefix(row[0])):
            yield folder_jobs(prefix, [self.gone(rows, prefix, key, at) for key, at in group])

    def gone(self, rows: Seen, prefix: bytes, key: bytes, at: int) -> Job:
        self.counts.gone += 1
        if rows.kinds[at] == KIND_DATA:
            self.replaced[key] = rows.id_at(at, self.catalog.instance.id_bytes)
        return Job(Kind.GONE, key[len(prefix) :])

    def _compare(self, listed: Folder | Listed, old: Seen, whole: bool) -> Iterator[FolderJobs]:
        prefix = uri_bytes(listed.path)[:-1] + FOLDER_END
        known = isinstance(listed, Listed) and listed.same_as(old, len(prefix))
        if known and self._all_counted(old):
            self._count_unchanged(old)
            return
        folder = listed.folder() if isinstance(listed, Listed) else listed
        keys = [prefix + name for name in folder.names] if len(old) else []
        same = old.keys == keys and old.sizes == folder.sizes and old.mtimes == folder.mtimes
        same = same and KIND_LABELS not in old.kinds
        if same and self._all_counted(old):
            self._count_unchanged(old)
            return
        pairing = pair(folder.names, self.strict)
        self.counts.data += len(pairing.data)
        self.counts.annotations += len(pairing.annotations)
        self.counts.lone += pairing.lone
        if not len(old):
            if pairing.data:
                yield _all_new(prefix, folder.names, pairing)
        elif not same:
            where = {key: at for at, key in enumerate(old.keys)}
            stands = _standing(where, keys, folder, old)
            jobs = self._changes(folder.names, keys, pairing, old, where, stands)
            if whole:
                jobs += self._vanished(folder, prefix, keys, pairing, old)
            if jobs:
                yield folder_jobs(prefix, jobs)
        elif self.keep_unchanged:
            width = self.catalog.instance.id_bytes
            self.unchanged.extend(old.id_at(at, width) for at, _ in pairing.data)

    def _all_counted(self, old: Seen) -> bool:
        """Whether every file of an unchanged folder counts, so that none need be paired.

        An annotation has a row only where it is some data file's. So with as many of the
        one as of the other each data file has its own.
        """
        if KIND_LABELS in old.kinds:
            return False  # this folder was read in another format
        return not self.strict or 2 * old.kinds.count(KIND_DATA) == len(old)

    def _count_unchanged(self, old: Seen) -> None:
        """Count a folder of which the index has just these files, as they are."""
        data = old.kinds.count(KIND_DATA)
        self.counts.data += data
        self.counts.annotations += len(old) - data
        if self.keep_unchanged:
            width = self.catalog.instance.id_bytes
            self.unchanged.extend(
                old.id_at(at, width) for at, kind in enumerate(old.kinds) if kind == KIND_DATA
            )

    def _changes(
        self,
        names: list[bytes],
        keys: list[bytes],
        pairing: Pairing,
        old: Seen,
        where: Mapping[bytes, int],
        stands: Sequence[int],
    ) -> list[Job]:
        """Jobs for the files that are new or not as the index last saw them.

        `where`: the row of `old` that has a key; `stands`: for each file the one that it still
        is as, or -1.
        """
        width = self.catalog.instance.id_bytes
        jobs = [Job(Kind.ANNOTATION, names[at]) for at in pairing.annotations if stands[at] < 0]
        for at, note in pairing.data:
            row, name, oid = stands[at], b"", b""
            if note >= 0 and stands[note] < 0:
                name = names[note]
            elif note >= 0:
                oid = old.content_at(stands[note])
            if row < 0:
                jobs.append(Job(Kind.DATA, names[at], name, b"", oid))
                if keys[at] in where and old.kinds[where[keys[at]]] == KIND_DATA:
                    self.replaced[keys[at]] = old.id_at(where[keys[at]], width)
            elif name:
                known = old.id_at(row, width)
                jobs.append(Job(Kind.KNOWN_DATA, names[at], name, known))
            elif self.keep_unchanged:
                self.unchanged.append(old.id_at(row, width))
        return jobs

    def _vanished(
        self, folder: Folder, prefix: bytes, keys: list[bytes], pairing: Pairing, old: Seen
    ) -> list[Job]:
        """Jobs for what the index has right in this folder and the folder has not."""
        there = {keys[at] for at in pairing.annotations}
        there.update(key for key in keys if not is_annotation(key))
        there.update(prefix + name for name in folder.unread)
        gone = [(key, at) for at, key in enumerate(old.keys) if key not in there]
        return [self.gone(old, prefix, key, at) for key, at in gone]


def _all_new(prefix: bytes, names: list[bytes], pairing: Pairing) -> FolderJobs:
    """Jobs for all that is paired in a folder of which the index knows nothing."""
    kinds = bytearray([_NO_JOB]) * len(names)
    notes = [b""] * len(names)
    for at in pairing.annotations:
        kinds[at] = Kind.ANNOTATION
    for at, note in pairing.data:
        kinds[at] = Kind.DATA
        if note >= 0:
            notes[at] = names[note]
    if _NO_JOB in kinds:
        chosen = [at for at, kind in enumerate(kinds) if kind != _NO_JOB]
        names, notes = [names[at] for at in chosen], [notes[at] for at in chosen]
    return FolderJobs(prefix, names, bytes(kinds).replace(bytes([_NO_JOB]), b""), notes)


def _standing(
    where: Mapping[bytes, int], keys: list[bytes], folder: Folder, old: Seen
) -> list[int]:
    """For each file the row of `old` that it still is as, or -1."""
    return [
        at
        if at >= 0
        and old.sizes[at] == size
        and old.mtimes[at] == mtime
        and old.kinds[at] != KIND_LABELS
        else -1
        for at, size, mtime in zip(
            (where.get(key, -1) for key in keys), folder.sizes, folder.mtimes
        )
    ]


def _cuts(count: int, room: int) -> Iterator[int]:
    """Where to cut so many jobs: after `room` of them, then after every `BATCH`."""
    if count:
        yield 0
    yield from range(room, count, BATCH)


def _prefix(key: bytes) -> bytes:
    """The part of a key that all files of its folder share."""
    folder, end, _ = key.rpartition(FOLDER_END)
    return folder + end


def _after(folder_start: bytes) -> bytes:
    """The first key that is no file of the folder whose keys start with `folder_start`."""
    return folder_start[:-1] + bytes([folder_start[-1] + 1])
