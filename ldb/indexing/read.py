"""The work of one indexing worker: read, hash, parse, and put blobs into packs.

Jobs come in batches and give columns back; the blobs go straight into packs that this
worker writes, so the parent never sees an annotation.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import FOLDER_END, KIND_ANNOTATION, KIND_DATA, record_payload
from ldb.errors import BadInput
from ldb.ids import NO_OID
from ldb.indexing.scan import FolderJobs, Job, Kind
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import annotation_payload
from ldb.objects.model import MAX_PAYLOAD, BlobType
from ldb.storage.location import LOCAL
from ldb.storage.reading import hash_file, hash_settled, read_bytes, read_settled, settled_mtime


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


class _Row(NamedTuple):
    """A row of `paths`; `content` is a place in `_payloads` until the annotation has its oid."""

    key: bytes
    content: bytes | int
    size: int
    mtime: int
    kind: int


class _Object(NamedTuple):
    """A data object met in this batch."""

    id: bytes
    row: int
    state: os.stat_result | None
    """None: the file was not read, only its annotation is new."""
    note: int
    """Place in `_payloads` of the annotation read in this batch, or -1."""
    annotation_oid: bytes
    """Oid of one read in an earlier run, or empty."""
    uri: str


_Note = tuple[int, os.stat_result]
"""Place in `_payloads`, and the state of the file."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Settings of a run; `read` does one batch."""

    writer: BatchWriter
    algorithm: str
    id_bytes: int
    run_time: int
    """Milliseconds since 1970: when the run started."""
    tags: tuple[str, ...]
    strict: bool

    def read(self, batch: list[FolderJobs]) -> BatchResult:
        """Do one batch of jobs, given in key order."""
        work = _Batch(self)
        for folder in batch:
            work.do_folder(folder)
        return work.result()


