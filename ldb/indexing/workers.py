"""Worker processes for indexing: batches out, columns back in the order they went out.

Each worker holds one pack writer for the whole run and publishes its packs at the end. A
run with a single batch is done in the parent. Nothing is published if anything fails.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Protocol, Union

from ldb.indexing.cloudjobs import CloudBatch
from ldb.indexing.jobs import FolderJobs, packed, unpacked
from ldb.indexing.read import BatchResult
from ldb.processes import Team, receive, send

IN_FLIGHT = 3
"""Batches a worker has waiting, so that it never idles."""

MAX_AHEAD = 128
"""Batches that may be finished before an earlier, slower one: bounds memory."""

Batch = Union["list[FolderJobs]", CloudBatch]
"""Local files, or objects of one bucket."""


class AnyReader(Protocol):
    """Does batches of either kind."""

    def read(self, batch: Batch) -> BatchResult: ...


OpenReader = Callable[[], "contextlib.AbstractContextManager[AnyReader]"]


@contextlib.contextmanager
def reading(
    batches: Iterator[Batch], open_reader: OpenReader, processes: int
) -> Iterator[Iterator[BatchResult]]:
    """Results of all batches, in order; every pack is published when the context is left.

    What is done in it after the last result goes on beside that publishing.
    """
    first = list(itertools.islice(batches, 2))
    everything = itertools.chain(first, batches)
    if len(first) < 2 or processes < 2:
        with open_reader() as reader:
            yield map(reader.read, everything)
    else:
        with _Pool(open_reader, processes) as pool:
            yield pool.run(everything)


class _Pool:
    def __init__(self, open_reader: OpenReader, processes: int) -> None:
        self._team = Team(_work, [(open_reader,)] * processes)
        self._pipes = self._team.pipes
        self._told = False

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *failed: object) -> None:
        finished = False
        try:
            if kind is None:
                self._finish()
                finished = True
        finally:
            self._team.end(stop=not finished)

    def run(self, batches: Iterator[Batch]) -> Iterator[BatchResult]:
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
                    self._tell()
                    break
                sent = batch if isinstance(batch, CloudBatch) else packed(batch)
                send(idle, (issued, sent), "indexing")
                load[idle] += 1
                issued += 1
            if not any(load.values()):
                break
            for pipe in wait([each for each, count in load.items() if count]):
                assert isinstance(pipe, Connection)
                number, result = receive(pipe, "indexing")
                ready[number] = result
                load[pipe] -= 1
            while following in ready:
                yield ready.pop(following)
                following += 1

    def _least(self, load: dict[Connection, int]) -> Connection | None:
        pipe = min(load, key=lambda each: load[each])
        return pipe if load[pipe] < IN_FLIGHT else None

    def _tell(self) -> None:
        """No more batches: a worker publishes as soon as it has done those it has."""
        if not self._told:
            self._told = True
            for pipe in self._pipes:
                send(pipe, None, "indexing")

    def _finish(self) -> None:
        self._tell()
        for pipe in self._pipes:
            receive(pipe, "indexing")


def _work(pipe: Connection, open_reader: OpenReader) -> None:
    """A worker's life: batches until None, then publish and say so."""
    with open_reader() as reader:
        while (message := pipe.recv()) is not None:
            number, batch = message
            work = batch if isinstance(batch, CloudBatch) else unpacked(batch)
            pipe.send((number, reader.read(work)))
    pipe.send((-1, None))
