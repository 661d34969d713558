"""Copies of ephemeral local files in a read-add location.

A data file is copied to `imported/<id[:2]>/<id>/<its name>` with its annotation beside
it: named by content, so copying again changes nothing, and a stored file never changes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from ldb.errors import StoreFailed
from ldb.storage.reading import PIECE, Changing, hash_file

FOLDER = b"imported"


@dataclass(frozen=True, slots=True)
class Imported:
    """A data file's id, and the path of its copy."""

    id: bytes
    path: bytes


def import_file(source: bytes, annotation: bytes, root: bytes, algorithm: str) -> Imported:
    """Copy a data file, and its annotation if there is one, each whole or not at all.

    Raises `OSError` where the source cannot be read, `Changing` where it does not hold
    still, `StoreFailed` where the copy cannot be written.
    """
    name, _ = hash_file(source, algorithm)
    hexed = name.hex().encode()
    folder = os.path.join(root, FOLDER, hexed[:2], hexed)
    copy = os.path.join(folder, os.path.basename(source))
    if not os.path.exists(copy):
        _copy(source, copy, algorithm, name)
    if annotation:
        beside = os.path.splitext(copy)[0] + b".json"
        if not _same(annotation, beside):
            _copy(annotation, beside)
    return Imported(name, copy)


def _same(one: bytes, other: bytes) -> bool:
    try:
        with open(other, "rb") as there:
            copied = there.read()
    except FileNotFoundError:
        return False
    with open(one, "rb") as file:
        return file.read() == copied


def _copy(source: bytes, target: bytes, algorithm: str = "md5", digest: bytes = b"") -> None:
    """Copy a file; where a digest is given, only if that is what it has."""
    found = hashlib.new(algorithm, usedforsecurity=False)
    with open(source, "rb") as reader, _replacing(target) as writer:
        while piece := reader.read(PIECE):
            found.update(piece)
            try:
                writer.write(piece)
            except OSError as error:
                raise _failed(target, error) from None
        if digest and found.digest() != digest:
            why = "changed while it was copied; index it again later"
            raise Changing(os.fsdecode(source), why)


@contextmanager
def _replacing(target: bytes) -> Iterator[BinaryIO]:
    """A file that takes the place of `target` when it is complete."""
    try:
        folder = os.path.dirname(target)
        os.makedirs(folder, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=b".", dir=folder)
    except OSError as error:
        raise _failed(target, error) from None
    try:
        with os.fdopen(handle, "wb") as writer:
            yield writer
            try:
                writer.flush()
                os.fchmod(handle, 0o644)
                os.fsync(handle)
                os.replace(name, target)
            except OSError as error:
                raise _failed(target, error) from None
    except BaseException:
        os.unlink(name)
        raise


def _failed(target: bytes, error: OSError) -> StoreFailed:
    return StoreFailed(os.fsdecode(target), str(error.strerror))
