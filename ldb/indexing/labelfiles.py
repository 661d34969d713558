"""The files of a location as readers of label formats see them: `ldb.formats.base.Listing`.

Both kinds list first and open later; a file that is not as it was listed any more is refused.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO, NamedTuple, cast

from ldb.errors import BadInput, LdbError, StoreFailed
from ldb.storage.location import without_scheme
from ldb.storage.reading import read_bytes

CHANGED = "was changed while it was read; index it again"
TOGETHER = 64
"""Small files of a bucket that are read at a time."""

IN_MEMORY = 8 << 20
"""Bytes of a file from a bucket that are held in memory; what is larger goes to the disk."""


class Stood(NamedTuple):
    """A file as it was listed."""

    size: int
    mtime: int
    token: str = ""


class Listed:
    """What both kinds share: names with sizes."""

    def __init__(self, uri: str, files: Mapping[str, Stood]) -> None:
        self._uri = uri
        self._files = files
        self._names = list(files)

    @property
    def uri(self) -> str:
        return self._uri

    @property
    def names(self) -> Sequence[str]:
        return self._names

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def size(self, name: str) -> int:
        return self._files[name].size

    def _listed(self, name: str) -> Stood:
        try:
            return self._files[name]
        except KeyError:
            raise BadInput(name, "is not there") from None


class LocalListing(Listed):
    """Files of a local folder."""

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        stood = self._listed(name)
        try:
            file = open(self._path(name), "rb")  # noqa: SIM115  (closed below)
        except OSError as error:
            raise _unread(name, error) from None
        with file:
            try:
                yield file
                state = os.fstat(file.fileno())
            except OSError as error:
                raise _unread(name, error) from None
        if (state.st_size, state.st_mtime_ns) != stood[:2]:
            raise BadInput(name, CHANGED)

    def read_many(
        self, names: Iterable[str], limit: int = 1 << 24
    ) -> Iterator[tuple[str, bytes | LdbError]]:
        for name in names:
            yield name, self._read(name, limit)

    def _read(self, name: str, limit: int) -> bytes | LdbError:
        try:
            stood = self._listed(name)
            raw, state = read_bytes(self._path(name), limit)
        except OSError as error:
            return _unread(name, error)
        except LdbError as error:
            return error
        return raw if (state.st_size, state.st_mtime_ns) == stood[:2] else BadInput(name, CHANGED)

    def _path(self, name: str) -> bytes:
        return os.fsencode(without_scheme(self._uri) + name)


def _unread(name: str, error: OSError) -> BadInput:
    return BadInput(name, f"cannot be read: {error.strerror or error}")


class CloudListing(Listed):
    """Objects below a prefix of an object store."""

    def __init__(self, uri: str, files: Mapping[str, Stood], clients: object) -> None:
        super().__init__(uri, files)
        from ldb.storage.remote import Clients  # runs over local folders do without it

        self._clients = cast(Clients, clients)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        from ldb.storage.remote import Pinned, stream_pinned, why_unread

        stood = self._listed(name)
        wanted = Pinned(self._uri + name, stood.size, stood.token)
        small = stood.size <= IN_MEMORY
        with io.BytesIO() if small else tempfile.TemporaryFile() as file:
            try:
                for piece in stream_pinned(self._clients.of(wanted.uri), wanted):
                    file.write(piece)
            except OSError as error:
                raise StoreFailed(tempfile.gettempdir(), error.strerror or str(error)) from None
            except LdbError as error:
                raise BadInput(name, why_unread(error)) from None
            file.seek(0)
            yield cast(BinaryIO, file)

    def read_many(
        self, names: Iterable[str], limit: int = 1 << 24
    ) -> Iterator[tuple[str, bytes | LdbError]]:
        names = iter(names)
        while some := list(islice(names, TOGETHER)):
            yield from self._read_some(some, limit)

    def _read_some(self, names: list[str], limit: int) -> Iterator[tuple[str, bytes | LdbError]]:
        from ldb.storage.remote import Pinned, check_size, why_unread

        answers: dict[str, bytes | LdbError] = {}
        wanted = []
        for name in names:
            if name not in self:
                answers[name] = BadInput(name, "is not there")
            elif self.size(name) > limit:
                answers[name] = BadInput(name, f"is {self.size(name)} bytes; the limit is {limit}")
            else:
                stood = self._files[name]
                wanted.append((name, Pinned(self._uri + name, stood.size, stood.token)))
        if wanted:
            client = self._clients.of(wanted[0][1].uri)
            for at, answer in client.get_many([pinned.get() for _, pinned in wanted]):
                name, pinned = wanted[at]
                try:
                    if isinstance(answer, LdbError):
                        raise answer
                    check_size(pinned, len(answer))
                    answers[name] = answer
                except LdbError as error:
                    answers[name] = BadInput(name, why_unread(error))
        yield from ((name, answers[name]) for name in names)
