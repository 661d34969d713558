"""Child processes with a pipe each, for what runs side by side: indexing, instantiate.

They are forked where that is possible and safe, so they start in milliseconds. A child ends when
the parent does, however that ends; an exception in a child is raised in the parent.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, TypeVar

from ldb.errors import LdbError, StoreFailed

_COLLECT_AFTER = 100_000
"""Objects after which a child looks for cycles, where Python's own default is 700."""


_may_fork = True


def forbid_fork() -> None:
    """From now on children start afresh: this process has connections or threads of a kind
    that a forked child inherits broken."""
    global _may_fork
    _may_fork = False


def forks() -> bool:
    """Whether children are forked: those that start afresh cost half a second of processor
    time each, which must be worth it."""
    return _may_fork and "fork" in multiprocessing.get_all_start_methods()


_carried: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []


def carry(take: Callable[[], Any], give: Callable[[Any], None]) -> None:
    """From now on children that start afresh begin with `give` of what `take` returns here."""
    if (take, give) not in _carried:
        _carried.append((take, give))


class Team:
    """Children that run `work(pipe, *arguments)`; `pipes` are the parent's ends, in order."""

    def __init__(self, work: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
        forked = forks()
        method = "fork" if forked else "spawn"
        context: Any = multiprocessing.get_context(method)
        carried = [] if forked else [(give, take()) for take, give in _carried]
        pairs: list[tuple[Connection, Connection]] = [context.Pipe() for _ in arguments]
        self.pipes = [mine for mine, _ in pairs]
        self._children: list[BaseProcess] = []
        with _interrupts_held(forked), warnings.catch_warnings():
            # Python 3.12 warns of forking beside threads: numpy's, which wait for work and
            # which no child gives any.
            warnings.simplefilter("ignore", DeprecationWarning)
            for at, (_, theirs) in enumerate(pairs):
                # A forked child must close what it inherited, or it outlives a killed parent.
                inherited = [*self.pipes, *(end for _, end in pairs if end is not theirs)]
                given = inherited if method == "fork" else []
                child = context.Process(
                    target=_live, args=(theirs, work, arguments[at], given, carried), daemon=True
                )
                with contextlib.nullcontext() if forked else _without_main():
                    child.start()
                self._children.append(child)
        for _, theirs in pairs:
            theirs.close()

    def end(self, stop: bool) -> None:
        """Close the pipes and wait for the children; `stop` ends them where they are."""
        if stop:
            for child in self._children:
                child.terminate()
        for pipe in self.pipes:
            pipe.close()
        for child in self._children:
            child.join()


def hand_out(
    work: Callable[..., None],
    arguments: Sequence[tuple[Any, ...]],
    parts: Iterator[Any],
    doing: str,
) -> Iterator[Any]:
    """What children make of `parts`, in the order in which it is done; one child for each of
    `arguments`.

    A child is sent a part, sends any number of results and then None, and gets the next one; it
    has one at most, so that neither side waits to send. Parts are not None.
    """
    team = Team(work, arguments)
    ended = False
    try:
        yield from _handed_out(team, parts, doing)
        ended = True
    finally:
        team.end(stop=not ended)


def _handed_out(team: Team, parts: Iterator[Any], doing: str) -> Iterator[Any]:
    idle, busy = list(team.pipes), list[Connection]()
    part = next(parts, None)
    while part is not None or busy:
        while part is not None and idle:
            pipe = idle.pop()
            send(pipe, part, doing)
            busy.append(pipe)
            part = next(parts, None)
        for ready in awaited(busy):
            result = receive(ready, doing)
            if result is None:
                busy.remove(ready)
                idle.append(ready)
            else:
                yield result


def awaited(pipes: Sequence[Connection]) -> list[Connection]:
    """Those that have something to be received, once there is one."""
    found: list[Any] = wait(pipes)  # on Windows they are of another class
    return found


class Sized(Protocol):
    """Something that is worth the more time, the more bytes it has."""

    @property
    def size(self) -> int: ...


SizedT = TypeVar("SizedT", bound=Sized)


def batches(items: Iterable[SizedT], most: int, most_bytes: int) -> Iterator[list[SizedT]]:
    """Some items at a time: so many at most, and no more once they have so many bytes."""
    batch: list[SizedT] = []
    size = 0
    for each in items:
        batch.append(each)
        size += each.size
        if len(batch) >= most or size >= most_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def default_processes() -> int:
    """As many children as this process may use processors, at least one."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def send(pipe: Connection, message: object, doing: str) -> None:
    """Give a child something; raises `StoreFailed` naming what was being done if it is gone."""
    try:
        pipe.send(message)
    except (BrokenPipeError, ConnectionResetError):
        raise _died(doing) from None


def receive(pipe: Connection, doing: str) -> Any:
    """What a child sent next; its exception is raised here, and so is its death."""
    try:
        message = pipe.recv()
    except (EOFError, ConnectionResetError):
        raise _died(doing) from None
    if isinstance(message, BaseException):
        raise message
    return message


def _died(doing: str) -> LdbError:
    """The error for a child that is gone without a word."""
    return StoreFailed(doing, "a worker process died", "out of memory? run it again")


def _live(
    pipe: Connection,
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    inherited: list[Connection],
    carried: list[tuple[Callable[[Any], None], Any]],
) -> None:
    """A child's life; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in inherited:
        other.close()
    # What was there before is not looked through again, and hardly anything made here is
    # part of a cycle: collecting as often as usual costs a twentieth of all time.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 50, 50)
    try:
        for give, value in carried:
            give(value)
        work(pipe, *arguments)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        # The parent is gone: nothing is wanted any more, and nothing is published.
        os._exit(1)
    except Exception as error:  # noqa: BLE001  (raised again in the parent)
        with contextlib.suppress(OSError):
            pipe.send(error)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """A child that starts afresh would run the user's script again, up to where it is told that
    it is not the main one; it needs nothing from there."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _interrupts_held(forks: bool) -> Iterator[None]:
    """Ctrl-C waits meanwhile, so that no child gets it before it ignores it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    if not forks:
        # The first child would bring this helper of Python's with it, whose start lets Ctrl-C in.
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
