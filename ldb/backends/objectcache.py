"""Pieces of immutable values kept in a folder of this machine, for stores that are far away.

Nothing here is needed: a piece that is missing or damaged is fetched again, a full or
read-only disk only means that nothing is kept. Files appear whole or not at all, so any
number of processes share the folder, and one that is killed leaves at most a temporary
file. The folder is held below a size by dropping what was used longest ago.
Rules: docs/design/012-instances-in-buckets.md.
"""

from __future__ import annotations

import hashlib
import os
import random
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from ldb.backends.base import Buffer
from ldb.system import BINARY

_HEAD = struct.Struct("<4sI")
_MAGIC = b"LDC\x01"
_TEMPORARY = "tmp-"
_FRESH = 3600
"""Seconds for which a use is not written down again, and temporary files are left alone."""

_LOOKS = 50
"""About how often the size is looked at while as much is written as the folder may hold."""


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Where pieces are kept and how many bytes of them."""

    folder: str
    max_bytes: int


class ObjectCache:
    """The pieces of the values of one instance: `space` tells it from others in the folder."""

    def __init__(self, settings: CacheSettings, space: str) -> None:
        self._settings = settings
        self._space = os.path.join(settings.folder, _digest(space)[:32])
        self._works = settings.max_bytes > 0

    def get(self, key: str, number: int = 0) -> bytes | None:
        """Piece `number` of the value at `key`, as it was put; None where it is not kept."""
        path = self._path(key, number)
        try:
            with open(path, "rb", buffering=0) as file:
                found = os.fstat(file.fileno())
                data = file.read(found.st_size)
        except OSError:
            return None
        if not _is_sound(data, key, number):
            self._drop(path)
            return None
        if time.time() - found.st_mtime > _FRESH:
            with suppress(OSError):
                os.utime(path)
        return data[_HEAD.size :]

    def put(self, key: str, data: Buffer, number: int = 0) -> None:
        """Keep a piece, in the place of what was kept as it."""
        if not self._works or len(data) > self._settings.max_bytes // 4:
            return
        path = self._path(key, number)
        folder = os.path.dirname(path)
        temporary = os.path.join(folder, _TEMPORARY + os.urandom(8).hex())
        try:
            with suppress(FileExistsError):
                os.makedirs(folder, 0o700)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o600)
            with open(handle, "wb", buffering=0) as file:
                _write(file.fileno(), _HEAD.pack(_MAGIC, _sum(data, key, number)), data)
            os.replace(temporary, path)
        except OSError:  # full, read-only: go on without
            self._works = False
            self._drop(temporary)
            return
        # No count is kept that processes would have to share: on average it comes out right.
        if random.random() * self._settings.max_bytes < len(data) * _LOOKS:
            shrink(self._settings)

    def drop(self, key: str, number: int = 0) -> None:
        """Forget a piece."""
        self._drop(self._path(key, number))

    def drop_all(self, key: str) -> bool:
        """Forget every piece of a value; whether there was one."""
        folder, name = os.path.split(self._path(key, 0))
        start = name.partition(".")[0] + "."
        try:
            pieces = [each for each in os.listdir(folder) if each.startswith(start)]
        except OSError:
            return False
        for each in pieces:
            self._drop(os.path.join(folder, each))
        return bool(pieces)

    def _path(self, key: str, number: int) -> str:
        name = _digest(key)
        return os.path.join(self._space, name[:2], f"{name[2:40]}.{number}")

    def _drop(self, path: str) -> None:
        with suppress(OSError):
            os.unlink(path)


def shrink(settings: CacheSettings) -> None:
    """Drop what was used longest ago until a tenth of the folder's limit is free."""
    files = sorted(_files(settings.folder))
    total = sum(size for _, size, _ in files)
    if total <= settings.max_bytes:
        return
    for _, size, path in files:
        if total <= settings.max_bytes * 9 // 10:
            return
        with suppress(OSError):
            os.unlink(path)
            total -= size


def _files(folder: str) -> Iterator[tuple[float, int, str]]:
    """Last use, size and path of every file; old temporary ones are removed."""
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with suppress(OSError):
                found = os.lstat(path)
                if name.startswith(_TEMPORARY) and found.st_mtime < time.time() - _FRESH:
                    os.unlink(path)
                else:
                    yield found.st_mtime, found.st_size, path


def _write(handle: int, *parts: Buffer) -> None:
    for part in parts:
        rest = memoryview(part).cast("B")
        while rest:
            rest = rest[os.write(handle, rest) :]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sum(data: Buffer, key: str, number: int) -> int:
    """Of the name as well, so that a file under another one is not believed."""
    return zlib.crc32(data, zlib.crc32(f"{key} {number}".encode()))


def _is_sound(data: bytes, key: str, number: int) -> bool:
    if len(data) < _HEAD.size:
        return False
    magic, crc = _HEAD.unpack_from(data)
    return magic == _MAGIC and bool(crc == _sum(memoryview(data)[_HEAD.size :], key, number))
