"""How a library tells that it gets on, without knowing whether anybody looks.

Long-running functions take a `Progress` (default `SILENT`); the command line passes one
that draws a bar. Calls are cheap enough for every few items, and come from one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

_Part = TypeVar("_Part")


class Progress(Protocol):
    """Phases one after the other, each with a number of steps that may be unknown."""

    def start(self, label: str, total: int | None = None) -> None:
        """Begin a phase (and end the one before); `total` is the steps it will take."""
        ...

    def advance(self, steps: int = 1) -> None:
        """So many more steps of this phase are done."""
        ...


class Silent:
    """A `Progress` that nobody looks at."""

    def start(self, label: str, total: int | None = None) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        pass


SILENT = Silent()


def advancing(
    parts: Iterable[_Part], progress: Progress, size: Callable[[Any], int] = len
) -> Iterator[_Part]:
    """The same parts, each of them `size` steps, which are done when the next one is asked for."""
    for part in parts:
        yield part
        progress.advance(size(part))
