"""From columns that the workers gave to the rows of the index's two maps.

New data objects take the record their worker wrote. Those seen twice in a run, or known
already, get one record merged from the old one and every sighting, in path order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import (
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
from ldb.columns.model import spread
from ldb.ids import NO_OID, Oid
from ldb.indexing.read import BatchResult, Problem
from ldb.indexing.sightings import Sighting, Sightings, SortedSightings
from ldb.maps import Changes, Rows
from ldb.objects.batch import BatchWriter
from ldb.objects.indexrows import KIND_DATA
from ldb.objects.model import BlobType
from ldb.storage.location import shown

if TYPE_CHECKING:
    from ldb.indexing.updating import Merging

AnnotationUpdate = Literal["replace", "merge"]
"""What a new annotation does to the current one of its object: `updating.py` merges."""

CHUNK = 65536
"""Rows handed to a map edit at a time."""
TEXTS = 4096
"""Objects whose annotations are held together where they are merged."""


@dataclass(slots=True)
class MergeCounts:
    """What a run added."""

    new_objects: int = 0
    new_annotations: int = 0
    new_paths: int = 0
    updated: int = 0
    """Known data objects of which something new was found."""
    disagreeing: int = 0
    """Data objects seen with different annotations."""


@dataclass(slots=True)
class Gathered:
    """Everything one run found; filled by `path_changes`, used up by `object_changes`."""

    catalog: Catalog
    run_time: int
    tags: tuple[str, ...] = ()
    merging: Merging | None = None
    """Merges annotations into those that objects have; None: they take their place."""
    counts: MergeCounts = field(default_factory=MergeCounts)
    problems: list[Problem] = field(default_factory=list)
    lost: dict[bytes, set[str]] = field(default_factory=dict)
    """Data object id → paths where it is no longer."""
    disagreement: str = ""
    """A data object that was seen with different annotations, and where."""
    _sightings: Sightings = field(default_factory=Sightings)

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
            self._sightings.add(result)
            if self.merging is not None:
                self.merging.note(result)
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
        groups = self._sightings.sorted(width)
        touched = sorted({*self.lost, *(unchanged if self.tags else ())})
        everything = groups.names
        if touched:
            everything = np.union1d(everything, as_keys(touched, width))
        for at in range(0, len(everything), CHUNK):
            part = slice(at, min(at + CHUNK, len(everything)))
            changes = self._chunk(everything[part], groups, writer)
            if len(changes.rows.keys):
                yield changes

    def _chunk(
        self, ids: NDArray[np.bytes_], groups: SortedSightings, writer: BatchWriter
    ) -> Changes:
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
        for place, (at, name) in enumerate(zip(rest.tolist(), key_bytes(ids[rest]))):
            if self.merging is not None and place % TEXTS == 0:
                self._load(self.merging, groups, found, rest[place : place + TEXTS], first, counts)
            sightings = groups.sightings(int(first[at]), int(counts[at]))
            note = found.annotations[at].tobytes() if found.known[at] else NO_OID
            merged, note = self._merge(name, old.get(at), note, sightings, writer)
            if merged is not None:
                keep[at] = True
                oid = writer.add(BlobType.RECORD, encode_record(merged))
                records[at] = np.frombuffer(oid, np.uint8)
                notes[at] = np.frombuffer(note, np.uint8)
        rows = Rows(ids[keep], (records[keep], notes[keep]))
        return Changes(rows, np.zeros(len(rows.keys), np.bool_))

    def _load(
        self,
        merging: Merging,
        groups: SortedSightings,
        found: Found,
        some: NDArray[np.int64],
        first: NDArray[np.intp],
        counts: NDArray[np.intp],
    ) -> None:
        """Have the annotations of some objects at hand: current ones and those that were seen."""
        seen = spread(first[some], counts[some])
        oids = np.concatenate((found.annotations[some], groups.columns(seen)[1]))
        merging.load({oid.tobytes() for oid in oids})

    def _old_records(self, found: Found, rest: NDArray[np.int64]) -> dict[int, Record]:
        known = rest[found.known[rest]]
        records = {}
        store = self.catalog.instance.objects
        for positions, payloads in store.scan(found.records[known], BlobType.RECORD):
            for position, payload in zip(positions.tolist(), payloads):
                records[int(known[position])] = decode_record(payload)
        return records

    def _merge(
        self,
        name: bytes,
        old: Record | None,
        note: bytes,
        sightings: list[Sighting],
        writer: BatchWriter,
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
        self._note_disagreement(name, sightings)
        paths = {each.path: each for each in base.paths}
        notes = list(base.annotations)
        for each in sightings:
            again = each.seen.path in paths
            if not each.known:
                paths[each.seen.path] = each.seen
            fresh = self._updated(writer, note, each.annotation, again)
            if fresh != NO_OID and fresh not in notes:
                notes.append(Oid(fresh))
                note = fresh
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

    def _note_disagreement(self, name: bytes, sightings: list[Sighting]) -> None:
        """Take note of annotations that differ from path to path, where they are not merged."""
        if len(sightings) < 2 or self.merging is not None:
            return
        if len({each.annotation for each in sightings} - {NO_OID}) > 1:
            self.counts.disagreeing += 1
            if not self.disagreement:
                places = [shown(each.seen.path) for each in sightings if each.seen.path]
                self.disagreement = f"id:{name.hex()} {' '.join(places[:2])}".rstrip()

    def _updated(self, writer: BatchWriter, note: bytes, seen: bytes, again: bool) -> bytes:
        """What an annotation beside a data file makes of the current one; zeros: nothing.

        `again`: the data file was known at this place, so if the annotation was not read in
        this run it was merged before, and must not undo what was edited since.
        """
        if self.merging is None or seen in (NO_OID, note):
            return seen
        if again and not self.merging.was_read(seen):
            return NO_OID
        return self.merging.merged(writer, note, seen)


def _without(paths: dict[str, SeenPath], lost: set[str]) -> tuple[SeenPath, ...]:
    """`paths` sorted, without the lost ones; the last known place is kept if all are lost."""
    left = [paths[name] for name in sorted(paths) if name not in lost]
    return tuple(left or [paths[name] for name in sorted(paths)][:1])


def _path_rows(result: BatchResult) -> Rows:
    count = len(result.keys)
    fields = {
        "content": result.contents,
        "size": _bytes_of(result.sizes),
        "mtime": _bytes_of(result.mtimes),
        "stamp": np.zeros((count, 16), np.uint8) if result.stamps is None else result.stamps,
        "kind": result.kinds.reshape(-1, 1),
    }
    return Rows(result.keys, tuple(fields[name] for name, _ in PATHS.fields))


def _bytes_of(column: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return column.astype("<u8").view(np.uint8).reshape(-1, 8)
