"""A bucket in memory: the stand-in for tests of logic above the protocol, not of clients.

Counts requests as S3 would see them, listings and deletes one for each `PAGE` keys.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ldb.clouds.base import Changed, Get, Put, Stat, Stretch
from ldb.errors import LdbError, NotFound

PAGE = 1000


class MemoryClient:
    """One bucket; `answers` decide what the next conditional creates are told."""

    def __init__(self, url: str = "s3://bucket") -> None:
        self.url = url
        self.values: dict[str, tuple[bytes, int]] = {}
        self.requests: Counter[str] = Counter()
        self.log: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def _count(self, verb: str, key: str) -> None:
        with self._lock:
            self.requests[verb] += 1
            self.log.append((verb, key))

    def get(self, wanted: Get) -> bytes:
        self._count("get", wanted.key)
        return self._get(wanted)

    def _get(self, wanted: Get) -> bytes:
        try:
            value = self.values[wanted.key][0]
        except KeyError:
            raise NotFound("object", f"{self.url}/{wanted.key}") from None
        if wanted.token and wanted.token != _token(value):
            raise Changed(wanted.key)
        return value[wanted.start : wanted.stop]

    def get_many(
        self, wanted: Sequence[Get], *, concurrency: int = 64
    ) -> Iterator[tuple[int, bytes | LdbError]]:
        for at, each in reversed(list(enumerate(wanted))):
            try:
                yield at, self.get(each)
            except LdbError as error:
                yield at, error

    def stream(self, wanted: Get, piece: int = 8 << 20) -> Iterator[bytes]:
        yield self.get(wanted)

    def head(self, key: str) -> Stat:
        self._count("head", key)
        if key not in self.values:
            raise NotFound("object", f"{self.url}/{key}")
        return self._stat(key)

    def _stat(self, key: str) -> Stat:
        value, stored = self.values[key]
        md5 = hashlib.md5(value, usedforsecurity=False)
        return Stat(key, len(value), stored, md5.hexdigest(), md5.digest())

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Stat]:
        with self._lock:
            keys = sorted(k for k in self.values if k.startswith(prefix) and k > after)[:limit]
        for at, key in enumerate(keys):
            if at % PAGE == 0:
                self._count("list", prefix)
            if key in self.values:
                yield self._stat(key)
        if not keys:
            self._count("list", prefix)

    def list_parallel(self, prefix: str = "", concurrency: int = 8) -> Iterator[Stat]:
        return self.list(prefix)

    def cut(self, prefix: str, stretch: Stretch, pieces: int) -> Sequence[Stretch]:
        return [stretch]

    def list_stretches(
        self, prefix: str, stretches: Sequence[Stretch], most: int
    ) -> Sequence[tuple[Sequence[Stat], str]]:
        return [self._stretch(prefix, each, most) for each in stretches]

    def _stretch(self, prefix: str, stretch: Stretch, most: int) -> tuple[Sequence[Stat], str]:
        listed = list(self.list(prefix, stretch.after, most))
        found = [stat for stat in listed if stretch.holds(stat.key)]
        return found, found[-1].key if len(found) == most else ""

    def folders(self, prefix: str) -> Sequence[str]:
        self._count("list", prefix)
        rest = [key[len(prefix) :] for key in self.values if key.startswith(prefix)]
        return sorted({each.partition("/")[0] for each in rest if "/" in each})

    def create(self, key: str, data: bytes) -> Put:
        self._count("create", key)
        with self._lock:
            if key in self.values:
                return Put.EXISTS
            self.values[key] = (bytes(data), time.time_ns())
        return Put.CREATED

    def put(self, key: str, data: bytes | memoryview) -> Stat:
        self._count("put", key)
        with self._lock:
            self.values[key] = (bytes(data), time.time_ns())
        return self._stat(key)

    def delete(self, keys: Iterable[str]) -> None:
        for at, key in enumerate(dict.fromkeys(keys)):
            if at % PAGE == 0:
                self._count("delete", key)
            with self._lock:
                self.values.pop(key, None)

    def close(self) -> None:
        pass

    def total(self) -> int:
        """Requests so far."""
        return sum(self.requests.values())


def opener(client: MemoryClient) -> Any:
    """What `BucketBackend` opens its client with."""

    def open_client(url: str, options: Mapping[str, Any] | None) -> MemoryClient:
        return client

    return open_client


def _token(value: bytes) -> str:
    return hashlib.md5(value, usedforsecurity=False).hexdigest()
