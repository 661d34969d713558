"""Annotations that were edited in the workspace, by hand or by a tool.

`add` reads them from files that stand for data objects (`written.py`) and indexes what
differs from the draft, all of it in one run; where one file is bad, nothing is changed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from ldb.catalog import as_keys
from ldb.errors import BadInput
from ldb.ids import NO_OID, ObjectId
from ldb.indexing.annotations import index_annotations
from ldb.objects.codec import annotation_payload
from ldb.objects.model import MAX_PAYLOAD, BlobType, oid_of
from ldb.porcelain.place import Place
from ldb.porcelain.sources import drafted_rows
from ldb.porcelain.written import Written, written_files
from ldb.storage.location import is_local, local_path, to_uri
from ldb.storage.reading import read_bytes
from ldb.workspace import changed_at


@dataclass(slots=True)
class Edits:
    """Edited annotations by data object id."""

    payloads: dict[bytes, bytes] = field(default_factory=dict)
    oids: dict[bytes, bytes] = field(default_factory=dict)
    _paths: dict[bytes, str] = field(default_factory=dict)

    def take(self, name: bytes, payload: bytes, path: str) -> None:
        """One more; raises `BadInput` where another file says something else of the object."""
        oid = oid_of(BlobType.ANNOTATION, payload)
        if self.oids.setdefault(name, oid) != oid:
            raise BadInput(path, f"says of id:{ObjectId(name)} what {self._paths[name]} does not")
        self.payloads[name] = payload
        self._paths[name] = path

    def keep(self, names: Collection[bytes]) -> None:
        """Drop those of other objects."""
        for name in self.payloads.keys() - names:
            del self.payloads[name], self.oids[name], self._paths[name]


def read_edits(place: Place, sources: Sequence[str]) -> Edits:
    """What was edited in those sources that are files or folders of the workspace.

    In a folder, a file that holds what a run wrote there, and was not touched since the draft
    last changed, was not edited, whatever the draft has by now; a file named by itself is
    always taken. Raises `BadInput` for bad JSON.
    """
    files = [each for text in sources if _is_path(text) for each in _notes(place, text)]
    edits = Edits()
    if not files:
        return edits
    drafted = changed_at(place.need_workspace().folder)
    held = _annotations(place, [each.id for each in files])
    for each, current in zip(files, held):
        payload, touched = _payload(each.path)
        oid = oid_of(BlobType.ANNOTATION, payload)
        same = oid == each.note and touched <= max(drafted, each.listed)
        if oid != current and not same:
            edits.take(each.id, payload, each.path)
    return edits


def index_edits(place: Place, edits: Edits, command: Sequence[str]) -> Place:
    """Index edited annotations; the place as it is after that."""
    if not edits.payloads:
        return place
    index_annotations(place.instance, edits.payloads, command=command, author=place.author)
    return place.refreshed()


def _is_path(text: str) -> bool:
    return not text.startswith(("id:", "ds:", "ws:"))


def _notes(place: Place, text: str) -> list[Written]:
    """The annotation files that a source names."""
    uri = to_uri(text, place.cwd)
    alone = is_local(uri) and os.path.isfile(local_path(uri))
    return [
        Written(each.path, each.id) if alone else each
        for each in written_files(place, uri)
        if each.is_annotation
    ]


def _annotations(place: Place, ids: Sequence[bytes]) -> list[bytes]:
    """Oids of the annotations that the draft has, or else the index; zeros for none."""
    keys = as_keys(ids, place.instance.id_bytes)
    there, drafted = drafted_rows(place.need_workspace(), keys)
    found = place.catalog.find(keys)
    column = np.where(there[:, None], drafted.annotations, found.annotations).tobytes()
    return [column[at : at + len(NO_OID)] for at in range(0, len(column), len(NO_OID))]


def _payload(path: str) -> tuple[bytes, int]:
    """The payload that a file's JSON gives, and when the file was changed."""
    try:
        raw, state = read_bytes(os.fsencode(path), MAX_PAYLOAD)
    except OSError as error:
        raise BadInput(path, f"cannot be read: {error.strerror}") from None
    return annotation_payload(raw, path), state.st_mtime_ns
