"""A store in the memory of this process: for tests, and for trying things out.

Keeps every promise of `base.py` except durability. Unlike a folder it lets a key be
both a value and the folder of other keys, as buckets do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from ldb.backends.base import Buffer, Entry, Outcome, Range, check_key
from ldb.errors import NotFound


class MemoryBackend:
    """Values in a dictionary; gone with the process."""

    def __init__(self, name: str = "memory", clock: Callable[[], float] = time.time) -> None:
        """`clock` gives the store's time, in seconds since 1970."""
        self._name = name
        self._clock = clock
        self._values: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"memory://{self._name}"

    @property
    def far(self) -> bool:
        return False

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        check_key(key)
        if start < 0 or (stop is not None and stop < 0):
            raise ValueError(f"negative range [{start}, {stop}) of {key}")
        try:
            value, _ = self._values[key]
        except KeyError:
            raise NotFound("key", key) from None
        return value[start:stop]

    def read_many(self, ranges: Sequence[Range]) -> list[Buffer]:
        return [self.read(wanted.key, wanted.start, wanted.stop) for wanted in ranges]

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        check_key(key)
        value = bytes(data)
        with self._lock:
            if key in self._values and not unconditional:
                return Outcome.EXISTS
            self._values[key] = (value, self._clock())
        return Outcome.CREATED

    def folders(self, prefix: str) -> list[str]:
        _check_folder(prefix)
        with self._lock:
            below = [key[len(prefix) :] for key in self._values if key.startswith(prefix)]
        return sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def last_listed(self, prefix: str) -> list[Entry] | None:
        return None

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Entry]:
        _check_folder(prefix)
        with self._lock:
            found = [
                Entry(key, len(value), stored)
                for key, (value, stored) in self._values.items()
                if key.startswith(prefix) and key > after
            ]
        return iter(sorted(found, key=lambda entry: entry.key)[:limit])

    def prefetch(self, ranges: Sequence[Range]) -> None:
        pass

    def forget(self, key: str) -> bool:
        return False

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            check_key(key)
            with self._lock:
                self._values.pop(key, None)


def _check_folder(prefix: str) -> None:
    folder = prefix.rpartition("/")[0]
    if folder:
        check_key(folder)
