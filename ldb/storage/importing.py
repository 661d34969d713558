"""Copies of ephemeral local files in a read-add location.

A data file is copied to `imported/<id[:2]>/<id>/<its name>` with its annotation beside
it: named by content, so copying again changes nothing, and a stored file never changes. Others
may be able to write in that folder: links that they put there are not followed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from ldb.errors import StoreFailed
from ldb.storage.folders import NEW, READ, Folder, open_folder
from ldb.storage.reading import PIECE, Changing, hash_file
from ldb.system import set_mode

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
    below = (FOLDER, hexed[:2], hexed)
    copy = b"/".join([root.rstrip(b"/"), *below, os.path.basename(source)])
    with _folder(root, below) as folder:
        if not folder.has(os.path.basename(copy)):
            folder.copy(source, os.path.basename(copy), algorithm, name)
        if annotation:
            beside = os.path.splitext(os.path.basename(copy))[0] + b".json"
            if not folder.holds(beside, annotation):
                folder.copy(annotation, beside)
    return Imported(name, copy)


@contextmanager
def _folder(root: bytes, below: Sequence[bytes]) -> Iterator[_Copies]:
    """A folder below the read-add location, reached through no link."""
    path = os.path.join(root, *below)
    with ExitStack() as opened:
        try:
            os.makedirs(root, exist_ok=True)
            folder = open_folder(root)
            opened.callback(folder.close)
            for step in below:
                folder = folder.enter(os.fsdecode(step), make=True)
                opened.callback(folder.close)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise _failed(path, error) from None
            why = "a file or a symbolic link where a folder is needed"
            raise StoreFailed(os.fsdecode(path), why, "move that away") from None
        yield _Copies(path, folder)


@dataclass(frozen=True, slots=True)
class _Copies:
    """An open folder; a link in it counts as nothing, and is replaced."""

    path: bytes
    """For messages only."""
    folder: Folder

    def has(self, name: bytes) -> bool:
        """Whether there is a file of this name."""
        try:
            found = self.folder.stat(os.fsdecode(name))
        except FileNotFoundError:
            return False
        return stat.S_ISREG(found.st_mode)

    def holds(self, name: bytes, other: bytes) -> bool:
        """Whether the file of this name has the same content as the file at a path."""
        if not self.has(name):
            return False
        try:
            handle = self.folder.open(os.fsdecode(name), READ)
        except OSError:  # gone since, or a link by now
            return False
        with open(handle, "rb") as there, open(other, "rb") as file:
            return file.read() == there.read()

    def copy(self, source: bytes, name: bytes, algorithm: str = "md5", digest: bytes = b"") -> None:
        """Copy a file; where a digest is given, only if that is what it has."""
        found = hashlib.new(algorithm, usedforsecurity=False)
        target = os.path.join(self.path, name)
        with open(source, "rb") as reader, self._replacing(name, target) as writer:
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
    def _replacing(self, name: bytes, target: bytes) -> Iterator[BinaryIO]:
        """A file that takes the place of `name` when it is complete."""
        temporary = "." + os.urandom(8).hex()
        try:
            handle = self.folder.open(temporary, NEW, 0o600)
        except OSError as error:
            raise _failed(target, error) from None
        try:
            with os.fdopen(handle, "wb") as writer:
                yield writer
                try:
                    writer.flush()
                    set_mode(handle, 0o644)
                    os.fsync(handle)
                except OSError as error:
                    raise _failed(target, error) from None
            try:  # once it is closed: Windows renames no open file
                self.folder.replace(temporary, self.folder, os.fsdecode(name))
            except OSError as error:
                raise _failed(target, error) from None
        except BaseException:
            with suppress(OSError):
                self.folder.unlink(temporary)
            raise


def _failed(target: bytes, error: OSError) -> StoreFailed:
    return StoreFailed(os.fsdecode(target), str(error.strerror))
