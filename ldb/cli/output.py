"""How a command speaks: data on stdout, conversation on stderr.

`Output` is what a command gets from `output_options`. Nothing else prints. It is also
where libraries' `Progress` ends: a bar on stderr, only on a terminal, only for what takes
longer than a second.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, TextIO, TypeVar

import click

from ldb.backends.base import Buffer
from ldb.errors import StoreFailed
from ldb.progress import SILENT, Progress, advancing

_Part = TypeVar("_Part")

BAR_AFTER = 1.0
"""Seconds before a bar appears."""
BAR_EVERY = 0.1
"""Seconds between two drawings of it."""
_BAR_WIDTH = 30
_UNFIT = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What terminals obey, or shows a text in another order than it has; not tab and line break."""


LINES = 64
"""Lines that `Output.lines` hands over at a time: less than a pipe takes in, so that a reader
who has gone is noticed."""


class Output:
    """Prints for one command; use as a context manager, so that a bar is cleared."""

    def __init__(self, *, quiet: bool = False, verbose: int = 0, as_json: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.as_json = as_json
        self._bar: Bar | None = None
        self._listen: Callable[[None], None] | None = None
        """Where stores that do not answer are told of; None: nowhere."""
        self._guarded = sys.stdout.isatty()
        """Whether a terminal reads what is printed; scripts get every text as it is."""

    def __enter__(self) -> Output:
        if not self.quiet and sys.stderr.isatty():
            from ldb.clouds import notices  # of no use to who has no terminal

            notices.listen(self._converse)
            self._listen = notices.listen
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listen is not None:
            self._listen(None)
        if self._bar is not None:
            self._bar.clear()

    def lines(self, texts: Iterable[str]) -> None:
        """Many lines of what was asked for, written some at a time."""
        waiting = iter(texts)
        while some := list(islice(waiting, LINES)):
            self.data("\n".join(some))

    def printing(
        self, parts: Iterable[_Part], total: int | None = None, size: Callable[[Any], int] = len
    ) -> Iterator[_Part]:
        """Parts that are printed one by one, with a bar where another one reads them: on a
        terminal the lines themselves tell how far it is."""
        progress = SILENT if self._guarded else self.progress()
        if progress is SILENT:
            return iter(parts)
        progress.start("printing", total)
        return advancing(parts, progress, size)

    def data(self, text: str) -> None:
        """A line of what was asked for; raises `StoreFailed` where stdout is full."""
        if self._guarded:
            if self._bar is not None:
                self._bar.clear()
            text = harmless(text)
        try:
            sys.stdout.write(text + "\n")  # click.echo would flush every line
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StoreFailed("standard output", error.strerror or str(error)) from error

    def raw(self, data: Buffer, *, flush: bool = False) -> None:
        """Bytes of what was asked for, as they are; after them no text, which would overtake."""
        if self._bar is not None:
            self._bar.clear()
        try:
            sys.stdout.buffer.write(data)
            if flush:
                sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StoreFailed("standard output", error.strerror or str(error)) from error

    def json(self, value: Any) -> None:
        """What was asked for, as one line of JSON; keys in the order given."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_hex)
        if not text.isascii() and _UNFIT.search(text):
            # A file name that is not UTF-8, or what a terminal would obey.
            text = json.dumps(value, separators=(",", ":"), default=_hex)
        self.data(text)

    def table(self, rows: Iterable[Sequence[object]], headings: Sequence[str] = ()) -> None:
        """Left-aligned columns, two spaces apart, no lines and no trailing spaces."""
        cells = [tuple(map(str, row)) for row in ([headings] if headings else [])]
        cells += [tuple(map(str, row)) for row in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.data(line.rstrip())

    def say(self, text: str) -> None:
        """What was done; not with `-q`."""
        if not self.quiet:
            self._converse(text)

    def detail(self, text: str, level: int = 1) -> None:
        """For those who gave `-v` (`level` 2: `-vv`)."""
        if self.verbose >= level and not self.quiet:
            self._converse(text)

    def warn(self, text: str) -> None:
        """Something is amiss, though the command goes on; `-q` does not hide it."""
        self._converse(f"warning: {text}")

    def progress(self) -> Progress:
        """For library functions that take long; a bar where somebody can see one."""
        if self.quiet or not sys.stderr.isatty():
            return SILENT
        if self._bar is None:
            self._bar = Bar(sys.stderr)
        return self._bar

    def _converse(self, text: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        click.echo(harmless(text), err=True)


def harmless(text: str) -> str:
    """Lines without anything that a terminal would obey: that is escaped as Python does."""
    if text.isprintable():
        return text
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _hex(value: object) -> str:
    """A byte string, which JSON has not: only a hostile record has one where it is shown."""
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value).__name__)


def visible(text: str) -> str:
    """A file name on one line, without what a terminal would obey: escaped as Python does."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


class Bar:
    """A `Progress` drawn on one line of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._label = ""
        self._total: int | None = None
        self._done = 0
        self._began = 0.0
        self._first = time.monotonic() + BAR_AFTER
        """No bar before this, however many phases there are: short ones together are long."""
        self._next = 0.0
        self._shown = False

    def start(self, label: str, total: int | None = None) -> None:
        self.clear()
        later = bool(self._label)
        self._label, self._total, self._done = label, total, 0
        self._began = time.monotonic()
        self._next = max(self._first, self._began + (BAR_EVERY if later else 0.0))

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        now = time.monotonic()
        if now >= self._next:
            self._next = now + BAR_EVERY
            self._draw(now - self._began)

    def clear(self) -> None:
        """Take the bar off the terminal; it comes back with the next drawing."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False

    def _draw(self, seconds: float) -> None:
        self._shown = True
        self._stream.write(f"\r{self.line(seconds)}\x1b[K")
        self._stream.flush()

    def line(self, seconds: float) -> str:
        """What is drawn after so many seconds."""
        rate = self._done / seconds if seconds > 0 else 0.0
        if not self._total:
            return f"{self._label}  {self._done:,}  {rate:,.0f}/s"
        share = min(self._done / self._total, 1.0)
        filled = "#" * round(_BAR_WIDTH * share)
        left = (self._total - self._done) / rate if rate > 0 else 0.0
        return (
            f"{self._label}  [{filled:<{_BAR_WIDTH}}] {share:4.0%}  "
            f"{self._done:,}/{self._total:,}  {rate:,.0f}/s  {_clock(left)} left"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(int(seconds), 0), 60)
    return f"{minutes}:{rest:02}"
