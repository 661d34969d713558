"""Two indexing runs that touched the same data object or path: neither loses anything.

A three-way map merge reports such keys; here they are settled. Records are united (paths,
annotation history, tags); of two rows for one path, the later run's stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Record, SeenPath, decode_record, encode_record
from ldb.ids import NO_OID, Oid
from ldb.maps import Changes, Merged, Root, Rows, Schema, Side, edit
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import decode, encode
from ldb.objects.model import BlobType


def resolve_records(
    writer: BatchWriter, schema: Schema, merged: Merged, merging: bool = False
) -> Root:
    """The merged `objects` map with one united record for each object in conflict.

    With `merging`, of two new annotations neither takes the other's place.
    """
    conflicts = merged.conflicts
    if not len(conflicts):
        return merged.root
    bases = _records(writer, conflicts.base)
    ours = _records(writer, conflicts.ours)
    theirs = _records(writer, conflicts.theirs)
    records, notes = [], []
    for at, sides in enumerate(zip(bases, ours, theirs)):
        record = united(*sides)
        three = _annotations_at(at, conflicts.base, conflicts.ours, conflicts.theirs)
        note = _rebased(writer, *three) if merging else _current(*three)
        if note != NO_OID and note not in record.annotations:
            record = replace(record, annotations=(*record.annotations, Oid(note)))
        records.append(writer.add(BlobType.RECORD, encode_record(record)))
        notes.append(note)
    rows = Rows(conflicts.keys, (_column(records), _column(notes)))
    return edit(writer, writer, schema, merged.root.oid, [Changes.upserts(rows)])


def _records(writer: BatchWriter, side: Side) -> list[Record | None]:
    column = side.rows.fields[0]
    return [
        decode_record(writer.get(Oid(column[at].tobytes()), BlobType.RECORD).payload)
        if side.there[at]
        else None
        for at in range(len(column))
    ]


def united(base: Record | None, ours: Record | None, theirs: Record | None) -> Record:
    """One record with everything that either side found since `base`.

    A record removed on one side and changed on the other stays.
    """
    one, other = ours or theirs, theirs or ours
    assert one is not None
    assert other is not None
    tags = _three_way(base.tags if base else (), one.tags, other.tags)
    notes = list(other.annotations)
    notes += [oid for oid in one.annotations if oid not in notes]
    return replace(
        one,
        paths=_paths(base, one, other),
        annotations=tuple(notes),
        tags=tuple(sorted(tags)),
        first_indexed=min(one.first_indexed, other.first_indexed),
        last_indexed=max(one.last_indexed, other.last_indexed),
    )


def _three_way(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> set[str]:
    """What both kept of `base`, and what either added."""
    kept = set(base) & set(ours) & set(theirs)
    return kept | (set(ours) - set(base)) | (set(theirs) - set(base))


def _paths(base: Record | None, ours: Record, theirs: Record) -> tuple[SeenPath, ...]:
    places = {seen.path: seen for seen in theirs.paths}
    places.update({seen.path: seen for seen in ours.paths})
    before = [seen.path for seen in base.paths] if base else []
    names = _three_way(
        before, [seen.path for seen in ours.paths], [seen.path for seen in theirs.paths]
    )
    return tuple(places[name] for name in sorted(names or places))


def _annotations_at(at: int, *sides: Side) -> Iterator[bytes]:
    for side in sides:
        yield side.rows.fields[1][at].tobytes() if side.there[at] else NO_OID


def _current(before: bytes, mine: bytes, other: bytes) -> bytes:
    """The current annotation: what this run made it, unless only the other changed it."""
    return other if mine in (before, NO_OID) else mine


def _rebased(writer: BatchWriter, before: bytes, mine: bytes, other: bytes) -> bytes:
    """The same for a run that merges: what it changed, over what the other made of it."""
    if other in (before, NO_OID) or mine in (before, NO_OID, other):
        return _current(before, mine, other)
    from ldb.indexing.updating import rebased  # runs that replace do without

    base, ours, theirs = (
        None if oid == NO_OID else decode(writer.get(Oid(oid), BlobType.ANNOTATION).payload)
        for oid in (before, mine, other)
    )
    payload = encode(rebased(base, ours, theirs), "merged annotation")
    return writer.add(BlobType.ANNOTATION, payload)


def _column(oids: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(oids), np.uint8).reshape(-1, 32)
