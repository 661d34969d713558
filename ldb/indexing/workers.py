"""Worker processes for indexing: batches out, columns back in the order they went out.

Each worker holds one pack writer for the whole run and publishes its packs at the end. A
run with a single batch is done in the parent. Nothing is published if anything fails.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ldb.errors import LdbError, StoreFailed
from ldb.indexing.read import BatchResult, Reader
from ldb.indexing.scan import Job

IN_FLIGHT = 3
"""Batches a worker has waiting, so that it never idles."""

MAX_AHEAD = 256
"""Batches that may be finished before an earlier, slower one: bounds memory."""

OpenReader = Callable[[], "contextlib.AbstractContextManager[Reader]"]


def read_all(
    batches: Iterator[list[Job]], open_reader: OpenReader, processes: int
) -> Iterator[BatchResult]:
    """Results of all batches, in order. Packs are published when the iterator ends."""
    first = list(itertools.islice(batches, 2))
    if len(first) < 2 or processes < 2:
        with open_reader() as reader:
            for batch in itertools.chain(first, batches):
                yield reader.read(batch)
        return
    with _Pool(open_reader, processes) as pool:
        yield from pool.run(itertools.chain(first, batches))


class _Pool:
    def __init__(self, open_reader: OpenReader, processes: int) -> None:
        method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        pipes = [context.Pipe() for _ in range(processes)]
        self._pipes: list[Connection] = [mine for mine, _ in pipes]
        inherited = list(self._pipes) if method == "fork" else []
        self._workers: list[BaseProcess] = []
        with _interrupts_held(), warnings.catch_warnings():
            # Python 3.12 warns of forking beside threads: numpy's, which wait for work and
            # which no worker gives any.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._start(context, pipes, open_reader, inherited)
        for _, theirs in pipes:
            theirs.close()

    def _start(
        self,
        context: Any,
        pipes: list[tuple[Connection, Connection]],
        open_reader: OpenReader,
        inherited: list[Connection],
    ) -> None:
        for at, (_, theirs) in enumerate(pipes):
            # A forked worker must close what it inherited, or it outlives a killed parent.
            others = [end for other, (_, end) in enumerate(pipes) if other != at]
            args = (theirs, open_reader, inherited + others if inherited else [])
            worker = context.Process(target=_work, args=args, daemon=True)
            worker.start()
            self._workers.append(worker)

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *failed: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for worker in self._workers:
            if failed[0] is not None:
                worker.terminate()
            worker.join()

    def run(self, batches: Iterator[list[Job]]) -> Iterator[BatchResult]:
        ready: dict[int, BatchResult] = {}
        load = dict.fromkeys(self._pipes, 0)
        following = issued = 0
        exhausted = False
        while True:
            while not exhausted and issued - following < MAX_AHEAD:
                idle = self._least(load)
                if idle is None:
                    break
                batch = next(batches, None)
                if batch is None:
                    exhausted = True
                    break
                self._send(idle, (issued, batch))
                load[idle] += 1
                issued += 1
            if not any(load.values()):
                break
            for pipe in wait([each for each, count in load.items() if count]):
                assert isinstance(pipe, Connection)
                number, result = self._receive(pipe)
                ready[number] = result
                load[pipe] -= 1
            while following in ready:
                yield ready.pop(following)
                following += 1
        self._finish()

    def _least(self, load: dict[Connection, int]) -> Connection | None:
        pipe = min(load, key=lambda each: load[each])
        return pipe if load[pipe] < IN_FLIGHT else None

    def _finish(self) -> None:
        for pipe in self._pipes:
            self._send(pipe, None)
        for pipe in self._pipes:
            self._receive(pipe)

    def _send(self, pipe: Connection, message: object) -> None:
        try:
            pipe.send(message)
        except (BrokenPipeError, ConnectionResetError):
            raise self._died() from None

    def _receive(self, pipe: Connection) -> tuple[int, Any]:
        try:
            number, value = pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._died() from None
        if isinstance(value, BaseException):
            raise value
        return number, value

    def _died(self) -> LdbError:
        return StoreFailed("indexing", "a worker process died", "out of memory? run it again")


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits meanwhile, so that no worker gets it before it ignores it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, open_reader: OpenReader, inherited: list[Connection]) -> None:
    """A worker's life: batches until None, then publish and say so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in inherited:
        other.close()
    try:
        with open_reader() as reader:
            while (message := pipe.recv()) is not None:
                number, batch = message
                pipe.send((number, reader.read(batch)))
        pipe.send((-1, None))
    except EOFError:
        # The parent is gone: nothing is wanted any more, so nothing is published.
        os._exit(1)
    except Exception as error:  # noqa: BLE001  (raised again in the parent)
        with contextlib.suppress(OSError):
            pipe.send((-1, error))


def default_processes() -> int:
    """As many workers as this process may use processors, at least one."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
