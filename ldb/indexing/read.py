"""The work of one indexing worker: read, hash, parse, and put blobs into packs.

Jobs come in batches and give columns back; the blobs go straight into packs that this
worker writes, so the parent never sees an annotation.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import KIND_ANNOTATION, KIND_DATA, key_path, record_payload
from ldb.errors import BadInput
from ldb.ids import NO_OID
from ldb.indexing.scan import Job, Kind
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import annotation_payload
from ldb.objects.model import MAX_PAYLOAD, BlobType
from ldb.storage.location import LOCAL
from ldb.storage.reading import hash_file, read_bytes, settled_mtime

_LOCAL_BYTES = len(LOCAL)


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


@dataclass(slots=True)
class _Rows:
    """What one batch has gathered so far."""

    keys: list[bytes] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    mtimes: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)

    def add(self, key: bytes, content: bytes, size: int, mtime: int, kind: int) -> int:
        self.keys.append(key)
        self.contents.append(content)
        self.sizes.append(size)
        self.mtimes.append(mtime)
        self.kinds.append(kind)
        return len(self.keys) - 1


class _Object(NamedTuple):
    """A data object met in this batch."""

    id: bytes
    row: int
    state: os.stat_result | None
    annotation: bytes
    """Path of an annotation read in this batch, or empty."""
    annotation_oid: bytes
    """Oid of one read in an earlier run, or empty."""
    key: bytes


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

    def read(self, jobs: list[Job]) -> BatchResult:
        """Do one batch of jobs, given in key order."""
        batch = _Batch(self)
        for job in jobs:
            batch.do(job)
        return batch.result()


class _Batch:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._now = time.time_ns()
        self._rows = _Rows()
        self._objects: list[_Object] = []
        self._problems: list[Problem] = []
        self._payloads: list[bytes] = []
        self._notes: dict[bytes, tuple[int, os.stat_result] | None] = {}
        """Annotation path → place in `_payloads` and file state; None where it is bad."""
        self._note_rows: list[tuple[int, int]] = []
        """Row of `paths` and the payload whose oid belongs there."""

    def do(self, job: Job) -> None:
        if job.kind is Kind.GONE:
            self._rows.add(job.key, NO_OID, 0, 0, 0)
        elif job.kind is Kind.ANNOTATION:
            self._annotation_row(job.key)
        elif job.kind is Kind.KNOWN_DATA:
            note = self._note_of(job)
            if self._notes[note] is not None:
                self._objects.append(_Object(job.content, -1, None, note, b"", job.key))
        else:
            self._data(job)

    def _note_of(self, job: Job) -> bytes:
        """Path of the annotation a job asks for, read once a batch; empty for none."""
        if not job.annotation:
            return b""
        path = _path(job.key).rpartition(b"/")[0] + b"/" + job.annotation
        self._load(path)
        return path

    def _load(self, path: bytes) -> tuple[int, os.stat_result] | None:
        if path in self._notes:
            return self._notes[path]
        loaded = None
        try:
            raw, state = read_bytes(path, MAX_PAYLOAD)
            self._payloads.append(annotation_payload(raw, os.fsdecode(path)))
            loaded = (len(self._payloads) - 1, state)
        except BadInput as error:
            self._problems.append(Problem(os.fsdecode(path), error.why))
        except OSError as error:
            self._problems.append(_unread(path, error))
        self._notes[path] = loaded
        return loaded

    def _annotation_row(self, key: bytes) -> None:
        loaded = self._load(_path(key))
        if loaded is None:
            # No row: the next run reads and reports it again.
            self._rows.add(key, NO_OID, 0, 0, 0)
            return
        place, state = loaded
        mtime = settled_mtime(state.st_mtime_ns, self._now)
        row = self._rows.add(key, NO_OID, state.st_size, mtime, KIND_ANNOTATION)
        self._note_rows.append((row, place))

    def _data(self, job: Job) -> None:
        note = self._note_of(job)
        bad_note = bool(note) and self._notes[note] is None
        if bad_note and self._reader.strict:
            return
        path = _path(job.key)
        try:
            digest, state = hash_file(path, self._reader.algorithm)
        except BadInput as error:
            self._problems.append(Problem(os.fsdecode(path), error.why))
            return
        except OSError as error:
            self._problems.append(_unread(path, error))
            return
        mtime = settled_mtime(state.st_mtime_ns, self._now)
        content = digest.ljust(32, b"\0")
        row = self._rows.add(job.key, content, state.st_size, mtime, KIND_DATA)
        found = _Object(digest, row, state, b"" if bad_note else note, job.annotation_oid, job.key)
        self._objects.append(found)

    def result(self) -> BatchResult:
        writer, rows = self._reader.writer, self._rows
        oids = writer.add_many(BlobType.ANNOTATION, self._payloads)
        for row, place in self._note_rows:
            rows.contents[row] = oids[place]
        notes = [self._annotation_of(each, oids) for each in self._objects]
        records = self._records(notes)
        attributes = [
            (_mtime(each.state), each.state.st_mode, each.state.st_uid, each.state.st_gid)
            if each.state
            else (0, 0, 0, 0)
            for each in self._objects
        ]
        width = self._reader.id_bytes
        return BatchResult(
            keys=np.array(rows.keys, dtype=np.bytes_),
            contents=_column(rows.contents),
            sizes=np.array(rows.sizes, dtype=np.uint64),
            mtimes=np.array(rows.mtimes, dtype=np.uint64),
            kinds=np.array(rows.kinds, dtype=np.uint8),
            ids=np.frombuffer(b"".join(each.id for each in self._objects), dtype=f"S{width}"),
            records=_column(records),
            annotations=_column(notes),
            rows=np.array([each.row for each in self._objects], dtype=np.int64),
            attributes=np.array(attributes, dtype=np.int64).reshape(-1, 4),
            problems=self._problems,
        )

    def _annotation_of(self, found: _Object, oids: Sequence[bytes]) -> bytes:
        loaded = self._notes[found.annotation] if found.annotation else None
        if loaded is not None:
            return oids[loaded[0]]
        return found.annotation_oid or NO_OID

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
        uri = key_path(found.key)
        return record_payload(
            annotations=[] if note == NO_OID else [bytes(note)],
            first_indexed=self._reader.run_time,
            last_indexed=self._reader.run_time,
            paths=[
                {
                    "gid": state.st_gid,
                    "mode": state.st_mode,
                    "mtime": _mtime(state),
                    "path": uri.decode(),
                    "uid": state.st_uid,
                }
            ],
            size=state.st_size,
            tags=list(self._reader.tags),
            type=file_type(uri),
        )


def _unread(path: bytes, error: OSError) -> Problem:
    gone = isinstance(error, FileNotFoundError)
    why = "is gone since its folder was listed" if gone else f"cannot be read: {error.strerror}"
    return Problem(os.fsdecode(path), why)


def _mtime(state: os.stat_result) -> int:
    """Nanoseconds since 1970, at most what 64 bits hold (file systems go on to 2446)."""
    return min(state.st_mtime_ns, 2**63 - 1)


def file_type(uri: bytes) -> str:
    """The file name's extension without the dot, in lower case; empty where there is none."""
    name = uri[uri.rfind(b"/") + 1 :]
    dot = name.rfind(b".")
    return name[dot + 1 :].decode().lower() if dot > 0 else ""


def _path(key: bytes) -> bytes:
    return key_path(key)[_LOCAL_BYTES:]


def _column(values: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(values), dtype=np.uint8).reshape(-1, 32)
