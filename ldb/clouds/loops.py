"""The event loop that all clients of a process share: fsspec's, in a thread of its own.

A forked child gets a new one, as fsspec sees to that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def loop() -> asyncio.AbstractEventLoop:
    """This process's loop, running."""
    from fsspec.asyn import get_loop

    found: asyncio.AbstractEventLoop = get_loop()
    return found


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run on the loop and wait; an interruption of the waiting ends the work."""
    future = asyncio.run_coroutine_threadsafe(work, loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
