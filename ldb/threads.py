"""Threads for what waits: a store may take a minute to answer, and Ctrl-C shall not.

A run that is interrupted, or whose results nobody wants any more, leaves its threads behind, and
`ldb/cli/main.py` ends the process without them. One that fails otherwise waits for them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")


@contextmanager
def pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """So many threads at most, for as long as the context lasts."""
    from concurrent.futures import ThreadPoolExecutor  # loads logging: most runs do without

    threads = ThreadPoolExecutor(count)
    wait = False
    try:
        yield threads
        wait = True
    except Exception:
        wait = True
        raise
    finally:
        threads.shutdown(wait=wait, cancel_futures=True)


def aside(work: Callable[[], T]) -> T:
    """What `work` returns or raises; it may wait where Python does not hear of Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        return work()  # Ctrl-C is the main thread's
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  (raised again by who waits)
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
