"""The work of one indexing worker: read, hash, parse, and put blobs into packs.

Jobs come in batches and give columns back; the blobs go straight into packs that this
worker writes, so the parent never sees an annotation.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import FOLDER_END, KIND_ANNOTATION, KIND_DATA
from ldb.errors import BadInput
from ldb.ids import NO_OID
from ldb.indexing.jobs import FolderJobs, Kind
from ldb.indexing.records import Records, kept_mtime
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import annotation_payload, annotation_payloads
from ldb.objects.model import MAX_PAYLOAD, BlobType
from ldb.storage.location import LOCAL
from ldb.storage.reading import HASHES, hash_file, read_bytes, read_settled, settled_mtime


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


_DATA, _ANNOTATION, _KNOWN_DATA = map(int, (Kind.DATA, Kind.ANNOTATION, Kind.KNOWN_DATA))


class _Note(NamedTuple):
    """An annotation file that was read."""

    place: int
    """In the batch's payloads."""
    state: os.stat_result


@dataclass(slots=True)
class _Rows:
    """Rows of `paths` of one kind; lists of one length."""

    at: list[int]
    """Position among the batch's jobs."""
    contents: list[bytes]
    """Data object ids."""
    places: list[int]
    """Places of annotations in the batch's payloads, -1 for a data file without one."""
    states: list[os.stat_result]
    mtimes: list[int]


