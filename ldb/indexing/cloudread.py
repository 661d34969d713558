"""The work of one indexing worker on object stores: read pinned, hash, parse, pack.

The second kind of reader: small objects are read many at a time, large ones as a few streams
that are hashed while they come. What goes back to the parent are the same columns as for
local files. Design: docs/design/013-cloud-locations.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import SeenPath, record_payload, seen_value
from ldb.errors import BadInput, LdbError, StoreFailed
from ldb.ids import NO_OID, Oid
from ldb.indexing.cloudjobs import CloudBatch, CloudJobs
from ldb.indexing.jobs import Kind, label_rows
from ldb.indexing.read import BatchResult, Problem, as_column
from ldb.indexing.records import file_type
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import annotation_payload
from ldb.objects.indexrows import KIND_ANNOTATION, KIND_DATA, KIND_LABELS
from ldb.objects.model import MAX_PAYLOAD, BlobType
from ldb.storage.cloudlisting import Fact
from ldb.storage.reading import HASHES, settled_mtime
from ldb.storage.remote import (
    Clients,
    Pinned,
    check_size,
    hash_pinned,
    stamp_of,
    stream_pinned,
    why_unread,
)
from ldb.threads import pool

SMALL = 1 << 20
"""Bytes up to which an object is read whole, with many others at a time."""

TOGETHER = 64
"""Small objects that are read at a time."""

STREAMS = 4
"""Large objects that are read at a time."""

GIVE_UP_AFTER = 120.0
"""Seconds in which nothing but failures came, and at least `TOGETHER` of them, end a run: each
of a million objects would be tried for a minute otherwise."""

_MARK_BYTES = 1
"""What stands between a folder and a name in a key."""


class CloudReader:
    """Settings of a run; `read` does one batch."""

    def __init__(
        self,
        writer: BatchWriter,
        algorithm: str,
        id_bytes: int,
        run_time: int,
        tags: tuple[str, ...],
        strict: bool,
        clients: Clients,
        where: str = "",
    ) -> None:
        """`run_time`: milliseconds since 1970, when the run started.

        `where` is said of what cannot be read, by a worker whose rights are not the driver's.
        """
        self.writer = writer
        self.algorithm = algorithm
        self.id_bytes = id_bytes
        self.run_time = run_time
        self.tags = tags
        self.strict = strict
        self.clients = clients
        self.where = where
        self._succeeded = time.monotonic()
        self._failures = 0

    def came(self, failed: LdbError | None) -> None:
        """Note whether an object could be had; raises `StoreFailed` where none can any more."""
        now = time.monotonic()
        if not isinstance(failed, StoreFailed):
            self._succeeded, self._failures = now, 0
            return
        self._failures += 1
        if self._failures >= TOGETHER and now - self._succeeded > GIVE_UP_AFTER:
            raise failed

    def read(self, batch: CloudBatch) -> BatchResult:
        """Do one batch of jobs, given in key order."""
        work = _Work(self, batch)
        self._succeeded = time.monotonic()
        for folder in batch.folders:
            work.plan(folder)
        work.fetch()
        return work.result()


@dataclass(slots=True)
class _Row:
    """A row of `paths` to write."""

    at: int
    """Position among the batch's jobs."""
    name: str
    """URI."""
    fact: Fact
    note: str = ""
    """URI of the annotation read beside a data file."""
    note_oid: bytes = b""
    """Oid of an annotation that was read in an earlier run."""


