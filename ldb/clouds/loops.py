"""The event loop that all clients of a process share: fsspec's, in a thread of its own.

A forked child gets a new one, as fsspec sees to that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def loop() -> asyncio.AbstractEventLoop:
    """This process's loop, running."""
    from fsspec.asyn import get_loop

    found: asyncio.AbstractEventLoop = get_loop()
    return found


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run on the loop and wait; an interruption of the waiting ends the work."""
    try:
        future = asyncio.run_coroutine_threadsafe(work, loop())
    except BaseException:  # Ctrl-C while the loop is loaded: Python would complain of the work
        work.close()
        raise
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What the calls give, all under way at once; where one fails the others are ended first."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
