"""Worker processes for instantiate: places in the plan out, results back in any order.

A worker has at most one part at a time, so neither side ever waits to send while the other
does. A few objects are written by the parent itself.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from multiprocessing.connection import Connection

from ldb.instantiate.items import Items
from ldb.instantiate.listing import Before
from ldb.instantiate.write import BatchResult, WriteOptions, Writer
from ldb.processes import forks, hand_out

LARGEST = 2048
"""Most places handed out at once: the annotations of so many share most of their blocks."""

SMALLEST = 8
"""Fewer are not worth a message, or another process."""

SMALLEST_AFRESH = 2048
"""Fewer are not worth a process that is not forked; data in clouds is fetched by this one."""

Part = tuple[int, int]


def write_parts(
    items: Items, options: WriteOptions, before: Before, processes: int
) -> Generator[BatchResult, None, None]:
    """Write all items; results of all batches, in the order in which they are done."""
    count = len(items.chosen.ids)
    if count <= (SMALLEST if forks() else SMALLEST_AFRESH) or processes < 2:
        with Writer(items, options, before) as writer:
            yield from writer.write(0, count)
        return
    arguments = [(items, options, before)] * processes
    yield from hand_out(_work, arguments, parts(count, processes), "instantiate")


def parts(count: int, processes: int) -> Iterator[Part]:
    """Places [start, stop) that cover `count`: ever smaller ones, so that all end together."""
    start = 0
    while start < count:
        fair = (count - start) // (4 * processes)
        stop = min(count, start + max(SMALLEST, min(LARGEST, fair)))
        yield start, stop
        start = stop


def _work(pipe: Connection, items: Items, options: WriteOptions, before: Before) -> None:
    """A worker's life: parts until the parent closes the pipe or is gone."""
    gc.disable()  # nothing here makes cycles, and looking for them takes a fifth of the time
    with Writer(items, options, before) as writer:
        while True:
            for result in writer.write(*pipe.recv()):
                pipe.send(result)
            pipe.send(None)
