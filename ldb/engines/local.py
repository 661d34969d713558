"""The engine of every day: child processes of this one, a pipe to each.

A child keeps its worker for the whole run and settles once, at the end. A run of a single item is
done in the parent. If a child dies the run fails.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ldb.engines.base import AnyWork, Item, Result, Work
from ldb.processes import Team, awaited, receive, send

IN_FLIGHT = 3
"""Items a child has, some of them waiting, so that it never idles."""

MAX_AHEAD = 128
"""Items that may be finished before an earlier, slower one: bounds memory."""


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """So many processes."""

    processes: int

    @property
    def forks(self) -> bool:
        return True

    def try_out(self, work: AnyWork) -> None:
        pass

    @contextlib.contextmanager
    def run(
        self,
        work: Work[Item, Result],
        items: Iterator[Item],
        doing: str,
        *,
        together: bool = True,
    ) -> Iterator[Iterator[Result]]:
        first = list(itertools.islice(items, 2))
        everything = itertools.chain(first, items)
        if len(first) < 2 or self.processes < 2:
            with work() as worker:
                yield map(worker.do, everything)
                worker.settle()
        else:
            with _Pool(work, self.processes, doing) as pool:
                yield pool.run(everything)


class _Pool:
    def __init__(self, work: AnyWork, processes: int, doing: str) -> None:
        self._team = Team(_live, [(work,)] * processes)
        self._pipes = self._team.pipes
        self._doing = doing
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

    def run(self, items: Iterator[Any]) -> Iterator[Any]:
        ready: dict[int, Any] = {}
        load = dict.fromkeys(self._pipes, 0)
        following = issued = 0
        exhausted = False
        while True:
            while not exhausted and issued - following < MAX_AHEAD:
                idle = self._least(load)
                if idle is None:
                    break
                item = next(items, None)
                if item is None:
                    exhausted = True
                    self._tell()
                    break
                send(idle, (issued, item), self._doing)
                load[idle] += 1
                issued += 1
            if not any(load.values()):
                break
            for pipe in awaited([each for each, count in load.items() if count]):
                number, result = receive(pipe, self._doing)
                ready[number] = result
                load[pipe] -= 1
            while following in ready:
                yield ready.pop(following)
                following += 1

    def _least(self, load: dict[Connection, int]) -> Connection | None:
        pipe = min(load, key=lambda each: load[each])
        return pipe if load[pipe] < IN_FLIGHT else None

    def _tell(self) -> None:
        """No more items: a child settles as soon as it has done those it has."""
        if not self._told:
            self._told = True
            for pipe in self._pipes:
                send(pipe, None, self._doing)

    def _finish(self) -> None:
        self._tell()
        for pipe in self._pipes:
            receive(pipe, self._doing)


def _live(pipe: Connection, work: AnyWork) -> None:
    """A child's life: items until None, then settle and say so."""
    with work() as worker:
        for number, item in _taken(pipe):
            pipe.send((number, worker.do(item)))
        worker.settle()
    pipe.send((-1, None))


def _taken(pipe: Connection) -> Iterator[tuple[int, Any]]:
    """Messages until None, taken out of the pipe as soon as they come.

    A pipe holds 8 to 200 KiB, which items and results outgrow. The parent would wait to send an
    item while the child, which waits to send a result, does not look for any.
    """
    come: queue.SimpleQueue[tuple[int, Any] | BaseException | None] = queue.SimpleQueue()

    def take() -> None:
        message: Any = ()
        while message is not None and not isinstance(message, BaseException):
            try:
                message = pipe.recv()
            except BaseException as error:  # noqa: BLE001  (raised again by whoever asks)
                message = error
            come.put(message)

    threading.Thread(target=take, daemon=True).start()
    while (message := come.get()) is not None:
        if isinstance(message, BaseException):
            raise message
        yield message
