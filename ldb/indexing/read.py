"""The work of one indexing worker: read, hash, parse, and put blobs into packs.

Jobs come in batches and give columns back; the blobs go straight into packs that this
worker writes, so the parent never sees an annotation.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import FOLDER_END
from ldb.errors import BadInput
from ldb.ids import NO_OID
from ldb.indexing.jobs import FolderJobs, Kind, label_rows
from ldb.indexing.records import Attributes, Records, attributes_of
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import annotation_payload, annotation_payloads
from ldb.objects.indexrows import KIND_ANNOTATION, KIND_DATA, KIND_LABELS
from ldb.objects.model import MAX_PAYLOAD, BlobType
from ldb.storage.location import path_bytes
from ldb.storage.reading import (
    COARSE_NS,
    HASHES,
    hash_file,
    read_bytes,
    read_settled,
    settled_mtime,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that could not be indexed, and why."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Columns for one batch of jobs; rows of `paths` first, then of `objects`."""

    keys: NDArray[np.bytes_]
    """Keys of `paths` rows, sorted."""
    contents: NDArray[np.uint8]
    """Shape (n, 32): data object id padded with zeros, or annotation oid."""
    sizes: NDArray[np.uint64]
    mtimes: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    """0 where the row is to be deleted."""
    ids: NDArray[np.bytes_]
    """Data object ids, in path order, with repeats."""
    records: NDArray[np.uint8]
    """Shape (m, 32): record oid as if the object were new; zeros for known data."""
    annotations: NDArray[np.uint8]
    """Shape (m, 32): annotation oid found beside it, or zeros."""
    rows: NDArray[np.int64]
    """Which row of `keys` each object came from; -1 for known data."""
    attributes: NDArray[np.int64]
    """Shape (m, 4): time of change in nanoseconds, mode, uid, gid; zeros for known data."""
    problems: list[Problem]
    stamps: NDArray[np.uint8] | None = None
    """Shape (n, 16): what stands for tokens of object stores; None: zeros."""
    pins: tuple[NDArray[np.bytes_], NDArray[np.bytes_]] | None = None
    """Tokens and version ids, m each, as text; None where no path has any."""


TEXTS = 128
"""Annotation files that are held in memory at a time."""

_DATA, _ANNOTATION = int(Kind.DATA), int(Kind.ANNOTATION)
_KNOWN_DATA, _GONE, _LABELS = int(Kind.KNOWN_DATA), int(Kind.GONE), int(Kind.LABELS)
"""Plain numbers: comparing with a member costs four times as much."""


@dataclass(slots=True)
class _Found:
    """Files of one kind that were read, row by row; lists of one length."""

    at: list[int] = field(default_factory=list)
    """Position among the batch's jobs."""
    states: list[os.stat_result] = field(default_factory=list)
    unsettled: dict[int, int] = field(default_factory=dict)
    """Row → the time to keep of a file that has changed a moment ago."""


class Reader:
    """Settings of a run, and what may be kept from batch to batch; `read` does one."""

    def __init__(
        self,
        writer: BatchWriter,
        algorithm: str,
        id_bytes: int,
        run_time: int,
        tags: tuple[str, ...],
        strict: bool,
    ) -> None:
        """`run_time`: milliseconds since 1970, when the run started."""
        self.writer = writer
        self.algorithm = algorithm
        self.id_bytes = id_bytes
        self.strict = strict
        self.records = Records(run_time, tags)

    def read(self, batch: list[FolderJobs]) -> BatchResult:
        """Do one batch of jobs, given in key order."""
        work = _Batch(self)
        for folder in batch:
            work.do_folder(folder)
        return work.result()