class _Batch:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._now = time.time_ns()
        self._rows: list[_Row] = []
        self._objects: list[_Object] = []
        self._problems: list[Problem] = []
        self._payloads: list[bytes] = []
        self._notes: dict[bytes, _Note | None] = {}
        """Annotation path → where it is; None where it is bad."""
        self._prefix = self._folder = b""
        self._uri = ""

    def do_folder(self, work: FolderJobs) -> None:
        """Jobs of one folder; annotations are read first, so that data files find them."""
        self._prefix = work.prefix
        uri = work.prefix[: -len(FOLDER_END)] + b"/"
        self._folder = uri[len(LOCAL) :]
        self._uri = uri.decode()
        for job in work.jobs:
            if job.kind is Kind.ANNOTATION:
                self._load(job.name)
        for job in work.jobs:
            kind = job.kind
            if kind is Kind.DATA:
                self._data(job)
            elif kind is Kind.ANNOTATION:
                self._annotation_row(job.name)
            elif kind is Kind.KNOWN_DATA:
                note = self._load(job.annotation)
                if note is not None:
                    self._objects.append(_Object(job.content, -1, None, note[0], b"", ""))
            else:
                self._rows.append(_Row(work.prefix + job.name, NO_OID, 0, 0, 0))

    def _load(self, name: bytes) -> _Note | None:
        """An annotation, read and encoded once a batch."""
        path = self._folder + name
        if path in self._notes:
            return self._notes[path]
        loaded = None
        try:
            raw, state = read_settled(path, self._now) or read_bytes(path, MAX_PAYLOAD)
            self._payloads.append(annotation_payload(raw, "annotation"))
            loaded = (len(self._payloads) - 1, state)
        except BadInput as error:
            self._problems.append(Problem(os.fsdecode(path), error.why))
        except OSError as error:
            self._problems.append(_unread(path, error))
        self._notes[path] = loaded
        return loaded

    def _annotation_row(self, name: bytes) -> None:
        loaded = self._notes[self._folder + name]
        if loaded is None:
            # No row: the next run reads and reports it again.
            self._rows.append(_Row(self._prefix + name, NO_OID, 0, 0, 0))
            return
        place, state = loaded
        mtime = settled_mtime(state.st_mtime_ns, self._now)
        key = self._prefix + name
        self._rows.append(_Row(key, place, state.st_size, mtime, KIND_ANNOTATION))

    def _data(self, job: Job) -> None:
        place = -1
        if job.annotation:
            note = self._load(job.annotation)
            if note is not None:
                place = note[0]
            elif self._reader.strict:
                return
        path = self._folder + job.name
        algorithm = self._reader.algorithm
        try:
            found = hash_settled(path, self._now, algorithm)
            digest, state = found or hash_file(path, algorithm)
        except BadInput as error:
            self._problems.append(Problem(os.fsdecode(path), error.why))
            return
        except OSError as error:
            self._problems.append(_unread(path, error))
            return
        mtime = settled_mtime(state.st_mtime_ns, self._now)
        content = digest.ljust(32, b"\0")
        self._rows.append(_Row(self._prefix + job.name, content, state.st_size, mtime, KIND_DATA))
        uri = self._uri + job.name.decode()
        row = len(self._rows) - 1
        self._objects.append(_Object(digest, row, state, place, job.annotation_oid, uri))

    def result(self) -> BatchResult:
        """Columns of all that was done; its blobs are with the writer."""
        objects, width = self._objects, self._reader.id_bytes
        oids = self._reader.writer.add_many(BlobType.ANNOTATION, self._payloads)
        notes: list[bytes] = [
            oids[each.note] if each.note >= 0 else each.annotation_oid or NO_OID for each in objects
        ]
        records = self._records(notes)
        keys, contents, sizes, mtimes, kinds = zip(*self._rows) if self._rows else ((),) * 5
        filled = [oids[each] if isinstance(each, int) else each for each in contents]
        return BatchResult(
            keys=np.array(keys, dtype=np.bytes_),
            contents=_column(filled),
            sizes=np.array(sizes, dtype=np.uint64),
            mtimes=np.array(mtimes, dtype=np.uint64),
            kinds=np.array(kinds, dtype=np.uint8),
            ids=np.frombuffer(b"".join(each.id for each in objects), dtype=f"S{width}"),
            records=_column(records),
            annotations=_column(notes),
            rows=np.array([each.row for each in objects], dtype=np.int64),
            attributes=np.array(list(map(_attributes, objects)), dtype=np.int64).reshape(-1, 4),
            problems=self._problems,
        )

    def _records(self, notes: list[bytes]) -> list[bytes]:
        """Record oids of new objects, zeros for known ones, whose record the parent makes."""
        fresh = [at for at, each in enumerate(self._objects) if each.state is not None]
        payloads = [self._record(self._objects[at], notes[at]) for at in fresh]
        oids = self._reader.writer.add_many(BlobType.RECORD, payloads)
        records = [NO_OID] * len(self._objects)
        for at, oid in zip(fresh, oids):
            records[at] = oid
        return records

    def _record(self, found: _Object, note: bytes) -> bytes:
        state = found.state
        assert state is not None
        return record_payload(
            annotations=[] if note == NO_OID else [bytes(note)],
            first_indexed=self._reader.run_time,
            last_indexed=self._reader.run_time,
            paths=[
                {
                    "gid": state.st_gid,
                    "mode": state.st_mode,
                    "mtime": _mtime(state),
                    "path": found.uri,
                    "uid": state.st_uid,
                }
            ],
            size=state.st_size,
            tags=list(self._reader.tags),
            type=file_type(found.uri),
        )


def _unread(path: bytes, error: OSError) -> Problem:
    gone = isinstance(error, FileNotFoundError)
    why = "is gone since its folder was listed" if gone else f"cannot be read: {error.strerror}"
    return Problem(os.fsdecode(path), why)


def _mtime(state: os.stat_result) -> int:
    """Nanoseconds since 1970, at most what 64 bits hold (file systems go on to 2446)."""
    return min(state.st_mtime_ns, 2**63 - 1)


def _attributes(found: _Object) -> tuple[int, int, int, int]:
    state = found.state
    if state is None:
        return 0, 0, 0, 0
    return _mtime(state), state.st_mode, state.st_uid, state.st_gid


def file_type(uri: str) -> str:
    """The file name's extension without the dot, in lower case; empty where there is none."""
    slash, dot = uri.rfind("/"), uri.rfind(".")
    return uri[dot + 1 :].lower() if dot > slash + 1 else ""


def _column(values: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(values), dtype=np.uint8).reshape(-1, 32)
