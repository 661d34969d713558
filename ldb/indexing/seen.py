"""What the index last saw at paths, walked beside the folders.

Rows of `paths` come in the order in which folders are listed, so one pass over both
suffices. They stay columns as long as they only have to be compared: lists of Python's own
are made for the folders in which something changed.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import PATHS
from ldb.maps import Rows

_CONTENT, _SIZE, _MTIME, _STAMP, _KIND = range(len(PATHS.fields))
_NOTHING = PATHS.blank(PATHS.column([]))


class Seen:
    """Some rows of `paths`, all of one folder where a folder was asked for."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._rows = Rows.concat(parts) if parts else _NOTHING

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def keys(self) -> list[bytes]:
        found: list[bytes] = self._rows.keys.tolist()
        return found

    @cached_property
    def sizes(self) -> list[int]:
        found: list[int] = self._numbers(_SIZE).tolist()
        return found

    @cached_property
    def mtimes(self) -> list[int]:
        found: list[int] = self._numbers(_MTIME).tolist()
        return found

    @cached_property
    def kinds(self) -> bytes:
        """One byte a row."""
        return self._packed(_KIND)

    def content_at(self, at: int) -> bytes:
        """The content of row `at`, 32 bytes."""
        return bytes(self._rows.fields[_CONTENT][at])

    def id_at(self, at: int, width: int) -> bytes:
        """The data object id of row `at`."""
        return self.content_at(at)[:width]

    def stamp_at(self, at: int) -> bytes:
        """What stands for the token of row `at`, 16 bytes."""
        return bytes(self._rows.fields[_STAMP][at])

    def is_as(self, start: int, names: bytes, sizes: bytes, mtimes: bytes) -> bool:
        """Whether the rows have these sizes and times (64-bit numbers), and these names.

        `names` stand one after another with a slash between them; each is what a key has
        from byte `start` on, where all keys begin alike.
        """
        if self._packed(_SIZE) != sizes or self._packed(_MTIME) != mtimes:
            return False
        keys = np.ascontiguousarray(self._rows.keys)
        width = keys.dtype.itemsize
        spelt = np.full((len(keys), width - start + 1), ord("/"), np.uint8)
        spelt[:, :-1] = keys.view(np.uint8).reshape(len(keys), width)[:, start:]
        # No name has a zero byte or a slash in it: without the padding, this is the spelling.
        return bytes(spelt[spelt != 0]) == names + b"/"

    def _packed(self, field: int) -> bytes:
        return bytes(self._rows.fields[field].tobytes())

    def _numbers(self, field: int) -> NDArray[Any]:
        return np.ascontiguousarray(self._rows.fields[field]).view("<u8").ravel()


class Cursor:
    """Walks rows of `paths` forward, handing out those before a key."""

    def __init__(self, chunks: Iterator[Rows]) -> None:
        self._chunks = chunks
        self._chunk = _NOTHING
        self._at = 0

    def until(self, stop: bytes) -> Seen:
        """The rows not handed out yet whose key sorts before `stop`."""
        return self._take(stop)

    def rest(self) -> Seen:
        """All the rows not handed out yet."""
        return self._take(None)

    def _take(self, stop: bytes | None) -> Seen:
        taken: list[Rows] = []
        while True:
            keys = self._chunk.keys
            # Not numpy's own search: a longer `stop` would make it copy all the keys.
            end = len(keys) if stop is None else bisect.bisect_left(keys, stop, self._at)
            if end > self._at:
                taken.append(self._chunk.slice(self._at, end))
                self._at = end
            if end < len(keys):
                return Seen(taken)
            chunk = next(self._chunks, None)
            if chunk is None:
                return Seen(taken)
            self._chunk, self._at = chunk, 0
