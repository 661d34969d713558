"""Worker processes for instantiate: batches out, results back in any order.

A worker has at most one batch at a time, so neither side ever waits to send while the other
does. A run of a single batch is done in the parent.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from multiprocessing.connection import Connection, wait

from ldb.instantiate.write import BatchResult, Item, WriteOptions, Writer
from ldb.processes import Team, receive, send


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
        self._team = Team(_work, [(options,)] * processes)

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *failed: object) -> None:
        self._team.end(stop=failed[0] is not None)

    def run(self, batches: Iterator[list[Item]]) -> Iterator[BatchResult]:
        idle, busy = list(self._team.pipes), list[Connection]()
        batch = next(batches, None)
        while batch is not None or busy:
            while batch is not None and idle:
                pipe = idle.pop()
                send(pipe, batch, "instantiate")
                busy.append(pipe)
                batch = next(batches, None)
            for ready in wait(busy):
                assert isinstance(ready, Connection)
                result = receive(ready, "instantiate")
                assert isinstance(result, BatchResult)
                busy.remove(ready)
                idle.append(ready)
                yield result


def _work(pipe: Connection, options: WriteOptions) -> None:
    """A worker's life: batches until the parent closes the pipe or is gone."""
    with Writer(options) as writer:
        while True:
            pipe.send(writer.write(pipe.recv()))
