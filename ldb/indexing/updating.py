"""`--annotation-update merge`: what is read of an annotation goes into the one there is.

Objects are merged key by key, at every depth; what was read wins. Everything else, lists too,
takes the old value's place: which item of a list is which, nobody can tell. A key is never
removed by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.ids import NO_OID, Oid
from ldb.indexing.read import BatchResult
from ldb.objects.batch import BatchWriter
from ldb.objects.codec import decode, encode
from ldb.objects.indexrows import KIND_ANNOTATION
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore


def deep_merged(old: Any, new: Any) -> Any:
    """`new` over `old`."""
    if type(old) is not dict or type(new) is not dict:
        return new
    both = {key: deep_merged(old[key], new[key]) for key in new if key in old}
    return {**old, **new, **both}


def rebased(base: Any, ours: Any, theirs: Any) -> Any:
    """What `ours` changed of `base`, over `theirs`: two people merged into one annotation."""
    if type(ours) is not dict or type(theirs) is not dict:
        return ours
    before = base if type(base) is dict else {}
    found = dict(theirs)
    for key, value in ours.items():
        if key in before and encode(before[key]) == encode(value):
            continue  # not ours: as they left it, or removed it
        found[key] = rebased(before.get(key), value, theirs[key]) if key in theirs else value
    return found


class Merging:
    """Merges annotations of one run; `load` brings those that it will be asked for."""

    def __init__(self, store: ObjectStore, labels: bool = False) -> None:
        """`labels`: annotations come out of label files, too, and count as read."""
        self._store = store
        self._labels = labels
        self._payloads: dict[bytes, bytes] = {}
        self._parts: list[NDArray[np.bytes_]] = []
        self._read: NDArray[np.bytes_] | None = None

    def note(self, result: BatchResult) -> None:
        """Take note of the annotation files that were read in this run."""
        contents = result.contents[result.kinds == KIND_ANNOTATION]
        self._parts.append(np.ascontiguousarray(contents).view("S32").ravel())

    def was_read(self, oid: bytes) -> bool:
        """Whether a file with this annotation was read; others were merged when they were."""
        if self._labels:
            return True
        if self._read is None:
            self._read = np.unique(np.concatenate([np.zeros(0, "S32"), *self._parts]))
            self._parts = []
        at = int(np.searchsorted(self._read, np.bytes_(oid)))
        return at < len(self._read) and bool(self._read[at] == np.bytes_(oid))

    def load(self, oids: set[bytes]) -> None:
        """Read these annotations, which are published, all at once; forget others."""
        column = np.frombuffer(b"".join(sorted(oids - {NO_OID})), np.uint8).reshape(-1, 32)
        self._payloads = {}
        for positions, payloads in self._store.scan(column, BlobType.ANNOTATION):
            names = (column[at].tobytes() for at in positions.tolist())
            self._payloads.update(zip(names, payloads))

    def merged(self, writer: BatchWriter, old: bytes, new: bytes) -> Oid:
        """The oid of `new` merged into `old`, which may be none."""
        if old == NO_OID:
            return Oid(new)
        value = deep_merged(decode(self._payloads[old]), decode(self._payloads[new]))
        payload = encode(value, "merged annotation")
        oid = writer.add(BlobType.ANNOTATION, payload)
        self._payloads[oid] = payload
        return oid
