"""Work for the engines' tests, importable wherever it is sent: it writes numbers into files.

What a worker has done waits in its memory until it settles; then it is in `folder`, a file a
time it settled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ldb.errors import BadInput


@dataclass(frozen=True)
class Squares:
    """Work that gives the square of a number."""

    folder: str
    bad: int = -1
    """This number is an `LdbError`."""
    broken: int = -1
    """This one is a mistake of ours."""
    deadly: int = -1
    """This one kills the process that does it, every time."""
    fatal_once: int = -1
    """This one kills it the first time."""
    slow: float = 0

    @contextlib.contextmanager
    def __call__(self) -> Iterator[_Squaring]:
        worker = _Squaring(self)
        yield worker
        worker.settle()

    def settled(self) -> list[int]:
        """All numbers that were made durable, each once."""
        files = Path(self.folder).glob("*.done")
        return sorted({int(word) for file in files for word in file.read_text().split()})


@dataclass
class _Squaring:
    work: Squares
    waiting: list[int] = field(default_factory=list)

    def do(self, item: int) -> int:
        time.sleep(self.work.slow)
        Path(self.work.folder, f"{item}.begun").touch()
        if item == self.work.bad:
            raise BadInput("numbers", f"{item} is a bad one", "take another")
        if item == self.work.broken:
            raise ZeroDivisionError(item)
        if item == self.work.deadly or (item == self.work.fatal_once and self._first()):
            os.kill(os.getpid(), signal.SIGKILL)
        self.waiting.append(item)
        return item * item

    def _first(self) -> bool:
        try:
            Path(self.work.folder, "killed").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def settle(self) -> None:
        if self.waiting:
            text = " ".join(map(str, self.waiting))
            name = Path(self.work.folder, uuid.uuid4().hex)
            name.write_text(text)
            name.rename(name.with_suffix(".done"))
            self.waiting.clear()


@dataclass(frozen=True)
class Echo:
    """Work that gives back what it is given."""

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Echo]:
        yield self

    def do(self, item: bytes) -> bytes:
        return item

    def settle(self) -> None:
        """Nothing."""