class _Batch:
    """One batch: jobs are numbered through its folders, and rows put in order at the end."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._now = time.time_ns()
        self._keys: list[bytes] = []
        """One a job."""
        self._payloads: list[bytes] = []
        self._states: list[os.stat_result] = []
        """One a payload: of the annotation's file."""
        self._notes = _Found()
        self._places: list[int] = []
        """For each row of `_notes`, where its payload is."""
        self._data = _Found()
        self._digests: list[bytes] = []
        self._uris: list[str] = []
        self._beside: list[int] = []
        """For each row of `_data`, where its annotation's payload is, or -1."""
        self._old_notes: dict[int, bytes] = {}
        """Row of `_data` → oid of its annotation, read in an earlier run."""
        self._known: list[tuple[int, bytes, int, bytes]] = []
        """Known data files whose annotation is new: position, id, place of its payload or -1,
        else its oid."""
        self._labels: list[tuple[int, bytes]] = []
        """Label files: position, packed row."""
        self._gone: list[int] = []
        self._problems: list[Problem] = []

    def do_folder(self, work: FolderJobs) -> None:
        """Jobs of one folder; annotations are read first, so that data files find them."""
        start, prefix = len(self._keys), work.prefix
        self._keys += [prefix + name for name in work.names]
        uri = prefix[: -len(FOLDER_END)] + b"/"
        folder = path_bytes(uri)
        place_of = self._load(folder, work)
        chosen = [at for at, kind in enumerate(work.kinds) if kind == _DATA]
        if self._reader.strict and -1 in place_of.values():
            chosen = [at for at in chosen if place_of.get(work.notes[at]) != -1]
        self._add_notes(start, work, place_of)
        if len(chosen) + len(place_of) < len(work):
            self._add_others(start, work, place_of)
        self._read_data(folder, uri.decode(), work, chosen, start, place_of)

    def _load(self, folder: bytes, work: FolderJobs) -> dict[bytes, int]:
        """Read every annotation that the jobs of a folder name; where each is, -1 if bad."""
        wanted = [name for name, kind in zip(work.names, work.kinds) if kind == _ANNOTATION]
        # Of a data file at a cut between batches the annotation may be the other's job.
        place_of = dict.fromkeys(wanted, -1)
        place_of.update(dict.fromkeys(filter(None, work.notes), -1))
        names = list(place_of)
        files = read_settled(folder, names, self._now)
        # Some at a time: what they were read into is then used again, and still in the cache.
        while found := list(itertools.islice(files, TEXTS)):
            payloads = annotation_payloads([each[0] if each else b"" for each in found])
            for name, payload, each in zip(names, payloads, found):
                if payload is None or each is None:
                    again = self._load_slowly(folder + name)
                    if again is None:
                        continue
                    payload, state = again
                else:
                    state = each[1]
                place_of[name] = len(self._payloads)
                self._payloads.append(payload)
                self._states.append(state)
            names = names[len(found) :]
        return place_of

    def _load_slowly(self, path: bytes) -> tuple[bytes, os.stat_result] | None:
        """A large, unsettled or bad annotation file; the last is reported."""
        try:
            raw, state = read_bytes(path, MAX_PAYLOAD)
            return annotation_payload(raw, "annotation"), state
        except BadInput as error:
            self._problems.append(Problem(os.fsdecode(path), error.why))
        except OSError as error:
            self._problems.append(_unread(path, error))
        return None

    def _add_notes(self, start: int, work: FolderJobs, place_of: dict[bytes, int]) -> None:
        """Rows for the annotations of a folder."""
        numbered = enumerate(zip(work.names, work.kinds), start)
        rows = [(at, place_of[name]) for at, (name, kind) in numbered if kind == _ANNOTATION]
        # No row where it is bad: the next run reads and reports it again.
        self._gone += [at for at, place in rows if place < 0]
        good = [row for row in rows if row[1] >= 0]
        self._notes.at += [at for at, _ in good]
        self._places += [place for _, place in good]
        for _, place in good:
            self._keep(self._notes, self._states[place])

    def _keep(self, rows: _Found, state: os.stat_result) -> None:
        """Add a file's state to rows."""
        mtime = state.st_mtime_ns
        if not 0 < mtime < self._now - COARSE_NS:
            rows.unsettled[len(rows.states)] = settled_mtime(mtime, self._now)
        rows.states.append(state)

    def _add_others(self, start: int, work: FolderJobs, place_of: dict[bytes, int]) -> None:
        """Known data files with new annotations, and paths that are gone."""
        for at, kind in enumerate(work.kinds):
            if kind == _KNOWN_DATA:
                place = place_of.get(work.notes[at], -1)
                oid = work.oids[at] if work.oids else b""
                if place >= 0 or oid:
                    self._known.append((start + at, work.contents[at], place, oid))
            elif kind == _GONE:
                self._gone.append(start + at)
            elif kind == _LABELS:
                self._labels.append((start + at, work.contents[at]))

    def _read_data(
        self,
        folder: bytes,
        uri: str,
        work: FolderJobs,
        chosen: list[int],
        start: int,
        place_of: dict[bytes, int],
    ) -> None:
        """Hash these of the folder's data files; `place_of` are its annotations."""
        rows, new = self._data, HASHES[self._reader.algorithm]
        names = [work.names[at] for at in chosen]
        read = []
        for at, name, found in zip(chosen, names, read_settled(folder, names, self._now)):
            if found is not None:
                self._digests.append(new(found[0]).digest())
                rows.states.append(found[1])
            elif (other := self._hash_slowly(folder + name)) is not None:
                self._digests.append(other[0])
                self._keep(rows, other[1])
            else:
                continue
            read.append(at)
        if work.oids:
            first = len(rows.at)
            oids = ((row, work.oids[at]) for row, at in enumerate(read, first))
            self._old_notes.update((row, oid) for row, oid in oids if oid)
        rows.at += [start + at for at in read]
        self._beside += [place_of.get(work.notes[at], -1) for at in read]
        self._uris += [uri + work.names[at].decode() for at in read]

    def _hash_slowly(self, path: bytes) -> tuple[bytes, os.stat_result] | None:
        """A large or unsettled data file, or one that cannot be read; then it is reported."""
        try:
            return hash_file(path, self._reader.algorithm)
        except BadInput as error:
            self._problems.append(Problem(os.fsdecode(path), error.why))
        except OSError as error:
            self._problems.append(_unread(path, error))
        return None

    def result(self) -> BatchResult:
        """Columns of all that was done; its blobs are with the writer."""
        notes, data, known = self._notes, self._data, self._known
        writer, width = self._reader.writer, self._reader.id_bytes
        oids = writer.add_many(BlobType.ANNOTATION, self._payloads)
        beside: list[bytes] = [oids[place] if place >= 0 else b"" for place in self._beside]
        for row, oid in self._old_notes.items():
            beside[row] = oid
        files = attributes_of(data.states)
        made = self._reader.records.payloads(beside, files, self._uris)
        records = writer.add_many(BlobType.RECORD, made)

        # Rows of `paths`: annotations, data files, label files, what is gone; then put in order.
        labelled = [at for at, _ in self._labels]
        at = np.array(notes.at + data.at + labelled + self._gone, dtype=np.int64)
        order = np.argsort(at)
        read = slice(len(notes.at)), slice(len(notes.at), len(notes.at) + len(data.at))
        contents, kinds = np.zeros((len(at), 32), np.uint8), np.zeros(len(at), np.uint8)
        contents[read[0]] = as_column([oids[place] for place in self._places], 32)
        contents[read[1], :width] = as_column(self._digests, width)
        kinds[read[0]], kinds[read[1]] = KIND_ANNOTATION, KIND_DATA
        sizes, mtimes = np.zeros(len(at), np.uint64), np.zeros(len(at), np.uint64)
        for part, found in zip(read, (notes, data)):
            sizes[part] = [state.st_size for state in found.states]
            mtimes[part] = _mtimes(found)
        if labelled:
            part = slice(read[1].stop, read[1].stop + len(labelled))
            made_rows = label_rows(row for _, row in self._labels)
            contents[part] = as_column([row.content for row in made_rows], 32)
            sizes[part] = [row.size for row in made_rows]
            mtimes[part] = [row.mtime for row in made_rows]
            kinds[part] = KIND_LABELS
        rows = np.empty(len(at), np.int64)
        rows[order] = np.arange(len(at))

        # Objects: data files that were read, then known ones; then put in order.
        where = np.array(data.at + [each[0] for each in known], dtype=np.int64)
        by_path = np.argsort(where)
        linked = [oid or NO_OID for oid in beside] + [
            oids[place] if place >= 0 else oid for _, _, place, oid in known
        ]
        ids = self._digests + [each[1] for each in known]
        return BatchResult(
            keys=np.array(self._keys, dtype=np.bytes_)[at[order]],
            contents=contents[order],
            sizes=sizes[order],
            mtimes=mtimes[order],
            kinds=kinds[order],
            ids=np.frombuffer(b"".join(ids), dtype=f"S{width}")[by_path],
            records=as_column(records + [NO_OID] * len(known), 32)[by_path],
            annotations=as_column(linked, 32)[by_path],
            rows=np.append(rows[read[1]], np.full(len(known), -1))[by_path],
            attributes=_attributes(files, len(known))[by_path],
            problems=self._problems,
        )


def _unread(path: bytes, error: OSError) -> Problem:
    gone = isinstance(error, FileNotFoundError)
    why = "is gone since its folder was listed" if gone else f"cannot be read: {error.strerror}"
    return Problem(os.fsdecode(path), why)


def _mtimes(found: _Found) -> list[int]:
    """The times to keep: 0 for those that prove nothing."""
    mtimes = [state.st_mtime_ns for state in found.states]
    for row, mtime in found.unsettled.items():
        mtimes[row] = mtime
    return mtimes


def _attributes(files: Attributes, more: int) -> NDArray[np.int64]:
    """File attributes, and so many rows of zeros."""
    columns = np.zeros((len(files.sizes) + more, 4), np.int64)
    for at, column in enumerate((files.mtimes, files.modes, files.uids, files.gids)):
        columns[: len(column), at] = column
    return columns


def as_column(values: Sequence[bytes], width: int) -> NDArray[np.uint8]:
    """Values of `width` bytes each as an (n, width) array."""
    return np.frombuffer(b"".join(values), dtype=np.uint8).reshape(-1, width)
