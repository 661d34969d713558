"""Many requests at once, their answers taken one by one by a thread that is not the loop's.

`answers` bounds what is under way or waits to be taken, so that memory is bounded, and stops
asking when the iterator is abandoned.
"""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

from ldb.clouds import loops

T = TypeVar("T")


def answers(
    count: int, fetch: Callable[[int], Awaitable[T]], concurrency: int
) -> Iterator[tuple[int, T]]:
    """(number, answer) for the numbers below `count`, in the order in which they arrive.

    `fetch` runs on the loop; an exception of it ends the iteration and is raised here.
    """
    arrived: queue.SimpleQueue[tuple[int, T] | BaseException] = queue.SimpleQueue()
    loop, process = loops.loop(), os.getpid()
    permits = asyncio.Semaphore(concurrency)
    numbers = iter(range(count))

    async def work() -> None:
        await permits.acquire()
        for number in numbers:
            arrived.put((number, await fetch(number)))
            await permits.acquire()
        permits.release()  # for the others, that they see the end as well

    async def work_all() -> None:
        tasks = [asyncio.ensure_future(work()) for _ in range(min(concurrency, count))]
        try:
            await asyncio.gather(*tasks)
        except BaseException as error:
            for task in tasks:
                task.cancel()
            if not isinstance(error, asyncio.CancelledError):
                arrived.put(error)
            raise

    def give_back(taken: int) -> None:
        for _ in range(taken):
            permits.release()

    running = asyncio.run_coroutine_threadsafe(work_all(), loop)
    batch, taken = max(1, concurrency // 8), 0  # waking the loop costs more than a permit
    try:
        for _ in range(count):
            found = arrived.get()
            if isinstance(found, BaseException):
                raise found
            yield found
            taken += 1
            if taken == batch:
                loop.call_soon_threadsafe(give_back, taken)
                taken = 0
    finally:
        if os.getpid() == process:
            running.cancel()


def pulled(source: Callable[[], AsyncIterator[T]], ahead: int = 2) -> Iterator[T]:
    """What an async iterator gives, fetched up to `ahead` items before they are asked for."""
    arrived: queue.SimpleQueue[tuple[T] | BaseException | None] = queue.SimpleQueue()
    loop, process = loops.loop(), os.getpid()
    permits = asyncio.Semaphore(ahead)

    async def work() -> None:
        try:
            await permits.acquire()
            async for item in source():
                arrived.put((item,))
                await permits.acquire()
            arrived.put(None)
        except Exception as error:  # noqa: BLE001  (raised again where it is taken)
            arrived.put(error)

    running = asyncio.run_coroutine_threadsafe(work(), loop)
    try:
        while (found := arrived.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found[0]
            loop.call_soon_threadsafe(permits.release)
    finally:
        if os.getpid() == process:
            running.cancel()
