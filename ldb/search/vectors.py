"""Vectors of data objects, kept in files of the user's cache. Format: docs/formats/vectors.md.

Files are immutable and appear by rename, so readers need no lock: what vanishes, or is not
what it should be, is passed over.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.errors import StoreFailed

MAGIC = b"LDBVEC1\n"
ALIGN = 64
MAX_HEADER = 1 << 16
MANY = 32
"""Files of one encoder, beyond which the smaller half is merged."""
CHUNK = 65536
"""Rows of vectors read together."""
_OLD = 24 * 3600
_NAME = re.compile(r"[0-9a-f]{32}\.vectors")


class Unfit(Exception):
    """A file that is none of these vectors, or not whole."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file, open: ids ascending, shape (n,), and their vectors, mapped, shape (n, d)."""

    path: str
    ids: NDArray[np.bytes_]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """How near some data objects are."""

    values: NDArray[np.float32]
    """Cosine; NaN where there is no vector, and where the encoder cannot encode the object."""
    known: NDArray[np.bool_]
    """Whether either is noted."""


class VectorStore:
    """The vectors that one encoder gave; `folder` empty: kept in memory alone."""

    def __init__(self, folder: str, name: str, version: str, id_bytes: int) -> None:
        self.name = name
        self.version = version
        self.id_bytes = id_bytes
        mark = hashlib.sha256(f"{name}\0{version}".encode()).hexdigest()[:16]
        plain = re.sub(r"[^a-z0-9_-]", "_", name.lower())[:64]
        self.folder = os.path.join(folder, f"{plain}-{mark}") if folder else ""
        self._parts: dict[str, Part] = {}
        self._dimensions: int | None = None
        self.refresh()

    def refresh(self) -> None:
        """Look at the folder anew."""
        if not self.folder:
            return
        try:
            found = sorted(filter(_NAME.fullmatch, os.listdir(self.folder)))
        except OSError:
            return
        for name in found:
            if name not in self._parts:
                part = self._open(os.path.join(self.folder, name))
                if part is not None:
                    self._parts[name] = part

    def _open(self, path: str) -> Part | None:
        try:
            return read_part(path, self.name, self.version, self.id_bytes)
        except (OSError, Unfit):
            return None

    def known(self, ids: NDArray[np.bytes_]) -> NDArray[np.bool_]:
        """For which ids something is noted."""
        found = np.zeros(len(ids), np.bool_)
        for part in self._parts.values():
            found |= _find(part, ids) >= 0
        return found

    def scores(self, ids: NDArray[np.bytes_], query: NDArray[np.float32]) -> Scores:
        """How near each of `ids`, shape (n,), is to a vector of any length, shape (d,)."""
        query = unit(query.reshape(1, -1))[0]
        values = np.full(len(ids), np.nan, np.float32)
        known = np.zeros(len(ids), np.bool_)
        for part in self._parts.values():
            if part.vectors.shape[1] != len(query):
                continue
            rows = _find(part, ids)
            here = np.flatnonzero((rows >= 0) & ~known)
            known[here] = True
            here = here[np.argsort(rows[here], kind="stable")]  # in the order of the file
            for at in range(0, len(here), CHUNK):
                some = here[at : at + CHUNK]
                values[some] = part.vectors[rows[some]] @ query
        return Scores(values, known)

    def add(self, ids: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep vectors of some ids, of length 1 or NaN; raises `StoreFailed` for a full disk."""
        if not len(ids):
            return
        order = sorted(range(len(ids)), key=ids.__getitem__)
        keys = np.frombuffer(b"".join(ids[at] for at in order), f"S{self.id_bytes}")
        self._write(keys, vectors[order])
        if len(self._parts) > MANY:
            self._merge()

    def _write(self, keys: NDArray[np.bytes_], vectors: NDArray[np.float32]) -> None:
        name = f"{secrets.token_hex(16)}.vectors"
        if not self.folder:
            self._parts[name] = Part("", keys, vectors)
            return
        path = os.path.join(self.folder, name)
        temporary = os.path.join(self.folder, f".{name}")
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            self._sweep()
            try:
                with open(temporary, "xb") as file:
                    for piece in encode_part(keys, vectors, self.name, self.version):
                        file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
        except OSError as error:
            hint = "free some space there, or set core.vector_cache_dir to another disk"
            raise StoreFailed(self.folder, error.strerror or str(error), hint) from error
        part = self._open(path)
        if part is not None:  # or somebody has just merged it away
            self._parts[name] = part

    def _sweep(self) -> None:
        """Remove what killed runs left."""
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if name.startswith("."):
                with suppress(OSError):
                    if time.time() - os.stat(path).st_mtime > _OLD:
                        os.unlink(path)

    def _merge(self) -> None:
        """Make one file of the smaller half."""
        parts = sorted(self._parts.items(), key=lambda item: len(item[1].ids))
        smaller = dict(parts[: len(parts) // 2 + 1])
        width = next(iter(smaller.values())).vectors.shape[1]
        smaller = {name: each for name, each in smaller.items() if each.vectors.shape[1] == width}
        ids = np.concatenate([each.ids for each in smaller.values()])
        vectors = np.concatenate([each.vectors for each in smaller.values()])
        keys, places = np.unique(ids, return_index=True)
        self._write(keys, vectors[places])
        for name, each in smaller.items():
            del self._parts[name]
            if each.path:
                with suppress(FileNotFoundError):
                    os.unlink(each.path)


def unit(vectors: Any) -> NDArray[np.float32]:
    """Vectors, shape (n, d), at length 1; NaN where one has no direction."""
    rows = np.asarray(vectors, np.float32)
    with np.errstate(all="ignore"):
        made: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    made[~np.isfinite(made).all(axis=1)] = np.nan
    return made


def _find(part: Part, ids: NDArray[np.bytes_]) -> NDArray[np.intp]:
    """Row of each id in a file; -1 where it is not there."""
    places = np.minimum(np.searchsorted(part.ids, ids), max(len(part.ids) - 1, 0))
    if not len(part.ids):
        return np.full(len(ids), -1, np.intp)
    return np.where(part.ids[places] == ids, places, -1)


# -- bytes -----------------------------------------------------------------------------


def _padding(size: int) -> bytes:
    return b"\0" * (-size % ALIGN)


def encode_part(
    ids: NDArray[np.bytes_], vectors: NDArray[np.float32], name: str, version: str
) -> Iterator[bytes]:
    """The bytes of a file."""
    header = json.dumps(
        {
            "count": len(ids),
            "dimensions": vectors.shape[1],
            "encoder": name,
            "id_bytes": ids.dtype.itemsize,
            "version": version,
        }
    ).encode()
    keys = ids.tobytes()
    start = MAGIC + struct.pack("<II", len(header), zlib.crc32(keys, zlib.crc32(header))) + header
    yield start + _padding(len(start))
    yield keys + _padding(len(keys))
    for at in range(0, len(vectors), CHUNK):
        yield np.ascontiguousarray(vectors[at : at + CHUNK], "<f4").tobytes()


def _shape(header: bytes, wanted: tuple[str, str, int]) -> tuple[int, int]:
    """Rows and columns that a header tells of; raises `Unfit`."""
    try:
        value = json.loads(header)
        count, dimensions = value["count"], value["dimensions"]
        whose = (value["encoder"], value["version"], value["id_bytes"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unfit("its header makes no sense") from error
    if type(count) is not int or type(dimensions) is not int or count < 0 or dimensions < 1:
        raise Unfit("its header makes no sense")
    if whose != wanted:
        raise Unfit("of another encoder")
    return count, dimensions


def read_part(path: str, name: str, version: str, id_bytes: int) -> Part:
    """Open a file; raises `Unfit` where it is not of this encoder, or not whole."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(16)
        if len(start) < 16 or start[:8] != MAGIC:
            raise Unfit("not a file of vectors")
        length, crc = struct.unpack("<II", start[8:])
        if length > MAX_HEADER:
            raise Unfit("its header is too long")
        header = file.read(length)
        count, dimensions = _shape(header, (name, version, id_bytes))
        ids_at = 16 + length + len(_padding(16 + length))
        ids_size = count * id_bytes
        vectors_at = ids_at + ids_size + len(_padding(ids_size))
        if size != vectors_at + 4 * count * dimensions:
            raise Unfit("not whole")
        file.seek(ids_at)
        keys = file.read(ids_size)
    if zlib.crc32(keys, zlib.crc32(header)) != crc:
        raise Unfit("damaged")
    ids = np.frombuffer(keys, f"S{id_bytes}")
    shape = (count, dimensions)
    vectors = np.memmap(path, "<f4", "r", vectors_at, shape) if count else np.zeros(shape, "<f4")
    return Part(path, ids, vectors)
