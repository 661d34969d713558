"""The far end of a cluster: what a worker of it does with one task.

A task is several items; its answer is given when all that was written for them is durable. A
worker is opened once a run and thread, and used again for the run's other tasks. It must load
without Dask, and quickly: it is imported by the name of `do_task` wherever a task arrives.
"""

from __future__ import annotations

import contextlib
import pickle
import platform
import threading
from dataclasses import dataclass
from typing import Any

import zstandard

from ldb import __version__
from ldb.engines.base import AnyWork, Worker
from ldb.errors import LdbError, Unsupported

KEPT = 2
"""Open workers a thread, for clusters that several drivers use in turn."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer in place of results: the error to raise in the driver."""

    error: LdbError


@dataclass(slots=True)
class _Opened:
    run: str
    thread: int
    stack: contextlib.ExitStack
    worker: Worker[Any, Any]


_opened: list[_Opened] = []
_lock = threading.Lock()


def packed(value: object) -> bytes:
    """A value to be sent: pickled, and small, since the scheduler keeps it for another try."""
    return zstandard.ZstdCompressor(level=1).compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


def unpacked(data: bytes) -> Any:
    """The reverse of `packed`."""
    return pickle.loads(zstandard.ZstdDecompressor().decompress(data))


def do_task(version: str, run: str, work: bytes, items: bytes) -> list[Any] | Failed:
    """Do a task of a run; `work` and `items` are `packed`. Other errors than ours are raised."""
    if version != __version__:
        return _another_version(version)
    try:
        opened = _take(run) or _open(run, unpacked(work))
        with _kept(opened):
            results = [opened.worker.do(item) for item in unpacked(items)]
            opened.worker.settle()
    except LdbError as error:
        return Failed(error)
    return results


def try_work(version: str, work: bytes) -> Failed | None:
    """Open a worker and let it go; what was wrong, if anything."""
    if version != __version__:
        return _another_version(version)
    try:
        with unpacked(work)():
            return None
    except LdbError as error:
        return Failed(error)


def _another_version(version: str) -> Failed:
    what = f"ldb {version} in front of ldb {__version__} on the worker at {platform.node()}"
    return Failed(Unsupported(what, "install one version everywhere"))


def close_run(run: str) -> None:
    """Let go of what was opened for a run that has ended; what is in use goes later."""
    with _lock:
        ended = [each for each in _opened if each.run == run]
        _opened[:] = [each for each in _opened if each.run != run]
    for each in ended:
        _close(each)


def _take(run: str) -> _Opened | None:
    """This thread's worker for a run, if there is one; it is in nobody else's hands then."""
    with _lock:
        for at, each in enumerate(_opened):
            if (each.run, each.thread) == (run, threading.get_ident()):
                return _opened.pop(at)
    return None


def _open(run: str, work: AnyWork) -> _Opened:
    stack = contextlib.ExitStack()
    return _Opened(run, threading.get_ident(), stack, stack.enter_context(work()))


@contextlib.contextmanager
def _kept(opened: _Opened) -> Any:
    """Keep a worker for the next task; one that failed is in no known state, and is closed."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(LdbError):
            opened.stack.__exit__(type(error), error, error.__traceback__)
        raise
    with _lock:
        mine = [each for each in _opened if each.thread == opened.thread]
        old = mine[: len(mine) - KEPT + 1]
        _opened[:] = [each for each in _opened if each not in old] + [opened]
    for each in old:
        _close(each)


def _close(opened: _Opened) -> None:
    # It has settled after its last task, so nothing is lost whatever happens here.
    with contextlib.suppress(LdbError):
        opened.stack.close()