@dataclass(slots=True)
class _Work:
    """One batch: planned, fetched, then made into columns."""

    reader: CloudReader
    batch: CloudBatch
    keys: list[bytes] = field(default_factory=list)
    """One a job."""
    notes: list[_Row] = field(default_factory=list)
    data: list[_Row] = field(default_factory=list)
    known: list[tuple[int, bytes, str, bytes]] = field(default_factory=list)
    """Known data files whose annotation is new: position, id, the annotation's URI or its oid."""
    labels: list[tuple[int, bytes]] = field(default_factory=list)
    """Label files: position, packed row."""
    gone: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    to_parse: dict[str, Fact] = field(default_factory=dict)
    to_hash: dict[str, Fact] = field(default_factory=dict)
    payloads: dict[str, bytes] = field(default_factory=dict)
    """By URI, of annotations that are good."""
    digests: dict[str, bytes] = field(default_factory=dict)
    """By URI."""

    def plan(self, folder: CloudJobs) -> None:
        """Take the jobs of one folder."""
        jobs = folder.jobs
        uri = jobs.prefix[:-_MARK_BYTES].decode()
        contents = jobs.contents or [b""] * len(jobs)
        oids = jobs.oids or [b""] * len(jobs)
        for name, kind, note, content, oid in zip(
            jobs.names, jobs.kinds, jobs.notes, contents, oids
        ):
            at = len(self.keys)
            self.keys.append(jobs.prefix + name)
            beside = uri + note.decode() if note else ""
            if note:
                self.to_parse[beside] = folder.facts[note]
            if kind == Kind.GONE:
                self.gone.append(at)
            elif kind == Kind.KNOWN_DATA:
                self.known.append((at, content, beside, oid))
            elif kind == Kind.LABELS:
                self.labels.append((at, content))
            elif kind == Kind.ANNOTATION:
                row = _Row(at, uri + name.decode(), folder.facts[name])
                self.to_parse[row.name] = row.fact
                self.notes.append(row)
            else:
                row = _Row(at, uri + name.decode(), folder.facts[name], beside, oid)
                self._plan_data(row)

    def _plan_data(self, row: _Row) -> None:
        self.data.append(row)
        if self.batch.vouched and self.reader.algorithm == "md5" and row.fact.md5:
            self.digests[row.name] = row.fact.md5
        else:
            self.to_hash[row.name] = row.fact

    def fetch(self) -> None:
        """Read all that was planned; what cannot be read is a problem."""
        whole: list[tuple[Pinned, Callable[[Pinned, bytes], None]]] = []
        parts: list[tuple[Pinned, Callable[[Pinned], None]]] = []
        for uri, fact in self.to_parse.items():
            wanted = Pinned(uri, fact.size, fact.token)
            if fact.size > MAX_PAYLOAD:
                why = f"is {fact.size} bytes; the limit is {MAX_PAYLOAD}"
                self.problems.append(Problem(uri, why))
            elif fact.size > SMALL:
                parts.append((wanted, self._parse_large))
            else:
                whole.append((wanted, self._parse))
        for uri, fact in self.to_hash.items():
            wanted = Pinned(uri, fact.size, fact.token)
            if fact.size > SMALL:
                parts.append((wanted, self._hash_large))
            else:
                whole.append((wanted, self._hash))
        self._fetch_whole(whole)
        self._fetch_parts(parts)

    def _fetch_whole(
        self, wanted: Sequence[tuple[Pinned, Callable[[Pinned, bytes], None]]]
    ) -> None:
        if not wanted:
            return
        client = self.reader.clients.of(wanted[0][0].uri)
        gets = [pinned.get() for pinned, _ in wanted]
        for at, answer in client.get_many(gets, concurrency=TOGETHER):
            pinned, take = wanted[at]
            self.reader.came(answer if isinstance(answer, LdbError) else None)
            if isinstance(answer, LdbError):
                self._failed(pinned, answer)
                continue
            try:
                check_size(pinned, len(answer))
                take(pinned, answer)
            except LdbError as error:
                self._failed(pinned, error)

    def _fetch_parts(self, wanted: Sequence[tuple[Pinned, Callable[[Pinned], None]]]) -> None:
        if not wanted:
            return

        def fetch(each: tuple[Pinned, Callable[[Pinned], None]]) -> LdbError | None:
            try:
                each[1](each[0])
            except LdbError as error:
                return error
            return None

        with pool(min(STREAMS, len(wanted))) as threads:
            for (pinned, _), failed in zip(wanted, threads.map(fetch, wanted)):
                self.reader.came(failed)
                if failed is not None:
                    self._failed(pinned, failed)

    def _parse(self, wanted: Pinned, raw: bytes) -> None:
        self.payloads[wanted.uri] = annotation_payload(raw, "annotation")

    def _parse_large(self, wanted: Pinned) -> None:
        client = self.reader.clients.of(wanted.uri)
        self._parse(wanted, b"".join(stream_pinned(client, wanted)))

    def _hash(self, wanted: Pinned, raw: bytes) -> None:
        self.digests[wanted.uri] = HASHES[self.reader.algorithm](raw).digest()

    def _hash_large(self, wanted: Pinned) -> None:
        client = self.reader.clients.of(wanted.uri)
        self.digests[wanted.uri] = hash_pinned(client, wanted, self.reader.algorithm)

    def _failed(self, wanted: Pinned, error: LdbError) -> None:
        """An object that could not be read or parsed."""
        why = error.why if isinstance(error, BadInput) else why_unread(error)
        if isinstance(error, StoreFailed):
            why += self.reader.where
        self.problems.append(Problem(wanted.uri, why))

    def result(self) -> BatchResult:
        """Columns of all that was done; its blobs are with the writer."""
        writer, width = self.reader.writer, self.reader.id_bytes
        uris = list(self.payloads)
        oids = dict(zip(uris, writer.add_many(BlobType.ANNOTATION, list(self.payloads.values()))))
        # No row where an annotation is bad: the next run reads and reports it again.
        self.gone += [row.at for row in self.notes if row.name not in oids]
        notes = [row for row in self.notes if row.name in oids]
        data = [row for row in self.data if self._is_good(row, oids)]
        known = [
            (at, name, each) for at, name, uri, oid in self.known if (each := oid or oids.get(uri))
        ]
        labels = label_rows(row for _, row in self.labels)
        beside = [row.note_oid or oids.get(row.note, b"") for row in data]
        records = writer.add_many(
            BlobType.RECORD, [self._record(row, oid) for row, oid in zip(data, beside)]
        )
        rows = notes + data
        labelled = [at for at, _ in self.labels]
        at = np.array([row.at for row in rows] + labelled + self.gone, np.int64)
        order = np.argsort(at)
        blank = [bytes(32)] * len(self.gone)
        contents: list[bytes] = [oids[row.name] for row in notes]
        contents += [self.digests[row.name].ljust(32, b"\0") for row in data]
        contents += [row.content for row in labels]
        now = self.reader.run_time * 1_000_000
        mtimes = [_mtime(row.fact, now) for row in rows] + [row.mtime for row in labels]
        sizes = [row.fact.size for row in rows] + [row.size for row in labels]
        stamps = [stamp_of(row.fact.token) for row in rows] + [row.stamp for row in labels]
        where = np.empty(len(at), np.int64)
        where[order] = np.arange(len(at))

        # Objects: data files that were read, then known ones; then put in order.
        by_path = np.argsort(
            np.array([row.at for row in data] + [row[0] for row in known], np.int64)
        )
        linked = [oid or NO_OID for oid in beside] + [row[2] for row in known]
        ids = [self.digests[row.name] for row in data] + [row[1] for row in known]
        attributes = np.zeros((len(ids), 4), np.int64)
        attributes[: len(data), 0] = [row.fact.mtime for row in data]
        pins = (
            np.array([row.fact.token.encode() for row in data] + [b""] * len(known), np.bytes_),
            np.array([row.fact.version.encode() for row in data] + [b""] * len(known), np.bytes_),
        )
        return BatchResult(
            keys=np.array(self.keys, np.bytes_)[at[order]],
            contents=as_column(contents + blank, 32)[order],
            sizes=_numbers(sizes, len(at))[order],
            mtimes=_numbers(mtimes, len(at))[order],
            kinds=_kinds(len(notes), len(data), len(labels), len(at))[order],
            ids=np.frombuffer(b"".join(ids), f"S{width}")[by_path],
            records=as_column(records + [NO_OID] * len(known), 32)[by_path],
            annotations=as_column(linked, 32)[by_path],
            rows=np.append(where[len(notes) : len(rows)], np.full(len(known), -1))[by_path],
            attributes=attributes[by_path],
            problems=self.problems,
            stamps=as_column(stamps + [bytes(16)] * len(self.gone), 16)[order],
            pins=(pins[0][by_path], pins[1][by_path]),
        )

    def _is_good(self, row: _Row, oids: dict[str, Oid]) -> bool:
        """Whether a data file was read, and by `strict` its annotation too."""
        bad_note = bool(row.note) and row.note not in oids
        return row.name in self.digests and not (self.reader.strict and bad_note)

    def _record(self, row: _Row, note: bytes) -> bytes:
        """The record of a data file as if it were a new object's only one."""
        fact, reader = row.fact, self.reader
        seen = SeenPath(row.name, fact.mtime, token=fact.token, version=fact.version)
        return record_payload(
            annotations=[bytes(note)] if note else [],
            first_indexed=reader.run_time,
            last_indexed=reader.run_time,
            paths=[seen_value(seen)],
            size=fact.size,
            tags=list(reader.tags),
            type=file_type(row.name),
        )


def _mtime(fact: Fact, now: int) -> int:
    """The time to keep: without a token it is all that tells of a change."""
    return fact.mtime if fact.token else settled_mtime(fact.mtime, now)


def _numbers(values: Sequence[int], count: int) -> NDArray[np.uint64]:
    column = np.zeros(count, np.uint64)
    column[: len(values)] = values
    return column


def _kinds(notes: int, data: int, labels: int, count: int) -> NDArray[np.uint8]:
    kinds = np.zeros(count, np.uint8)
    kinds[:notes], kinds[notes : notes + data] = KIND_ANNOTATION, KIND_DATA
    kinds[notes + data : notes + data + labels] = KIND_LABELS
    return kinds
