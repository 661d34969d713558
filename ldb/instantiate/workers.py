"""Worker processes for instantiate: batches out, results back in any order.

A worker has at most one batch at a time, so neither side ever waits to send while the other
does. A run of a single batch is done in the parent.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
from collections.abc import Generator, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ldb.errors import StoreFailed
from ldb.instantiate.write import BatchResult, Item, WriteOptions, Writer


def write_batches(
    batches: Iterator[list[Item]], options: WriteOptions, processes: int
) -> Generator[BatchResult, None, None]:
    """Results of all batches, in the order in which they are done."""
    first = list(itertools.islice(batches, 2))
    if len(first) < 2 or processes < 2:
        with Writer(options) as writer:
            for batch in itertools.chain(first, batches):
                yield writer.write(batch)
        return
    with _Pool(options, processes) as pool:
        yield from pool.run(itertools.chain(first, batches))


class _Pool:
    def __init__(self, options: WriteOptions, processes: int) -> None:
        forks = "fork" in multiprocessing.get_all_start_methods()
        get = multiprocessing.get_context
        context = get("fork") if forks else get("spawn")
        pipes = [context.Pipe() for _ in range(processes)]
        self._pipes: list[Connection] = [mine for mine, _ in pipes]
        self._workers: list[BaseProcess] = []
        for at, (_, theirs) in enumerate(pipes):
            # A forked worker must close what it inherited, or it outlives a killed parent.
            others = [*self._pipes, *(end for other, (_, end) in enumerate(pipes) if other != at)]
            args = (theirs, options, others if forks else [])
            worker = context.Process(target=_work, args=args, daemon=True)
            worker.start()
            self._workers.append(worker)
        for _, theirs in pipes:
            theirs.close()

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *failed: object) -> None:
        if failed[0] is not None:
            for worker in self._workers:
                worker.terminate()
        for pipe in self._pipes:
            pipe.close()
        for worker in self._workers:
            worker.join()

    def run(self, batches: Iterator[list[Item]]) -> Iterator[BatchResult]:
        idle, busy = list(self._pipes), list[Connection]()
        batch = next(batches, None)
        while batch is not None or busy:
            while batch is not None and idle:
                pipe = idle.pop()
                self._send(pipe, batch)
                busy.append(pipe)
                batch = next(batches, None)
            for ready in wait(busy):
                assert isinstance(ready, Connection)
                result = self._receive(ready)
                busy.remove(ready)
                idle.append(ready)
                yield result

    def _send(self, pipe: Connection, batch: list[Item]) -> None:
        try:
            pipe.send(batch)
        except (BrokenPipeError, ConnectionResetError):
            raise _died() from None

    def _receive(self, pipe: Connection) -> BatchResult:
        try:
            value: Any = pipe.recv()
        except (EOFError, ConnectionResetError):
            raise _died() from None
        if isinstance(value, BaseException):
            raise value
        assert isinstance(value, BatchResult)
        return value


def _died() -> StoreFailed:
    return StoreFailed("instantiate", "a worker process died", "out of memory? run it again")


def _work(pipe: Connection, options: WriteOptions, inherited: list[Connection]) -> None:
    """A worker's life: batches until the parent closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in inherited:
        other.close()
    try:
        with Writer(options) as writer:
            while True:
                pipe.send(writer.write(pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:  # noqa: BLE001 - the parent raises it
        with contextlib.suppress(OSError):
            pipe.send(error)


def default_processes() -> int:
    """As many workers as this process may use processors, at least one."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
