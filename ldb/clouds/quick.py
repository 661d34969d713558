"""A client for commands that ask an S3 bucket for next to nothing, as a cached query does.

A few objects, or one page of a listing, are asked for by obstore in plain threads, and values are
written so. That loads neither asyncio nor s3fs, which take longer than such a query or commit.
Whatever is more than that, and all that obstore fails at, goes to the whole client, which is made
for it then.
docs/design/010-clouds.md
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import Any

from ldb.clouds.base import PUT_AT_ONCE, Client, Get, Put, Stat, Stretch
from ldb.clouds.notices import trying_again
from ldb.clouds.obstores import (
    answered,
    asked,
    is_plain_key,
    is_plain_prefix,
    may_use,
    put_there,
    says_nothing_done,
    says_taken,
    stats_of,
)
from ldb.errors import LdbError, NotFound, StoreFailed
from ldb.threads import aside, pool

PAGE = 1000
"""Keys of a listing that a store gives at once; obstore cannot ask for fewer."""

FEW = 16
"""Objects for which threads do: loading asyncio takes longer than these."""


class QuickClient:
    """One S3 bucket; `make` makes the client that can do everything, with obstore or without."""

    def __init__(
        self, url: str, make_store: Callable[[], Any], make: Callable[[bool], Client]
    ) -> None:
        self._url, self._make_store, self._make = url, make_store, make
        self._store: Any = None
        self._made: dict[bool, Client] = {}
        self._lock = Lock()

    @property
    def url(self) -> str:
        return self._url

    def get(self, wanted: Get) -> bytes:
        some = wanted.stop is None or 0 <= wanted.start < wanted.stop
        if some and wanted.start >= 0 and is_plain_key(wanted.key) and may_use():
            began = time.monotonic()
            try:
                return aside(lambda: self._get(wanted))
            except Exception:  # noqa: BLE001  (of many kinds; the other one tells what it is)
                return self._other(began).get(wanted)
        return self._whole().get(wanted)

    def _get(self, wanted: Get) -> bytes:
        answer = self._obstore().get(wanted.key, options=asked(wanted))
        return answered(answer, bytes(answer.bytes())).data

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Stat]:
        if after or limit == 0 or not is_plain_prefix(prefix) or not may_use():
            return self._whole().list(prefix, after, limit)
        began = time.monotonic()
        try:
            chunks = self._obstore().list(prefix or None, chunk_size=PAGE)
            stats = stats_of(aside(lambda: next(iter(chunks), [])))
        except Exception:  # noqa: BLE001  (as above)
            return self._other(began).list(prefix, after, limit)
        if stats is None:
            return self._whole(fast=False).list(prefix, after, limit)
        found = _beginning(stats, prefix, limit)
        return self._whole().list(prefix, after, limit) if found is None else iter(found)

    def list_parallel(self, prefix: str = "", concurrency: int = 8) -> Iterator[Stat]:
        return self._whole().list_parallel(prefix, concurrency)

    def cut(self, prefix: str, stretch: Stretch, pieces: int) -> Sequence[Stretch]:
        return self._whole().cut(prefix, stretch, pieces)

    def list_stretches(
        self, prefix: str, stretches: Sequence[Stretch], most: int
    ) -> Sequence[tuple[Sequence[Stat], str]]:
        return self._whole().list_stretches(prefix, stretches, most)

    def create(self, key: str, data: bytes) -> Put:
        if not (is_plain_key(key) and may_use()):
            return self._whole().create(key, data)
        began = time.monotonic()
        try:
            self._put(key, data, mode="create")
        except Exception as error:  # noqa: BLE001  (of many kinds; the other one tells what it is)
            return self._create_after(error, began, key, data)
        return Put.CREATED

    def _create_after(self, error: Exception, began: float, key: str, data: bytes) -> Put:
        if says_taken(error):
            return Put.EXISTS
        sure = says_nothing_done(error)
        try:
            put = self._other(began).create(key, data)
        except StoreFailed:
            if sure:
                raise
            return Put.DOUBT
        return put if sure or put is Put.CREATED else Put.DOUBT

    def put(self, key: str, data: bytes | memoryview) -> Stat:
        if len(data) > PUT_AT_ONCE or not (is_plain_key(key) and may_use()):
            return self._whole().put(key, data)
        began = time.monotonic()
        try:
            answer = self._put(key, data)
        except Exception:  # noqa: BLE001  (as above)
            return self._other(began).put(key, data)
        return put_there(key, len(data), answer)

    def _put(self, key: str, data: bytes | memoryview, **how: str) -> Any:
        store = self._obstore()
        return aside(lambda: store.put(key, data, use_multipart=False, **how))

    def _obstore(self) -> Any:
        with self._lock:
            if self._store is None:
                self._store = self._make_store()
            return self._store

    # -- what the whole client does ----------------------------------------------------

    def _whole(self, fast: bool = True) -> Client:
        """Without obstore where that has failed just now: it would be asked the same again."""
        with self._lock:
            if fast not in self._made:
                self._made[fast] = self._make(fast)
            return self._made[fast]

    def _other(self, began: float) -> Client:
        """The one that goes on after obstore, which began then, has failed."""
        seconds = time.monotonic() - began
        trying_again(self._url, f"no good answer in {seconds:.0f} s", seconds)
        return self._whole(fast=False)

    def get_many(
        self, wanted: Sequence[Get], *, concurrency: int = 64
    ) -> Iterator[tuple[int, bytes | LdbError]]:
        if not 0 < len(wanted) <= min(FEW, concurrency) or not may_use():
            return self._whole().get_many(wanted, concurrency=concurrency)
        return self._few(wanted)

    def _few(self, wanted: Sequence[Get]) -> Iterator[tuple[int, bytes | LdbError]]:
        from concurrent.futures import as_completed

        with pool(len(wanted)) as threads:
            running = {threads.submit(self.get, each): at for at, each in enumerate(wanted)}
            for done in as_completed(running):
                error = done.exception()
                if error is not None and not isinstance(error, LdbError):
                    raise error
                yield running[done], error or done.result()

    def stream(self, wanted: Get, piece: int = 8 << 20) -> Iterator[bytes]:
        return self._whole().stream(wanted, piece)

    def head(self, key: str) -> Stat:
        # A folder's name is no object's, as a rule. Once the whole client is there it is as quick.
        if True not in self._made and is_plain_key(key) and may_use() and self._lacks(key):
            raise NotFound("object", f"{self._url}/{key}")
        return self._whole().head(key)

    def _lacks(self, key: str) -> bool:
        """Whether the store says that it has no such object; what it has, `fast.py` tells."""
        try:
            aside(lambda: self._obstore().head(key))
        except FileNotFoundError:
            return True
        except Exception:  # noqa: BLE001  (as above)
            return False
        return False

    def folders(self, prefix: str) -> Sequence[str]:
        return self._whole().folders(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        self._whole().delete(keys)

    def close(self) -> None:
        self._store = None
        for client in self._made.values():
            client.close()


def _beginning(stats: list[Stat], prefix: str, limit: int | None) -> Sequence[Stat] | None:
    """What was asked for, in order, out of the first page; None: it takes more."""
    if len(stats) < PAGE:
        return sorted(stats, key=lambda stat: stat.key)[:limit]
    if limit is None or limit > PAGE:
        return None
    # Of stores that sort by folder, names come in order as long as there is no folder.
    flat = not any("/" in stat.key[len(prefix) :] for stat in stats)
    return stats[:limit] if flat else None
