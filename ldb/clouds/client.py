"""`base.Client` over any wire: tries again, translates errors, runs many requests at once.

Keys are compared as text: Python orders it by code points, which is the order of UTF-8 bytes.

What a create came to when an answer got lost is decided here, for all stores alike, and settled
nowhere: docs/design/010-clouds.md. A client outlives a fork: the child makes a wire of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from ldb.clouds import loops, notices, window
from ldb.clouds.base import PUT_AT_ONCE, Changed, Get, Put, Stat
from ldb.clouds.listings import Listings
from ldb.clouds.patience import Patience, Waiting
from ldb.clouds.wire import Ask, Failure, Got, Kind, Page, Unsure, Wire, opening
from ldb.errors import LdbError, NotFound, StoreFailed
from ldb.redact import redact

T = TypeVar("T")
MIB = 1 << 20
MOST_PARTS = 10_000
DELETED_AT_ONCE = 1000
DELETES_AT_ONCE = 16
"""Requests, of stores that take one key with each."""
AHEAD = 3
"""Pieces of a stream that are fetched before they are asked for."""


class Failed(Exception):
    """A request that failed for good, before it is known what that means to the caller."""

    def __init__(self, failure: Failure, tried: int, seconds: float) -> None:
        super().__init__(failure.why)
        self.failure, self.tried, self.seconds = failure, tried, seconds


class CloudClient(Listings):
    """One bucket; `make_wire` makes what asks it, anew in each process."""

    def __init__(self, url: str, make_wire: Callable[[], Wire], patience: Patience) -> None:
        self._url, self._make_wire, self._patience = url, make_wire, patience
        self._wires: dict[int, Wire] = {}
        self._opened: dict[int, asyncio.Task[None]] = {}

    @property
    def url(self) -> str:
        return self._url

    # -- reading -----------------------------------------------------------------------

    def get(self, wanted: Get) -> bytes:
        return loops.run(self._get(wanted)).data

    def get_many(
        self, wanted: Sequence[Get], *, concurrency: int = 64
    ) -> Iterator[tuple[int, bytes | LdbError]]:
        async def fetch(number: int) -> bytes | LdbError:
            try:
                return (await self._get(wanted[number])).data
            except LdbError as error:
                return error

        return window.answers(len(wanted), fetch, concurrency)

    def stream(self, wanted: Get, piece: int = 8 * MIB) -> Iterator[bytes]:
        return window.pulled(partial(self._pieces, wanted, piece), ahead=1)

    def head(self, key: str) -> Stat:
        return loops.run(self._head(key))

    async def _get(self, wanted: Get) -> Got:
        start, stop = wanted.start, wanted.stop
        if start < 0 or (stop is not None and stop < 0):
            raise ValueError(f"negative range: {start}, {stop}")
        wire = await self._wire()
        try:
            if stop is not None and stop <= start:  # which HTTP cannot ask for
                stat = await self._try(lambda: wire.head(wanted.key))
                if wanted.token and not wanted.version and stat.token != wanted.token:
                    raise Changed(self._where(wanted.key))
                return Got(b"", stat.token, stat.size)
            return await self._try(lambda: wire.get(wanted))
        except Failed as failed:
            if failed.failure.kind is Kind.RANGE:
                return Got(b"", wanted.token)
            if failed.failure.kind is Kind.CONDITION:
                await self._head(wanted.key)  # Azure says so of one that is gone as well
            raise self._meaning(failed, wanted.key) from None

    async def _head(self, key: str) -> Stat:
        wire = await self._wire()
        try:
            return await self._try(lambda: wire.head(key))
        except Failed as failed:
            raise self._meaning(failed, key) from None

    async def _pieces(self, wanted: Get, piece: int) -> AsyncIterator[bytes]:
        """Pieces in order, all of the object that the first one was of."""
        start, stop = wanted.start, wanted.stop
        end = start + piece if stop is None else min(stop, start + piece)
        first = await self._get(Get(wanted.key, start, end, wanted.token, wanted.version))
        yield first.data
        rest = memoryview(first.rest)[: None if stop is None else max(0, stop - end)]
        for at in range(0, len(rest), piece):
            yield bytes(rest[at : at + piece])
        if len(first.data) < piece or rest:
            return
        token = wanted.token or first.token
        if first.size >= 0:
            stop = first.size if stop is None else min(stop, first.size)
        running: deque[asyncio.Task[Got]] = deque()
        try:
            at = end
            while running or stop is None or at < stop:
                while len(running) < AHEAD and (stop is None or at < stop):
                    end = at + piece if stop is None else min(stop, at + piece)
                    part = Get(wanted.key, at, end, token, wanted.version)
                    running.append(asyncio.ensure_future(self._get(part)))
                    at = end
                got = await running.popleft()
                if not got.data:
                    return
                yield got.data
        finally:
            for task in running:
                task.cancel()

    # -- listing -----------------------------------------------------------------------

    async def _by_folder(self) -> bool:
        return (await self._wire()).by_folder

    async def _page(self, ask: Ask) -> Page:
        wire = await self._wire()
        try:
            return await self._try(lambda: wire.page(ask))
        except Failed as failed:
            raise self._meaning(failed, ask.prefix) from None

    # -- writing -----------------------------------------------------------------------

    def create(self, key: str, data: bytes) -> Put:
        return loops.run(self._create(key, data))

    def put(self, key: str, data: bytes | memoryview) -> Stat:
        return loops.run(self._put(key, data))

    def delete(self, keys: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(keys))
        for at in range(0, len(wanted), DELETED_AT_ONCE):
            loops.run(self._delete(wanted[at : at + DELETED_AT_ONCE]))

    async def _create(self, key: str, data: bytes) -> Put:
        wire = await self._wire()
        doubt = False
        waiting = Waiting(self._patience)
        while True:
            try:
                if await wire.create(key, data):
                    return Put.CREATED  # nothing was there, so no earlier try of ours was either
                return Put.DOUBT if doubt else Put.EXISTS
            except Unsure:
                return Put.DOUBT
            except Exception as error:  # noqa: BLE001  (what it is, `explain` says)
                failure = _explained(wire, error)
            doubt = doubt or failure.kind is Kind.PASSING
            passing = failure.kind in (Kind.BUSY, Kind.PASSING)
            pause = waiting.pause(failure.pause) if passing else None
            if pause is None and doubt:
                return Put.DOUBT
            if pause is None:
                raise self._meaning(Failed(failure, waiting.tried, waiting.seconds()), key)
            notices.trying_again(self._url, failure.why, waiting.seconds())
            await asyncio.sleep(pause)

    async def _put(self, key: str, data: bytes | memoryview) -> Stat:
        wire = await self._wire()
        try:
            if not wire.part_size or len(data) <= PUT_AT_ONCE:
                return await self._try(lambda: wire.put(key, data))
            size = max(wire.part_size, -(-len(data) // MOST_PARTS))
            view = memoryview(data)
            parts = [view[at : at + size] for at in range(0, len(view), size)]
            return await wire.put_parts(key, parts, self._try)
        except Failed as failed:
            raise self._meaning(failed, key) from None

    async def _delete(self, keys: Sequence[str]) -> None:
        wire = await self._wire()
        permits = asyncio.Semaphore(DELETES_AT_ONCE)

        async def delete(some: Sequence[str]) -> None:
            async with permits:
                try:
                    await self._try(lambda: wire.delete(some))
                except Failed as failed:
                    raise self._meaning(failed, some[0]) from None

        lots = (keys[at : at + wire.deletes] for at in range(0, len(keys), wire.deletes))
        await loops.together(delete(some) for some in lots)

    # -- the rest ----------------------------------------------------------------------

    def close(self) -> None:
        wire = self._wires.pop(os.getpid(), None)
        if wire is not None and self._opened.pop(os.getpid(), None) is not None:
            loops.run(wire.close())

    async def _wire(self) -> Wire:
        """This process's wire, open. On one loop, so that two never make it at once."""
        process = os.getpid()
        if process not in self._wires:
            self._wires[process] = self._make_wire()
        wire = self._wires[process]
        if process not in self._opened:
            self._opened[process] = asyncio.ensure_future(opening(wire))
        opened = self._opened[process]
        if not opened.done() or opened.cancelled() or opened.exception() is not None:
            try:
                await asyncio.shield(opened)
            except BaseException as error:
                self._opened.pop(process, None)
                failure = None if isinstance(error, LdbError) else wire.explain(error)
                if failure is None:
                    raise
                raise self._meaning(Failed(failure, 1, 0.0), "") from None
        return wire

    async def _try(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer; raises `Failed`."""
        waiting = Waiting(self._patience)
        while True:
            try:
                return await call()
            except Exception as error:  # noqa: BLE001  (what it is, `explain` says)
                failure = _explained(self._wires[os.getpid()], error)
            passing = failure.kind in (Kind.BUSY, Kind.PASSING)
            pause = waiting.pause(failure.pause) if passing else None
            if pause is None:
                raise Failed(failure, waiting.tried, waiting.seconds())
            notices.trying_again(self._url, failure.why, waiting.seconds())
            await asyncio.sleep(pause)

    def _where(self, key: str) -> str:
        return f"{self._url}/{key}" if key else self._url

    def _meaning(self, failed: Failed, key: str) -> LdbError:
        """The error for the caller; holds no secret."""
        failure = failed.failure
        if failure.kind is Kind.NO_KEY:
            return NotFound("object", self._where(key))
        if failure.kind is Kind.NO_BUCKET:
            return NotFound("bucket", self._url, "check its name, or make it")
        if failure.kind is Kind.CONDITION:
            return Changed(self._where(key))
        why, hint = redact(notices.shortened(failure.why)), failure.hint
        if failure.kind in (Kind.BUSY, Kind.PASSING):
            why += f"; tried {failed.tried} times in {failed.seconds:.0f} s"
            hint = hint or "try again later"
        return StoreFailed(self._where(key), why, hint)


def _explained(wire: Wire, error: Exception) -> Failure:
    failure = None if isinstance(error, LdbError) else wire.explain(error)
    if failure is None:
        raise error
    return failure
