"""Listing a bucket by an engine's workers: stretches of its keys go out, sorted lines come back.

The driver lists the beginning itself. What a worker cannot finish it cuts, and sends back to be
listed in the next round. Design: docs/design/015-scale-out.md.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import zstandard

from ldb.clouds.base import Client, Stat, Stretch
from ldb.clouds.options import adopt, shareable
from ldb.engines.base import Engine
from ldb.errors import BadInput, LdbError, Unsupported
from ldb.storage.cloudlisting import line_of, taken
from ldb.storage.remote import Clients, key_of, why_unread

FIRST = 10_000
"""Keys that the driver lists before it asks for help."""

PIECES = 16
"""Stretches, at least, that it cuts the rest into."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a worker does at a time."""

    most: int = 16_000
    """Keys of one stretch."""
    pieces: int = 16
    """Stretches, at least, that the rest of one is cut into."""
    together: int = 4
    """Stretches of one item."""


SIZES = Sizes()


@dataclass(slots=True)
class Listed:
    """What a worker found in the stretches of an item."""

    lines: bytes = b""
    """Of `line_of`, sorted, compressed."""
    count: int = 0
    """Keys, those that cannot be indexed as well."""
    problems: list[tuple[bytes, str]] = field(default_factory=list)
    """URIs, and what is wrong with them."""
    rest: list[Stretch] = field(default_factory=list)
    """What is still to be listed."""
    failed: str = ""
    """Why all of it could not be listed."""

    def entries(self) -> list[bytes]:
        """The lines."""
        return zstandard.ZstdDecompressor().decompress(self.lines).splitlines(keepends=True)


@dataclass(frozen=True, slots=True)
class ListerOpener:
    """Opens a worker's lister; sent to the worker."""

    folder: bytes
    """URI with a trailing slash."""
    own: bytes
    """What the URIs of the instance's own objects begin with, or empty."""
    sizes: Sizes
    options: Mapping[str, Mapping[str, Any]] | None = None
    """How buckets are reached; nothing secret."""

    def __reduce__(self) -> tuple[object, ...]:
        return ListerOpener, (self.folder, self.own, self.sizes, shareable())

    @contextlib.contextmanager
    def __call__(self) -> Iterator[_Lister]:
        if self.options:
            adopt(self.options)
        with Clients() as clients:
            yield _Lister(self, clients.of(self.folder.decode()))


class _Lister:
    """An open worker."""

    def __init__(self, opener: ListerOpener, client: Client) -> None:
        self._opener = opener
        self._client = client
        self._prefix = key_of(opener.folder.decode())

    def settle(self) -> None:
        """Nothing is written."""

    def do(self, stretches: Sequence[Stretch]) -> Listed:
        """List stretches, as far as an item goes."""
        try:
            return self._list(stretches)
        except (Unsupported, BadInput):
            raise
        except LdbError as error:
            return Listed(failed=f"{why_unread(error)} (on the worker at {platform.node()})")

    def _list(self, stretches: Sequence[Stretch]) -> Listed:
        given, found, lines = self._opener, Listed(), list[bytes]()

        def report(uri: bytes, why: str) -> None:
            found.problems.append((uri, why))

        listed = self._client.list_stretches(self._prefix, stretches, given.sizes.most)
        for stretch, (stats, after) in zip(stretches, listed):
            found.count += len(stats)
            good = taken(stats, given.folder, given.own, report)
            lines += (line_of(*each) for each in good if each is not None)
            if after:
                rest = Stretch(after, stretch.last)
                found.rest += self._client.cut(self._prefix, rest, given.sizes.pieces)
        lines.sort()
        found.lines = zstandard.ZstdCompressor(level=1).compress(b"".join(lines))
        return found


class Spread:
    """One listing: take all of `beginning`, then all of `rest`."""

    def __init__(self, engine: Engine, client: Client, folder: bytes, own: bytes) -> None:
        self._engine = engine
        self._client = client
        self._opener = ListerOpener(folder, own, SIZES)
        self._prefix = key_of(folder.decode())
        self._stretches: Sequence[Stretch] = ()

    def beginning(self) -> Iterator[Stat]:
        """What the driver lists: the first keys, and all where there is nothing to cut."""
        last, count = "", 0
        for stat in self._client.list(self._prefix, limit=FIRST):
            yield stat
            last, count = stat.key, count + 1
        if count < FIRST:
            return
        self._stretches = self._client.cut(self._prefix, Stretch(last), PIECES)
        if len(self._stretches) > 1:
            return
        self._stretches = ()
        for stat in self._client.list_parallel(self._prefix):
            if stat.key > last:
                yield stat

    def rest(self) -> Generator[Listed, None, None]:
        """What the engine's workers find, in any order."""
        together = self._opener.sizes.together
        while self._stretches:
            around, following = self._stretches, list[Stretch]()
            items = (around[at : at + together] for at in range(0, len(around), together))
            with self._engine.run(self._opener, items, "listing", together=False) as results:
                for found in results:
                    following += found.rest
                    yield found
            self._stretches = following
