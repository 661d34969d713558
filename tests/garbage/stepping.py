"""Actors that work on one store, stopped at their calls of it.

`Stepped` is a backend that does something before chosen calls: run somebody else's whole
command, move the clock, fail, or end the actor there (`Killed`). `Turns` lets several
actors, each in a thread of its own, do one call at a time in a given order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from ldb.backends.base import Backend, Buffer, Entry, Outcome, Range


class Killed(BaseException):
    """Ends an actor as kill -9 does: nothing catches it."""


Hook = Callable[[int, str, str], None]
"""Called with the number of the call (from 0), its verb and its key."""


class Stepped:
    """A backend that calls `hook` before every call that goes to the store."""

    def __init__(self, backend: Backend, hook: Hook) -> None:
        self._backend = backend
        self._hook = hook
        self.calls = 0

    def _step(self, verb: str, key: str) -> None:
        number, self.calls = self.calls, self.calls + 1
        self._hook(number, verb, key)

    @property
    def url(self) -> str:
        return self._backend.url

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        self._step("read", key)
        return self._backend.read(key, start, stop)

    def read_many(self, ranges: Sequence[Range]) -> list[Buffer]:
        self._step("read", ranges[0].key if ranges else "")
        return self._backend.read_many(ranges)

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        self._step("create", key)
        return self._backend.create(key, data, unconditional=unconditional)

    def folders(self, prefix: str) -> list[str]:
        self._step("folders", prefix)
        return self._backend.folders(prefix)

    def list(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        self._step("list", prefix)
        return self._backend.list(prefix, after)

    def delete(self, keys: Iterable[str]) -> None:
        """One call a key: it may end between any two."""
        for key in keys:
            self._step("delete", key)
            self._backend.delete([key])


def at_call(wanted: int, action: Callable[[], None]) -> Hook:
    """Do something before one call."""

    def hook(number: int, verb: str, key: str) -> None:
        if number == wanted:
            action()

    return hook


def killed_at(wanted: int) -> Hook:
    """End the actor before one call."""

    def end() -> None:
        raise Killed

    return at_call(wanted, end)


def never(number: int, verb: str, key: str) -> None:
    """The hook that does nothing."""


class Turns:
    """Actors in threads, of which one at a time goes on, from one call to the next."""

    def __init__(self, actors: Sequence[Callable[[Hook], None]]) -> None:
        self._go = [threading.Semaphore(0) for _ in actors]
        self._back = threading.Semaphore(0)
        self.ended = [False] * len(actors)
        self.errors: list[BaseException | None] = [None] * len(actors)
        self._threads = [
            threading.Thread(target=self._run, args=(at, actor)) for at, actor in enumerate(actors)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, at: int, actor: Callable[[Hook], None]) -> None:
        def hook(number: int, verb: str, key: str) -> None:
            self._back.release()
            self._go[at].acquire()

        self._go[at].acquire()
        try:
            actor(hook)
        except BaseException as error:  # noqa: BLE001  (told to the test)
            self.errors[at] = error
        self.ended[at] = True
        self._back.release()

    def step(self, at: int) -> None:
        """Let an actor go on until its next call, or its end."""
        if not self.ended[at]:
            self._go[at].release()
            self._back.acquire()

    def finish(self) -> None:
        """Let all go on to their ends, one after the other."""
        for at, thread in enumerate(self._threads):
            while not self.ended[at]:
                self.step(at)
            thread.join()
