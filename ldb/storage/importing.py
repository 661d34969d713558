"""Copies of ephemeral local files in a read-add location.

A data file is copied to `imported/<id[:2]>/<id>/<its name>` with its annotation beside
it: named by content, so copying again changes nothing, and a stored file never changes.
"""

from __future__ import annotations

import os
import tempfile

from ldb.errors import StoreFailed
from ldb.storage.reading import hash_file

FOLDER = "imported"


def import_file(source: bytes, annotation: bytes, root: bytes, algorithm: str) -> bytes:
    """Copy a data file, and its annotation if there is one; the path of the copy.

    Raises `OSError` where the source cannot be read, `StoreFailed` where the copy cannot be
    written.
    """
    name, _ = hash_file(source, algorithm)
    hexed = name.hex().encode()
    folder = os.path.join(root, FOLDER.encode(), hexed[:2], hexed)
    copy = os.path.join(folder, os.path.basename(source))
    if not os.path.exists(copy):
        _copy(source, copy)
    if annotation:
        stem = os.path.splitext(copy)[0]
        _copy(annotation, stem + b".json")
    return copy


def _copy(source: bytes, target: bytes) -> None:
    with open(source, "rb") as reader:
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=b".", dir=os.path.dirname(target))
            try:
                with os.fdopen(handle, "wb") as writer:
                    while piece := reader.read(1 << 20):
                        writer.write(piece)
                    os.fchmod(writer.fileno(), 0o644)
                os.replace(name, target)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise StoreFailed(os.fsdecode(target), str(error.strerror)) from None
