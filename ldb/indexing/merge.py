"""From columns that the workers gave to the rows of the index's two maps.

New data objects take the record their worker wrote. Those seen twice in a run, or known
already, get one record merged from the old one and every sighting, in path order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ldb.catalog import (
    KIND_DATA,
    PATHS,
    Catalog,
    Found,
    Record,
    SeenPath,
    as_keys,
    decode_record,
    encode_record,
    key_bytes,
    key_path,
)
from ldb.ids import NO_OID, Oid
from ldb.indexing.read import BatchResult, Problem, file_type
from ldb.maps import Changes, Rows
from ldb.objects.batch import BatchWriter
from ldb.objects.model import BlobType

CHUNK = 65536
"""Rows handed to a map edit at a time."""


@dataclass(slots=True)
class MergeCounts:
    """What a run added."""

    new_objects: int = 0
    new_annotations: int = 0
    new_paths: int = 0
    updated: int = 0
    """Known data objects of which something new was found."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A data object seen at a path in this run."""

    seen: SeenPath
    size: int
    type: str
    annotation: bytes
    known: bool
    """Only the annotation is new; the path and its attributes are as before."""


@dataclass(slots=True)
class Gathered:
    """Everything one run found; filled by `path_changes`, used up by `object_changes`."""

    catalog: Catalog
    run_time: int
    tags: tuple[str, ...] = ()
    counts: MergeCounts = field(default_factory=MergeCounts)
    problems: list[Problem] = field(default_factory=list)
    lost: dict[bytes, set[str]] = field(default_factory=dict)
    """Data object id → paths where it is no longer."""
    _results: list[BatchResult] = field(default_factory=list)

    def path_changes(
        self, results: Iterable[BatchResult], replaced: dict[bytes, bytes]
    ) -> Iterator[Changes]:
        """Rows of `paths` to write or delete, as they come from the workers."""
        for result in results:
            self.problems.extend(result.problems)
            if replaced:
                self._note_lost(result, replaced)
            is_data = result.kinds == KIND_DATA
            self.counts.new_paths += int(is_data.sum())
            if replaced:
                keys = result.keys[is_data].tolist()
                self.counts.new_paths -= sum(key in replaced for key in keys)
            if len(result.ids):
                self._results.append(result)
            if len(result.keys):
                yield Changes(_path_rows(result), result.kinds == 0)

    def _note_lost(self, result: BatchResult, replaced: dict[bytes, bytes]) -> None:
        keys, kinds = result.keys.tolist(), result.kinds.tolist()
        width = self.catalog.instance.id_bytes
        contents = key_bytes(result.contents.view("S32").ravel()) if keys else []
        for key, kind, content in zip(keys, kinds, contents):
            old = replaced.get(key)
            if old is not None and (kind != KIND_DATA or content[:width] != old):
                self.lost.setdefault(old, set()).add(key_path(key).decode())

    def object_changes(self, writer: BatchWriter, unchanged: list[bytes]) -> Iterator[Changes]:
        """Rows of `objects` to write, in id order."""
        width = self.catalog.instance.id_bytes
        ids = _concat([each.ids for each in self._results], f"S{width}")
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        starts = _group_starts(ids)
        touched = sorted({*self.lost, *(unchanged if self.tags else ())})
        everything = np.union1d(ids[starts], as_keys(touched, width)) if touched else ids[starts]
        groups = _Groups(ids, order, self._results)
        for at in range(0, len(everything), CHUNK):
            part = slice(at, min(at + CHUNK, len(everything)))
            changes = self._chunk(everything[part], groups, writer)
            if len(changes.rows.keys):
                yield changes

    def _chunk(self, ids: NDArray[np.bytes_], groups: _Groups, writer: BatchWriter) -> Changes:
        found = self.catalog.find(ids)
        first, counts = groups.of(ids)
        single = (counts == 1) & ~found.known
        records = np.zeros((len(ids), 32), np.uint8)
        notes = np.zeros((len(ids), 32), np.uint8)
        records[single], notes[single] = groups.columns(first[single])
        # A known data file met alone has no record of its own to take.
        single &= records.any(axis=1)
        self.counts.new_objects += int((~found.known & (counts > 0)).sum())
        self.counts.new_annotations += int(notes[single].any(axis=1).sum())
        keep = single.copy()
        rest = np.flatnonzero(~single)
        old = self._old_records(found, rest)
        for at, name in zip(rest.tolist(), key_bytes(ids[rest])):
            sightings = groups.sightings(int(first[at]), int(counts[at]))
            note = found.annotations[at].tobytes() if found.known[at] else NO_OID
            merged, note = self._merge(name, old.get(at), note, sightings)
            if merged is not None:
                keep[at] = True
                oid = writer.add(BlobType.RECORD, encode_record(merged))
                records[at] = np.frombuffer(oid, np.uint8)
                notes[at] = np.frombuffer(note, np.uint8)
        rows = Rows(ids[keep], (records[keep], notes[keep]))
        return Changes(rows, np.zeros(len(rows.keys), np.bool_))

    def _old_records(self, found: Found, rest: NDArray[np.int64]) -> dict[int, Record]:
        known = rest[found.known[rest]]
        records = {}
        store = self.catalog.instance.objects
        for positions, payloads in store.scan(found.records[known], BlobType.RECORD):
            for position, payload in zip(positions.tolist(), payloads):
                records[int(known[position])] = decode_record(payload)
        return records

    def _merge(
        self, name: bytes, old: Record | None, note: bytes, sightings: list[Sighting]
    ) -> tuple[Record | None, bytes]:
        """The object's new record and current annotation; None where nothing is new."""
        if old is None and not sightings:
            return None, note
        first = sightings[0] if sightings else None
        only_lost = not sightings and name in self.lost
        base = old or Record(
            size=first.size if first else 0,
            type=first.type if first else "",
            paths=(),
            first_indexed=self.run_time,
        )
        paths = {each.path: each for each in base.paths}
        notes = list(base.annotations)
        for each in sightings:
            if not each.known:
                paths[each.seen.path] = each.seen
            if each.annotation != NO_OID and each.annotation not in notes:
                notes.append(Oid(each.annotation))
                note = each.annotation
                self.counts.new_annotations += 1
        merged = replace(
            base,
            paths=_without(paths, self.lost.get(name, set())),
            annotations=tuple(notes),
            tags=tuple(sorted({*base.tags, *(() if only_lost else self.tags)})),
        )
        if merged == old:
            return None, note
        if old is not None:
            self.counts.updated += 1
        return replace(merged, last_indexed=self.run_time), note


