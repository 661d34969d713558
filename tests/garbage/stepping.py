"""Actors that work on one store, stopped at their calls of it.

`Stepped` is a backend that does something before chosen calls: run somebody else's whole
command, move the clock, fail, or end the actor there (`Killed`). `Turns` lets several
actors, each in a process of its own, make one call at a time in a given order.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn, cast

from ldb.backends.base import Backend, Buffer, Entry, Outcome, Range
from ldb.errors import LdbError


class Killed(BaseException):
    """Ends an actor as kill -9 does: nothing catches it."""


Hook = Callable[[int, str, str], None]
"""Called with the number of the call (from 0), its verb and its key."""


class _Near:
    """What a store that is not far away has to say to questions that save requests."""

    far = False

    def last_listed(self, prefix: str) -> list[Entry] | None:
        return None

    def prefetch(self, ranges: Sequence[Range]) -> None:
        pass

    def forget(self, key: str) -> bool:
        return False


class Stepped(_Near):
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

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Entry]:
        self._step("list", prefix)
        return self._backend.list(prefix, after, limit)

    def delete(self, keys: Iterable[str]) -> None:
        """One call a key, as it may end between any two; the last one first, to show that
        nobody relies on an order."""
        for key in reversed(list(keys)):
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
    """Actors in processes of their own, of which one at a time makes one call of the store.

    (Not threads: a `cached_property` holds a lock while it reads, up to Python 3.11.)
    """

    def __init__(self, store: Backend, actors: Sequence[Callable[[Backend], None]]) -> None:
        self._store = store
        self._pipes: list[Connection] = []
        self._pids: list[int] = []
        self.errors: list[str] = [""] * len(actors)
        for actor in actors:
            ours, theirs = Pipe()
            pid = os.fork()
            if not pid:
                _act(theirs, actor)
            theirs.close()
            self._pipes.append(ours)
            self._pids.append(pid)
        self._waiting: list[Any] = [pipe.recv() for pipe in self._pipes]

    def step(self, at: int, noticed: float) -> None:
        """Let an actor make a call; `noticed`: how long it knows to have slept by then."""
        call = self._waiting[at]
        if call is None:
            return
        result: tuple[object, LdbError | None, float]
        try:
            answer = getattr(self._store, call[0])(*call[1], **call[2])
            result = (list(answer) if call[0] == "list" else answer, None, noticed)
        except LdbError as error:
            result = (None, error, noticed)
        self._pipes[at].send(result)
        self._waiting[at] = self._pipes[at].recv()
        if self._waiting[at][0] == "end":
            self.errors[at] = self._waiting[at][1]
            self._waiting[at] = None
            os.waitpid(self._pids[at], 0)

    def finish(self, noticed: float) -> None:
        """Let all go on to their ends, one after the other."""
        for at in range(len(self._pipes)):
            while self._waiting[at] is not None:
                self.step(at, noticed)


def _act(pipe: Connection, actor: Callable[[Backend], None]) -> NoReturn:
    """What an actor's process does."""
    told = ""
    try:
        actor(Remote(pipe))
    except BaseException:  # noqa: BLE001  (told to the test)
        told = traceback.format_exc()
    pipe.send(("end", told))
    os._exit(0)


class Remote(_Near):
    """A backend that another process has, which answers when it likes."""

    noticed = 0.0
    """What was told with the last answer."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def _ask(self, verb: str, *args: object, **options: object) -> Any:
        self._pipe.send((verb, args, options))
        value, error, Remote.noticed = self._pipe.recv()
        if error is not None:
            raise error
        return value

    @property
    def url(self) -> str:
        return "memory://remote"

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        return cast(bytes, self._ask("read", key, start, stop))

    def read_many(self, ranges: Sequence[Range]) -> list[Buffer]:
        return cast("list[Buffer]", self._ask("read_many", list(ranges)))

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        return cast(Outcome, self._ask("create", key, bytes(data), unconditional=unconditional))

    def folders(self, prefix: str) -> list[str]:
        return cast("list[str]", self._ask("folders", prefix))

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Entry]:
        return iter(cast("list[Entry]", self._ask("list", prefix, after, limit)))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._ask("delete", [key])
