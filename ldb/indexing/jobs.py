"""What the scan asks of the workers: the files of a folder to look at, as columns.

Lists of names and strings of bytes rather than an object a file, because a first run makes
one for every file that there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import NamedTuple


class Kind(IntEnum):
    """What a job asks for; every job makes one row of `paths` or deletes one."""

    DATA = 0
    """Read and hash a data file, and read its annotation where that is new."""
    KNOWN_DATA = 1
    """The data file is unchanged, only its annotation is new."""
    ANNOTATION = 2
    """Read an annotation file."""
    GONE = 3
    """A path of the index that is no longer there."""
    LABELS = 4
    """A label file, which was read already: only its row is to be written."""


class Job(NamedTuple):
    """One file to be looked at."""

    kind: Kind
    name: bytes
    annotation: bytes = b""
    """Name of the annotation file to read, beside the data file."""
    content: bytes = b""
    """KNOWN_DATA: the data object id; LABELS: a `LabelRow`, packed."""
    annotation_oid: bytes = b""
    """Oid of an annotation that was read already: its file is unchanged, or a label file."""


class LabelRow(NamedTuple):
    """What a label file's row of `paths` says; travels in a job's `content`."""

    content: bytes
    """32 bytes: which format it was read as, and how."""
    size: int
    mtime: int
    stamp: bytes = bytes(16)

    def packed(self) -> bytes:
        """64 bytes."""
        return _LABEL_ROW.pack(*self)


_LABEL_ROW = Struct("<32sQQ16s")


def label_rows(jobs: Iterable[bytes]) -> list[LabelRow]:
    """The rows that jobs hold."""
    return [LabelRow(*_LABEL_ROW.unpack(each)) for each in jobs]


@dataclass(frozen=True, slots=True)
class FolderJobs:
    """Jobs of one folder, in the order of their names; lists of one length."""

    prefix: bytes
    """What the keys of the folder's files begin with; the name follows."""
    names: list[bytes]
    kinds: bytes
    """One byte a job: its `Kind`."""
    notes: list[bytes]
    """Names of the annotation files to read beside the data files; empty: none."""
    contents: list[bytes] = field(default_factory=list)
    """As in `Job`; no list at all where there is none."""
    oids: list[bytes] = field(default_factory=list)
    """Oids of annotations that were read already; no list at all where there is none."""

    def __len__(self) -> int:
        return len(self.names)

    def __reduce__(self) -> tuple[object, ...]:
        apart = _NAMES_APART.join
        names, notes = apart(self.names), apart(self.notes)
        return _of_joined, (self.prefix, names, self.kinds, notes, self.contents, self.oids)

    def part(self, start: int, stop: int) -> FolderJobs:
        """Jobs [start, stop)."""
        where = slice(start, stop)
        names, kinds, notes = self.names[where], self.kinds[where], self.notes[where]
        return FolderJobs(self.prefix, names, kinds, notes, self.contents[where], self.oids[where])


def folder_jobs(prefix: bytes, jobs: Iterable[Job]) -> FolderJobs:
    """The same jobs as columns, in the order of their names."""
    ordered = sorted(jobs, key=lambda job: job.name)
    contents = [job.content for job in ordered]
    oids = [job.annotation_oid for job in ordered]
    return FolderJobs(
        prefix=prefix,
        names=[job.name for job in ordered],
        kinds=bytes(job.kind for job in ordered),
        notes=[job.annotation for job in ordered],
        contents=contents if any(contents) else [],
        oids=oids if any(oids) else [],
    )


_NAMES_APART = b"/"


def _of_joined(
    prefix: bytes,
    names: bytes,
    kinds: bytes,
    notes: bytes,
    contents: list[bytes],
    oids: list[bytes],
) -> FolderJobs:
    """Jobs as they are sent: in few objects, which takes a fraction of the time of many."""
    apart = _NAMES_APART
    return FolderJobs(prefix, names.split(apart), kinds, notes.split(apart), contents, oids)
