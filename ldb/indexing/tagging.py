"""Tags of data objects that the index knows: records with other tags, in one new version.

A record is not taken apart for that. Its tags lie between two keys that its text cannot hold
(`_Retagger`), and few sets of tags occur, so most records cost two searches and a dictionary
lookup. Rules: docs/formats/catalog.md, figures: docs/design/028-tags-and-versions.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, decode_row, record_payload
from ldb.errors import BadInput
from ldb.history import Operation, Version, head
from ldb.indexing.publish import IndexRoots, Run, map_root, publish_run, roots_of
from ldb.instance import Instance
from ldb.maps import Changes, Rows, edit
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import decode, encode_sorted
from ldb.objects.model import BlobType
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX

AT_ONCE = 1 << 20
"""Objects whose records are read in one pass over the packs; about 100 bytes each."""
CHUNK = 65536
"""Rows handed to a map edit at a time."""
MOST_TAGS = 15
"""Tags of a record that is not taken apart: up to so many, one byte tells their number."""


@dataclass(frozen=True, slots=True)
class TagEdit:
    """What becomes of an object's tags."""

    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    replace: bool = False
    """Whether `add` takes the place of all there are."""

    def of(self, tags: Sequence[str]) -> list[str]:
        """An object's tags afterwards, sorted, each once."""
        return sorted(self.add if self.replace else {*tags} - self.remove | self.add)


@dataclass(frozen=True, slots=True)
class Retagged:
    """How many objects got other tags, and the version of the index that says so."""

    changed: int
    unknown: int
    """Ids that the index does not know."""
    version: Version | None
    """None where nothing changed."""


def retag(
    instance: Instance,
    ids: NDArray[np.bytes_],
    change: TagEdit,
    operation: Operation,
    *,
    author: str = "",
    message: str = "",
    progress: Progress = SILENT,
) -> Retagged:
    """Change the tags of objects, ids ascending; what others indexed meanwhile is merged."""
    base = head(instance, INDEX)
    work = _Work(Catalog(instance, base), _Retagger(change), progress)
    with instance.objects.writer() as writer:
        old = roots_of(instance, base, writer)
        changes = work.changes(writer, ids)
        objects = edit(writer, writer, work.catalog.schema, old.objects.root, changes)
    new = IndexRoots(map_root(objects), old.paths)
    if new == old:
        return Retagged(0, work.unknown, None)
    version = publish_run(instance, Run(base, old, new, operation), author, message)
    return Retagged(work.changed, work.unknown, version)


@dataclass
class _Work:
    catalog: Catalog
    retagger: _Retagger
    progress: Progress
    changed: int = 0
    unknown: int = 0

    def changes(self, writer: BatchWriter, ids: NDArray[np.bytes_]) -> Iterator[Changes]:
        """Rows of `objects` with other records, in id order."""
        self.progress.start("tagging", len(ids))
        for at in range(0, len(ids), AT_ONCE):
            rows = self._rows(writer, ids[at : at + AT_ONCE])
            self.changed += len(rows)
            for start in range(0, len(rows), CHUNK):
                yield Changes.upserts(rows.slice(start, start + CHUNK))

    def _rows(self, writer: BatchWriter, ids: NDArray[np.bytes_]) -> Rows:
        found = self.catalog.find(ids)
        self.unknown += int((~found.known).sum())
        where = np.flatnonzero(found.known)
        records, changed = found.records.copy(), np.zeros(len(ids), np.bool_)
        # One pass in the order of the packs: in that of the ids every block is read many times.
        scan = self.catalog.instance.objects.scan(found.records[where], BlobType.RECORD)
        for positions, payloads in scan:
            made = list(map(self.retagger.retagged, payloads))
            fresh = [at for at, payload in enumerate(made) if payload is not None]
            if fresh:
                oids = writer.add_many(BlobType.RECORD, [each for each in made if each is not None])
                rows = where[positions[fresh]]
                records[rows] = np.frombuffer(b"".join(oids), np.uint8).reshape(-1, 32)
                changed[rows] = True
            self.progress.advance(len(payloads))
        return Rows(ids[changed], (records[changed], found.annotations[changed]))


_BEFORE, _AFTER = encode_sorted("tags"), encode_sorted("type")


class _Retagger:
    """Makes payloads of records with other tags.

    Between the keys `tags` and `type` stand a byte from 0x90 to 0x9f and the tags. No text
    holds that key with such a byte behind it, for that is not UTF-8; so where it is found it
    is the key. Records in which it is not found are taken apart.
    """

    def __init__(self, change: TagEdit) -> None:
        self._change = change
        self._known: dict[bytes, bytes | None] = {}
        """Encoded tags → those afterwards; None: it is not certain that these are the tags."""

    def retagged(self, payload: bytes) -> bytes | None:
        """The payload with other tags; None where it has them already."""
        start = payload.rfind(_BEFORE) + len(_BEFORE)
        stop = payload.rfind(_AFTER, start)
        tags = payload[start:stop]
        after = self._known[tags] if tags in self._known else self._learn(tags)
        if after is None:
            return self._slowly(payload)
        return None if after == tags else payload[:start] + after + payload[stop:]

    def _learn(self, tags: bytes) -> bytes | None:
        try:
            value = decode(tags)
        except BadInput:
            value = None
        sure = type(value) is list and len(value) <= MOST_TAGS and {*map(type, value)} <= {str}
        after = encode_sorted(self._change.of(value)) if sure else None
        if len(self._known) < CHUNK:
            self._known[tags] = after
        return after

    def _slowly(self, payload: bytes) -> bytes | None:
        row = decode_row(payload)
        tags = self._change.of(row["tags"])
        if tags == row["tags"]:
            return None
        fields = {**row, "tags": tags}
        return record_payload(**fields)  # type: ignore[arg-type]