def _no_rows() -> _Rows:
    return _Rows([], [], [], [], [])


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
        self._notes = _no_rows()
        self._data = _no_rows()
        self._uris: list[str] = []
        """One for each row of `_data`."""
        self._gone: list[int] = []
        self._known: list[tuple[int, bytes, int]] = []
        """Known data files whose annotation is new: position, id, place in `_payloads`."""
        self._old_notes: dict[int, bytes] = {}
        """Row of `_data` → oid of its annotation, read in an earlier run."""
        self._payloads: list[bytes] = []
        self._problems: list[Problem] = []

    def do_folder(self, work: FolderJobs) -> None:
        """Jobs of one folder; annotations are read first, so that data files find them."""
        start = len(self._keys)
        prefix = work.prefix
        self._keys += [prefix + name for name in work.names]
        uri = prefix[: -len(FOLDER_END)] + b"/"
        folder = uri[len(LOCAL) :]
        loaded = self._load(folder, work)
        chosen = []
        for at, kind in enumerate(work.kinds):
            if kind == _DATA:
                if not (self._reader.strict and work.notes[at] and not loaded[work.notes[at]]):
                    chosen.append(at)
            elif kind == _ANNOTATION:
                self._add_note(start + at, loaded[work.names[at]])
            elif kind == _KNOWN_DATA:
                if note := loaded[work.notes[at]]:
                    self._known.append((start + at, work.contents[at], note.place))
            else:
                self._gone.append(start + at)
        self._read_data(folder, uri.decode(), work, chosen, start, loaded)

    def _load(self, folder: bytes, work: FolderJobs) -> dict[bytes, _Note | None]:
        """Every annotation that the jobs of a folder name, None where it is bad."""
        wanted = [name for name, kind in zip(work.names, work.kinds) if kind == _ANNOTATION]
        # Of a data file at a cut between batches the annotation may be the other's job.
        names = list(dict.fromkeys([*wanted, *filter(None, work.notes)]))
        found = list(read_settled(folder, names, self._now))
        payloads = annotation_payloads([each[0] if each else b"" for each in found])
        loaded: dict[bytes, _Note | None] = {}
        place = len(self._payloads)
        for name, payload, each in zip(names, payloads, found):
            state = each and each[1]
            if payload is None or state is None:
                again = self._load_slowly(folder + name)
                if again is None:
                    loaded[name] = None
                    continue
                payload, state = again
            self._payloads.append(payload)
            loaded[name] = _Note(place, state)
            place += 1
        return loaded

    def _load_slowly(self, path: bytes) -> tuple[bytes, os.stat_result] | None:
        """A large, unsettled or bad annotation file; the latter is reported."""
        try:
            raw, state = read_bytes(path, MAX_PAYLOAD)
            return annotation_payload(raw, "annotation"), state
        except BadInput as error:
            self._problems.append(Problem(os.fsdecode(path), error.why))
        except OSError as error:
            self._problems.append(_unread(path, error))
        return None

    def _add_note(self, at: int, note: _Note | None) -> None:
        if note is None:
            # No row: the next run reads and reports it again.
            self._gone.append(at)
            return
        rows, state = self._notes, note.state
        rows.at.append(at)
        rows.places.append(note.place)
        rows.states.append(state)
        rows.mtimes.append(settled_mtime(state.st_mtime_ns, self._now))

    def _read_data(
        self,
        folder: bytes,
        uri: str,
        work: FolderJobs,
        chosen: list[int],
        start: int,
        loaded: dict[bytes, _Note | None],
    ) -> None:
        """Hash these of the folder's data files; `loaded` are its annotations."""
        rows, uris, now = self._data, self._uris, self._now
        new = HASHES[self._reader.algorithm]
        names = [work.names[at] for at in chosen]
        for at, name, found in zip(chosen, names, read_settled(folder, names, now)):
            if found is not None:
                digest, state = new(found[0]).digest(), found[1]
            elif (other := self._hash_slowly(folder + name)) is not None:
                digest, state = other
            else:
                continue
            note = loaded[work.notes[at]] if work.notes[at] else None
            if work.oids and work.oids[at]:
                self._old_notes[len(rows.at)] = work.oids[at]
            rows.at.append(start + at)
            rows.contents.append(digest)
            rows.places.append(note.place if note else -1)
            rows.states.append(state)
            rows.mtimes.append(settled_mtime(state.st_mtime_ns, now))
            uris.append(uri + name.decode())

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
        notes, data, writer = self._notes, self._data, self._reader.writer
        oids = writer.add_many(BlobType.ANNOTATION, self._payloads)
        beside: list[bytes] = [oids[place] if place >= 0 else b"" for place in data.places]
        for row, oid in self._old_notes.items():
            beside[row] = oid
        make = self._reader.records.payload
        made = [make(*each) for each in zip(beside, data.states, self._uris)]
        records = writer.add_many(BlobType.RECORD, made)

        states = notes.states + data.states
        gone = [0] * len(self._gone)
        at = np.array(notes.at + data.at + self._gone, dtype=np.int64)
        order = np.argsort(at)
        contents = np.zeros((len(at), 32), np.uint8)
        contents[: len(notes.at)] = _column([oids[place] for place in notes.places], 32)
        width, stop = self._reader.id_bytes, len(notes.at) + len(data.at)
        contents[len(notes.at) : stop, :width] = _column(data.contents, width)
        kinds = np.zeros(len(at), np.uint8)
        kinds[: len(notes.at)], kinds[len(notes.at) : stop] = KIND_ANNOTATION, KIND_DATA
        sizes = np.array([state.st_size for state in states] + gone, dtype=np.uint64)
        mtimes = np.array(notes.mtimes + data.mtimes + gone, dtype=np.uint64)
        rows = np.empty(len(at), np.int64)
        rows[order] = np.arange(len(at))

        known = self._known
        where = np.array(data.at + [each[0] for each in known], dtype=np.int64)
        by_path = np.argsort(where)
        nothing = [0] * (4 * len(known))
        attributes = [part for state in data.states for part in _attributes(state)] + nothing
        found = beside + [oids[place] for _, _, place in known]
        return BatchResult(
            keys=np.array([self._keys[each] for each in at[order].tolist()], dtype=np.bytes_),
            contents=contents[order],
            sizes=sizes[order],
            mtimes=mtimes[order],
            kinds=kinds[order],
            ids=_ids(data.contents + [each[1] for each in known], width)[by_path],
            records=_column(records + [NO_OID] * len(known), 32)[by_path],
            annotations=_column([each or NO_OID for each in found], 32)[by_path],
            rows=np.append(rows[len(notes.at) : stop], np.full(len(known), -1))[by_path],
            attributes=np.array(attributes, dtype=np.int64).reshape(-1, 4)[by_path],
            problems=self._problems,
        )


def _unread(path: bytes, error: OSError) -> Problem:
    gone = isinstance(error, FileNotFoundError)
    why = "is gone since its folder was listed" if gone else f"cannot be read: {error.strerror}"
    return Problem(os.fsdecode(path), why)


def _attributes(state: os.stat_result) -> tuple[int, int, int, int]:
    return kept_mtime(state), state.st_mode, state.st_uid, state.st_gid


def _ids(values: Sequence[bytes], width: int) -> NDArray[np.bytes_]:
    return np.frombuffer(b"".join(values), dtype=f"S{width}")


def _column(values: Sequence[bytes], width: int) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(values), dtype=np.uint8).reshape(-1, width)
