"""What lies across maps: annotations that object records name, and paths of unknown objects."""

from __future__ import annotations

import numpy as np

from ldb.catalog import Catalog, among_keys
from ldb.errors import BadInput, LdbError
from ldb.ids import OID_BYTES
from ldb.objects.codec import decode_as
from ldb.objects.indexrows import KIND_DATA, RecordRow
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids, as_oids
from ldb.objects.store import ObjectStore
from ldb.porcelain.fsck.report import Findings
from ldb.porcelain.fsck.walk import References
from ldb.progress import Progress

CHUNK = 512 * 1024
"""Records read at a time: in the order they are stored, so fewer would read blocks again."""

MAX_SHOWN = 5


def check_records(
    store: ObjectStore, references: References, findings: Findings, progress: Progress
) -> None:
    """Every record that a map names is one, and the annotations of its history are there."""
    progress.start("checking records")
    for oids in references.shelves.used(BlobType.RECORD, CHUNK):
        try:
            named = _annotations(store, oids, findings)
        except LdbError as error:  # a file that could be read a moment ago
            findings.problem("records", str(error))
            continue
        progress.advance(len(oids))
        labels = {label for _, label in references.column(named, BlobType.ANNOTATION)}
        findings.needed(labels, "histories of data objects")


def _annotations(store: ObjectStore, oids: Oids, findings: Findings) -> Oids:
    """Oids of all annotations that these records name."""
    named: list[bytes] = []
    for positions, payloads in store.scan(oids, BlobType.RECORD):
        for position, payload in zip(positions.tolist(), payloads):
            try:
                notes = decode_as(payload, RecordRow)["annotations"]
                if any(len(note) != OID_BYTES for note in notes):
                    raise BadInput("record", "an annotation's oid of a wrong length")
                named += notes
            except LdbError as error:
                findings.problem(oids[position].tobytes().hex(), str(error))
    return as_oids(b"".join(named))


def check_paths(catalog: Catalog, findings: Findings) -> None:
    """Every data file that the index knows is of a data object that it knows.

    Otherwise the next run would skip the file as unchanged, and the object stay unknown.
    """
    width = catalog.instance.id_bytes
    known = np.concatenate([np.zeros(0, f"S{width}"), *(rows.keys for rows in catalog.rows())])
    lost = 0
    for rows in catalog.paths_under():
        data = rows.fields[-1].ravel() == KIND_DATA
        ids = np.ascontiguousarray(rows.fields[0][data][:, :width]).view(f"S{width}").ravel()
        for at in np.flatnonzero(~among_keys(ids, known)).tolist():
            lost += 1
            if lost <= MAX_SHOWN:
                path = rows.keys[data][at].decode("utf-8", "backslashreplace")
                findings.problem(path, "the index knows this path and not its data object")
    findings.more += max(0, lost - MAX_SHOWN)
