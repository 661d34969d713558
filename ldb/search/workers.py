"""Encoding as an engine's workers do it: where data objects lie goes out, vectors come back.

A worker reads each object where it lies, proves it by its id, and asks the encoder that is
installed where the worker is. It writes nothing: the driver keeps the vectors.
Design: docs/design/015-scale-out.md.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ldb.clouds.options import adopt, shareable
from ldb.errors import LdbError
from ldb.redact import is_secret
from ldb.search.encoder import Encoder, load, names
from ldb.search.encoding import EncoderFailed, encode
from ldb.storage.bringing import Needed, bring
from ldb.storage.cache import Cache
from ldb.storage.fetching import Reader
from ldb.storage.reading import HASHES
from ldb.storage.remote import Clients


class Asked(NamedTuple):
    """A data object to be encoded, and where it lies."""

    id: bytes
    size: int
    path: str
    """A local file; empty where there is none."""
    places: tuple[tuple[str, str], ...] = ()
    """URI and version (or empty) of those in object stores, where the file does not serve."""


@dataclass(slots=True)
class Encoded:
    """What became of a batch."""

    worker: str
    """Which worker it was: an open one, whose encoder is the same for all its batches."""
    ids: list[bytes] = field(default_factory=list)
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 1), np.float32))
    """Of those in `ids`: shape (n, d), of length 1 or NaN."""
    failed: dict[bytes, str] = field(default_factory=dict)
    """What the encoder does not take, and why."""
    unread: list[tuple[Asked, str]] = field(default_factory=list)
    """What could not be had, and why."""

    def __len__(self) -> int:
        return len(self.ids) + len(self.failed) + len(self.unread)


@dataclass(frozen=True, slots=True)
class EncoderOpener:
    """Opens a worker with an encoder; what is sent of it are names and settings, never code."""

    entry: str
    """The name of its entry point."""
    settings: Mapping[str, str]
    name: str
    version: str
    """The worker's must be the same: vectors are kept by it."""
    algorithm: str
    encoder: Encoder | None
    """The driver's own, for a worker in its process."""
    options: Mapping[str, Mapping[str, Any]] | None = None
    """How buckets are reached, for workers that are sent; nothing secret."""

    def __reduce__(self) -> tuple[object, ...]:
        plain = {key: value for key, value in self.settings.items() if not is_secret(key)}
        known = (self.entry, plain, self.name, self.version, self.algorithm)
        return EncoderOpener, (*known, None, shareable())

    @contextlib.contextmanager
    def __call__(self) -> Iterator[_Encoding]:
        where = "" if self.encoder else f"on the worker at {platform.node()}"
        encoder = self.encoder or self._installed(where)
        with contextlib.ExitStack() as stack:
            yield _Encoding(encoder, self.algorithm, where, stack)

    def _installed(self, where: str) -> Encoder:
        """The encoder that this machine has; raises `EncoderFailed` naming machine and encoder."""
        if self.options:
            adopt(self.options)
        hint = "workers need the same encoders, with the same models, as are here"
        if self.entry not in names():
            raise EncoderFailed(self.entry, f"is not installed {where}", hint)
        try:
            found = load(self.entry, self.settings)
        except Exception as error:  # whatever a package does when it is asked
            told = str(error) if isinstance(error, LdbError) else f"{type(error).__name__}: {error}"
            hint = getattr(error, "hint", "") or hint
            raise EncoderFailed(self.entry, f"cannot be made {where}: {told}", hint) from error
        if (found.name, found.version) != (self.name, self.version):
            theirs, ours = f"{found.name} {found.version}", f"{self.name} {self.version}"
            raise EncoderFailed(self.entry, f"is {theirs!r} {where}, and {ours!r} here", hint)
        return found


class _Encoding:
    """An open worker; `where` is said of what goes wrong, empty for the driver's own process."""

    def __init__(
        self, encoder: Encoder, algorithm: str, where: str, stack: contextlib.ExitStack
    ) -> None:
        self._encoder = encoder
        self._algorithm = algorithm
        self._where = where
        self._stack = stack
        self._worker = secrets.token_hex(8)
        self._stores: tuple[Reader, Cache] | None = None

    def settle(self) -> None:
        """Nothing is written here."""

    def do(self, batch: Sequence[Asked]) -> Encoded:
        """Read and encode some data objects."""
        result = Encoded(self._worker)
        data: list[tuple[bytes, bytes]] = []
        away: list[Asked] = []
        for asked in batch:
            found, why = read_object(asked, self._algorithm)
            if found is not None:
                data.append((asked.id, found))
            elif asked.places:
                away.append(asked)
            else:
                result.unread.append((asked, self._told(why)))
        for asked, found, why in self._fetched(away):
            if found is not None:
                data.append((asked.id, found))
            else:
                result.unread.append((asked, self._told(why)))
        if data:
            self._encode(data, result)
        return result

    def _told(self, why: str) -> str:
        return f"{why}, {self._where}" if self._where else why

    def _fetched(self, away: list[Asked]) -> Iterator[tuple[Asked, bytes | None, str]]:
        """Content from object stores, by way of a folder that is emptied again; or why not."""
        if not away:
            return
        reader, cache = self._opened()
        needed = [Needed(each.id, each.size, each.places) for each in away]
        for at, brought in bring(reader, cache, needed):
            if brought.path:
                kept = away[at]._replace(path=brought.path)
                found, why = brought.data, ""
                if found is None:
                    found, why = read_object(kept, self._algorithm)
                os.unlink(brought.path)
                yield away[at], found, why
            else:
                tried = (f"{uri} {each}" for uri, each in brought.failures.items())
                yield away[at], None, "; ".join(tried)

    def _opened(self) -> tuple[Reader, Cache]:
        if self._stores is None:
            enter = self._stack.enter_context
            folder = enter(tempfile.TemporaryDirectory(prefix="ldb-encode-"))
            clients = enter(Clients())
            self._stores = Reader(clients), enter(Cache(folder, self._algorithm))
        return self._stores

    def _encode(self, data: list[tuple[bytes, bytes]], result: Encoded) -> None:
        try:
            vectors, failed = encode(self._encoder, [each for _, each in data])
        except LdbError as error:
            if not self._where:
                raise
            why = error.why if isinstance(error, EncoderFailed) else str(error)
            raise EncoderFailed(self._encoder.name, f"{why}, {self._where}", error.hint) from error
        done = [at for at in range(len(data)) if at not in failed]
        result.ids, result.vectors = [data[at][0] for at in done], vectors[done]
        result.failed = {data[at][0]: self._told(why) for at, why in failed.items()}


def read_object(asked: Asked, algorithm: str) -> tuple[bytes | None, str]:
    """The content of a file, which its id proves; or why it cannot be had."""
    if not asked.path:
        return None, "it lies in no file"
    try:
        with open(asked.path, "rb") as file:
            data = file.read(asked.size + 1)
    except OSError as error:
        return None, f"{asked.path} cannot be read: {error.strerror}"
    if HASHES[algorithm](data).digest() == asked.id:
        return data, ""
    return None, f"{asked.path} has changed since it was indexed"
