"""From a location in a label format to jobs: labels are read here, data files by the workers.

The files of the location are compared with the index first. Where nothing is new or changed no
label file is opened; else those that may say something of it are read, and each data file's job
carries the oid of its annotation. Design: docs/design/018-label-formats.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np

from ldb.catalog import FOLDER_END, Catalog, as_keys
from ldb.formats.base import Files, Listing, Reader
from ldb.formats.registry import Chosen
from ldb.indexing.annotations import known_batch
from ldb.indexing.jobs import FolderJobs, Job, Kind, LabelRow, folder_jobs
from ldb.indexing.labels import Labels, digest_of
from ldb.indexing.read import BatchResult
from ldb.indexing.scan import Scan
from ldb.indexing.seen import Cursor, Seen
from ldb.objects.indexrows import KIND_DATA, KIND_LABELS


class Group(Protocol):
    """The files right in one folder; of a large one in a bucket, some of them."""

    @property
    def start(self) -> bytes:
        """What the keys of its files begin with."""
        ...

    @property
    def names(self) -> Sequence[bytes]: ...

    @property
    def stop(self) -> bytes:
        """The first key after those that this group is compared with."""
        ...

    @property
    def unlisted(self) -> bool:
        """Whether what lies in it, and below, is not known."""
        ...

    @property
    def whole(self) -> bool:
        """Whether what the index has there and the group has not is gone."""
        ...

    def standing(self, old: Seen) -> list[int]:
        """For each file the row that it still is as, or -1."""
        ...

    def state(self, at: int) -> LabelRow:
        """Size, time and token to remember of a label file; its content is filled in."""
        ...


@dataclass(slots=True)
class LabelScan:
    """One location read in a label format."""

    scan: Scan
    chosen: Chosen
    listing: Listing
    groups: Sequence[Group]
    skip: int
    """Bytes of a key before the name of the location's own files begins."""
    rows: Callable[[], Cursor]
    """Rows of `paths` beside the groups, from the start."""
    forget: Callable[[bytes], bool] = lambda _: True
    """Whether rows of a folder (by the start of their keys) that has no group are gone."""

    def jobs(self) -> Iterator[tuple[Group | None, FolderJobs]]:
        """Jobs by folder, in key order; without a group those that only forget."""
        reader = self.chosen.reader()
        files = reader.files(self.listing)
        kinds = self._kinds(files)
        digest = digest_of(self.chosen)
        labels = self._labels(reader, files, self._changed(kinds, digest))
        counts = self.scan.counts
        counts.annotations += labels.count
        counts.outdated += labels.outdated
        counts.labels += len(files.labels)
        for gone, group, old in self._beside():
            yield from ((None, jobs) for jobs in self._forgotten(gone))
            if group is not None:
                jobs = self._of_group(group, old, kinds, labels, digest)
                if jobs:
                    yield group, folder_jobs(group.start, jobs)
        self.scan.elsewhere.update(labels.elsewhere)

    def _kinds(self, files: Files) -> dict[str, int]:
        """What each file is; those left out are in it not."""
        kinds = dict.fromkeys(files.labels, KIND_LABELS)
        data = self.listing.names if files.data is None else files.data
        if self.chosen.with_data:
            kinds.update((name, KIND_DATA) for name in data if name not in kinds)
        return kinds

    def _beside(self) -> Iterator[tuple[Seen, Group | None, Seen]]:
        """Rows before each group, the group, rows to compare it with; rows after the last."""
        cursor = self.rows()
        for group in self.groups:
            gone = cursor.until(group.start)
            old = cursor.until(group.stop)
            yield (gone, None, old) if group.unlisted else (gone, group, old)
        yield cursor.rest(), None, Seen([])

    def _changed(self, kinds: dict[str, int], digest: bytes) -> set[str]:
        """Names of files that are new, changed, or label files that are gone."""
        changed: set[str] = set()
        for gone, group, old in self._beside():
            changed.update(self._label_names(gone))
            if group is None:
                continue
            stands = self._standing(group, old, kinds, digest)
            names = [self._name(group.start, name) for name in group.names]
            changed.update(name for name, row in zip(names, stands) if row < 0 and name in kinds)
            changed.update(set(self._label_names(old)).difference(names))
        return changed

    def _label_names(self, rows: Seen) -> Iterator[str]:
        if KIND_LABELS in rows.kinds:
            for key, kind in zip(rows.keys, rows.kinds):
                if kind == KIND_LABELS:
                    start, end, name = key.rpartition(FOLDER_END)
                    yield self._name(start + end, name)

    def _name(self, start: bytes, name: bytes) -> str:
        """The name in the listing of a file in the folder whose keys start so."""
        return (start[self.skip : -1] + name).decode("utf-8", "surrogateescape")

    def _standing(self, group: Group, old: Seen, kinds: dict[str, int], digest: bytes) -> list[int]:
        """For each file the row that it still is as, read in this format with these parameters."""
        stands = group.standing(old)
        for at, row in enumerate(stands):
            kind = kinds.get(self._name(group.start, group.names[at]))
            if row < 0 or kind is None:
                continue
            same = old.kinds[row] == kind
            if not same or (kind == KIND_LABELS and old.content_at(row) != digest):
                stands[at] = -1
        return stands

    def _labels(self, reader: Reader, files: Files, changed: set[str]) -> Labels:
        labels = Labels(
            self.scan.catalog,
            self.listing,
            self.scan.report,
            self.chosen.with_data,
            states=self.scan.states,
        )
        if changed or not files.labels:
            wanted = dict.fromkeys(reader.needed(self.listing, files.labels, changed))
            with self.scan.catalog.instance.objects.writer() as writer:
                labels.take(reader, list(wanted), writer)
            self.scan.counts.labels_read += len(wanted)
        return labels

    def _forgotten(self, rows: Seen) -> Iterator[FolderJobs]:
        """Jobs for rows of folders in which nothing is any more."""
        numbered = zip(rows.keys, range(len(rows.keys)))
        for start, group in groupby(numbered, key=lambda row: _start(row[0])):
            if self.forget(start):
                jobs = self._gone(rows, start, group)
                if jobs:
                    yield folder_jobs(start, jobs)

    def _gone(self, rows: Seen, start: bytes, gone: Iterable[tuple[bytes, int]]) -> list[Job]:
        """Jobs that forget rows; a format without data files leaves those of others alone."""
        everything = self.chosen.with_data
        return [
            self.scan.gone(rows, start, key, at)
            for key, at in gone
            if everything or rows.kinds[at] == KIND_LABELS
        ]

    def _of_group(
        self, group: Group, old: Seen, kinds: dict[str, int], labels: Labels, digest: bytes
    ) -> list[Job]:
        stands = self._standing(group, old, kinds, digest)
        where = {key: at for at, key in enumerate(old.keys)}
        jobs, known = [], []
        there = set()
        for at, name in enumerate(group.names):
            full = self._name(group.start, name)
            kind, key = kinds.get(full), group.start + name
            if kind is not None:
                there.add(key)
            if kind == KIND_LABELS:
                jobs += self._label_job(group, at, stands[at], labels, full, key in where)
            elif kind == KIND_DATA:
                self.scan.counts.data += 1
                oid = labels.notes.get(full, b"")
                if stands[at] >= 0:
                    known.append((name, old.id_at(stands[at], self._width), oid))
                else:
                    jobs.append(Job(Kind.DATA, name, annotation_oid=oid))
                    self._replace(old, where.get(key, -1), key)
            elif self.chosen.with_data:
                self.scan.counts.lone += 1
        jobs += self._known_jobs(known)
        if group.whole:
            gone = ((key, at) for at, key in enumerate(old.keys) if key not in there)
            jobs += self._gone(old, group.start, gone)
        return jobs

    @property
    def _width(self) -> int:
        return self.scan.catalog.instance.id_bytes

    def _label_job(
        self, group: Group, at: int, stands: int, labels: Labels, full: str, had: bool
    ) -> list[Job]:
        """A label file's row is written anew where it was read without trouble."""
        name = group.names[at]
        if labels.troubled & {full, ""}:
            # No row: the next run reads it again, and reports what is still wrong.
            return [Job(Kind.GONE, name)] if had else []
        if stands >= 0:
            return []
        row = group.state(at)._replace(content=digest_of(self.chosen))
        return [Job(Kind.LABELS, name, content=row.packed())]

    def _replace(self, old: Seen, row: int, key: bytes) -> None:
        if row >= 0 and old.kinds[row] == KIND_DATA:
            self.scan.replaced[key] = old.id_at(row, self._width)

    def _known_jobs(self, known: Sequence[tuple[bytes, bytes, bytes]]) -> list[Job]:
        """Jobs for unchanged data files (name, id, oid) whose annotation is not the current one."""
        current = annotations_of(self.scan.catalog, [each[1] for each in known])
        jobs = []
        for (name, content, oid), has in zip(known, current, strict=True):
            if oid and oid != has:
                jobs.append(Job(Kind.KNOWN_DATA, name, content=content, annotation_oid=oid))
            elif self.scan.keep_unchanged:
                self.scan.unchanged.append(content)
        return jobs


def elsewhere(scan: Scan) -> BatchResult:
    """What label files say of data objects by their ids, as a worker would give it."""
    found = sorted(each for each in scan.elsewhere.items() if each[1])
    current = annotations_of(scan.catalog, [name for name, _ in found])
    new = [each for each, has in zip(found, current, strict=True) if each[1] != has]
    if scan.keep_unchanged:
        scan.unchanged += [name for name, _ in found]
    width = scan.catalog.instance.id_bytes
    return known_batch(as_keys([name for name, _ in new], width), [oid for _, oid in new])


def annotations_of(catalog: Catalog, ids: Sequence[bytes]) -> list[bytes]:
    """Oids of the current annotations of data objects; zeros for none, and for unknown ones."""
    if not ids:
        return []
    column = np.ascontiguousarray(catalog.find(as_keys(ids, catalog.instance.id_bytes)).annotations)
    raw = column.tobytes()
    return [raw[at : at + 32] for at in range(0, len(raw), 32)]


def _start(key: bytes) -> bytes:
    folder, end, _ = key.rpartition(FOLDER_END)
    return folder + end