def _without(paths: dict[str, SeenPath], lost: set[str]) -> tuple[SeenPath, ...]:
    """`paths` sorted, without the lost ones; the last known place is kept if all are lost."""
    left = [paths[name] for name in sorted(paths) if name not in lost]
    return tuple(left or [paths[name] for name in sorted(paths)][:1])


class _Groups:
    """Objects of all batches, reached through their sorted ids."""

    def __init__(
        self, ids: NDArray[np.bytes_], order: NDArray[np.int64], results: list[BatchResult]
    ) -> None:
        self._ids = ids
        self._order = order
        self._results = results
        sizes = np.array([len(each.ids) for each in results], dtype=np.int64)
        self._ends = np.cumsum(sizes)
        self._records = _concat([each.records for each in results], np.uint8)
        self._notes = _concat([each.annotations for each in results], np.uint8)

    def of(self, ids: NDArray[np.bytes_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each id's sightings start among the sorted ones, and how many they are."""
        first = np.searchsorted(self._ids, ids, side="left")
        last = np.searchsorted(self._ids, ids, side="right")
        return first, last - first

    def columns(self, first: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Record and annotation oids of sightings given by their sorted place."""
        places = self._order[first]
        return self._records[places].reshape(-1, 32), self._notes[places].reshape(-1, 32)

    def sightings(self, first: int, count: int) -> list[Sighting]:
        """Sightings of one object, in path order."""
        return [self._sighting(int(place)) for place in self._order[first : first + count]]

    def _sighting(self, place: int) -> Sighting:
        batch = int(np.searchsorted(self._ends, place, side="right"))
        result = self._results[batch]
        at = place - (int(self._ends[batch - 1]) if batch else 0)
        row = int(result.rows[at])
        note = result.annotations[at].tobytes()
        if row < 0:
            return Sighting(SeenPath("", 0), 0, "", note, known=True)
        uri = key_path(bytes(result.keys[row]))
        mtime, mode, uid, gid = result.attributes[at].tolist()
        return Sighting(
            seen=SeenPath(uri.decode(), mtime, mode, uid, gid),
            size=int(result.sizes[row]),
            type=file_type(uri),
            annotation=note,
            known=False,
        )


def _path_rows(result: BatchResult) -> Rows:
    count = len(result.keys)
    fields = {
        "content": result.contents,
        "size": _bytes_of(result.sizes),
        "mtime": _bytes_of(result.mtimes),
        "stamp": np.zeros((count, 16), np.uint8),
        "kind": result.kinds.reshape(-1, 1),
    }
    return Rows(result.keys, tuple(fields[name] for name, _ in PATHS.fields))


def _bytes_of(column: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return column.astype("<u8").view(np.uint8).reshape(-1, 8)


def _group_starts(ids: NDArray[np.bytes_]) -> NDArray[np.int64]:
    if not len(ids):
        return np.zeros(0, np.int64)
    return np.concatenate([[0], np.flatnonzero(ids[1:] != ids[:-1]) + 1])


def _concat(parts: list[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
