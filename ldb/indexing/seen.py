"""What the index last saw at paths, as plain lists, walked beside the folders.

Rows of `paths` come in the order in which folders are listed, so one pass over both
suffices.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ldb.maps import Rows


@dataclass(slots=True)
class Seen:
    """Some rows of `paths` as plain lists of one length."""

    keys: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    mtimes: list[int] = field(default_factory=list)
    contents: bytes = b""
    """32 bytes a row."""
    kinds: bytes = b""
    """One byte a row."""

    def content_at(self, at: int) -> bytes:
        """The content of row `at`, 32 bytes."""
        return self.contents[32 * at : 32 * at + 32]

    def id_at(self, at: int, width: int) -> bytes:
        """The data object id of row `at`."""
        return self.contents[32 * at : 32 * at + width]

    def extend(self, rows: Seen, start: int, stop: int) -> None:
        """Append rows `[start, stop)` of another."""
        self.keys += rows.keys[start:stop]
        self.sizes += rows.sizes[start:stop]
        self.mtimes += rows.mtimes[start:stop]
        self.contents += rows.contents[32 * start : 32 * stop]
        self.kinds += rows.kinds[start:stop]


def seen_of(rows: Rows) -> Seen:
    """A chunk of `paths` as lists."""
    content, size, mtime, _stamp, kind = rows.fields
    return Seen(
        keys=rows.keys.tolist(),
        sizes=np.ascontiguousarray(size).view("<u8").ravel().tolist(),
        mtimes=np.ascontiguousarray(mtime).view("<u8").ravel().tolist(),
        contents=np.ascontiguousarray(content).tobytes(),
        kinds=np.ascontiguousarray(kind).tobytes(),
    )


class Cursor:
    """Walks rows of `paths` forward, handing out those before a key."""

    def __init__(self, chunks: Iterator[Rows]) -> None:
        self._chunks = chunks
        self._chunk = Seen()
        self._at = 0

    def until(self, stop: bytes) -> Seen:
        """The rows not handed out yet whose key sorts before `stop`."""
        return self._take(stop)

    def rest(self) -> Seen:
        """All the rows not handed out yet."""
        return self._take(None)

    def _take(self, stop: bytes | None) -> Seen:
        taken = Seen()
        while True:
            keys = self._chunk.keys
            end = len(keys) if stop is None else bisect.bisect_left(keys, stop, self._at)
            taken.extend(self._chunk, self._at, end)
            self._at = end
            if end < len(keys):
                return taken
            chunk = next(self._chunks, None)
            if chunk is None:
                return taken
            self._chunk, self._at = seen_of(chunk), 0
