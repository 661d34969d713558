"""A terminal session that really happens: commands are printed, run, and their output shown.

What is printed after `$` is what runs, in a shell's spelling; nothing is made up. Commands
have a home folder of their own, so the user's `~/.ldb` is never read or written.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

WIDTH = 92
_BOLD, _DIM, _PLAIN = "\033[1m", "\033[2m", "\033[0m"


class CommandFailed(Exception):
    """A command of the demo did not do what it should."""


def say(text: str = "") -> None:
    """A line of the demo's own."""
    print(text, flush=True)


class Session:
    """Runs `ldb` in a folder, as somebody who types would."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._top = folder
        self._home = home
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._chapters = 0

    def chapter(self, title: str, text: str = "") -> None:
        """A heading, and what comes."""
        self._chapters += 1
        say()
        say(self._styled(_BOLD, f"{self._chapters}. {title}"))
        if text:
            self.remark(text)

    def remark(self, text: str) -> None:
        """A comment, as one would type it."""
        for line in textwrap.wrap(text, WIDTH - 2):
            say(self._styled(_DIM, f"# {line}"))

    def cd(self, folder: str) -> None:
        """Go to a folder, made if it is not there; `..` goes back up."""
        target = (self._folder / folder).resolve()
        make = "" if target.exists() else f"mkdir {folder} && "
        target.mkdir(exist_ok=True)
        self._prompt(f"{make}cd {folder}")
        self._folder = target

    def shell(self, line: str, act: Callable[[], str]) -> None:
        """Show `line` and do the same in Python, where shells differ too much."""
        self._prompt(line)
        self._show(act(), None)

    def ldb(self, line: str, *, lines: int | None = None, timed: bool = False) -> None:
        """Run `ldb LINE` and show at most so many lines of what it prints.

        Raises `CommandFailed` where it fails.
        """
        self._prompt(f"ldb {line}")
        start = time.perf_counter()
        output, code = self._run(line)
        took = time.perf_counter() - start
        self._show(output, lines)
        if timed:
            say(self._styled(_DIM, f"# that took {took:.1f} s"))
        if code:
            raise CommandFailed(f"`ldb {line}` ended with exit code {code}")

    def ask(self, line: str) -> str:
        """Output of `ldb LINE`, not shown."""
        output, code = self._run(line)
        if code:
            raise CommandFailed(f"`ldb {line}` ended with exit code {code}:\n{output}")
        return output

    def _run(self, line: str) -> tuple[str, int]:
        done = subprocess.run(
            [sys.executable, "-m", "ldb.cli.main", *shlex.split(line)],
            cwd=self._folder,
            env=environment(self._home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        return done.stdout, done.returncode

    def _prompt(self, line: str) -> None:
        inside = os.path.relpath(self._folder, self._top.parent)
        say()
        say(f"{self._styled(_DIM, inside)}{self._styled(_BOLD, f'$ {line}')}")

    def _show(self, output: str, most: int | None) -> None:
        shown = output.rstrip("\n").split("\n") if output.strip() else []
        kept = shown if most is None or len(shown) <= most else shown[:most]
        for line in kept:
            say(line)
        if len(kept) < len(shown):
            say(self._styled(_DIM, f"# … and {len(shown) - len(kept):,} more lines"))

    def _styled(self, style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if self._colours else text


def environment(home: Path) -> dict[str, str]:
    """The user's environment with another home, and nothing that would lead LDB elsewhere."""
    inherited = {name: text for name, text in os.environ.items() if "LDB" not in name}
    code = Path(__file__).resolve().parents[1]
    return {
        **inherited,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(code), inherited.get("PYTHONPATH", "")])),
        "PYTHONIOENCODING": "utf-8",
    }
