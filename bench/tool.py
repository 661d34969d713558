"""What the bench asks of a tool: one method an operation, each giving the timed work or None.

A method may prepare (untimed) before it returns its `Work`; None means that the tool has no
such operation, and `notes` says why or what was taken as its nearest equivalent. `turn`
counts from 0; operations that change something alternate or use it to differ each time.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.generate import DataSet
from bench.measure import Step, measure
from bench.queries import Query


class Absent(Exception):
    """The tool cannot run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Work:
    """Timed steps, and how to read the count out of their joined stdout afterwards.

    `count` may run untimed commands of its own; None where the tool shows no count.
    """

    steps: Sequence[Step]
    count: Callable[[str], int] | None = None


class Tool:
    """Base of all tools: every operation is absent until a subclass gives it."""

    name = ""
    cap: int | None = None
    """Largest size that is measured; larger ones are scaled from the largest measured."""
    notes: ClassVar[Mapping[str, str]] = {}

    def __init__(self, data: DataSet, work: Path) -> None:
        self.data = data
        self.work = work / self.name
        shutil.rmtree(self.work, ignore_errors=True)
        self.home = self.work / "home"
        self.home.mkdir(parents=True)

    def version(self) -> str:
        """The version measured; raises `Absent`."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """A small environment with a home of its own: nothing of the user's is read."""
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        return {**kept, "HOME": str(self.home), "NO_COLOR": "1", "DO_NOT_TRACK": "1"}

    def step(self, *argv: object, cwd: Path | None = None, name: str = "") -> Step:
        """A step in the tool's own environment."""
        return Step([str(word) for word in argv], cwd or self.work, self.environment(), name=name)

    def run(self, *argv: object, cwd: Path | None = None) -> str:
        """Run an untimed command; returns its stdout."""
        return measure(self.step(*argv, cwd=cwd))[1]

    def fresh(self, name: str) -> Path:
        """An empty folder of this name in the tool's working folder."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def target(self) -> Path:
        """An empty folder that was never there before; all of them stay to the end.

        ext4 keeps away from inodes that were freed minutes ago, and looks for others one by one:
        creating 100k files after removing as many took 31 s of processor time instead of 6.
        """
        folder = self.work / f"out{sum(1 for _ in self.work.glob('out*'))}"
        folder.mkdir(parents=True)
        return folder

    def state(self) -> Path | None:
        """The folder that holds all the tool stores, for counting bytes and files."""
        return None

    def clear(self) -> None:
        """Remove what the tool left beside the shared files."""

    def startup(self, turn: int) -> Work | None:
        """The least the tool can do: show its version or help."""
        return None

    def status(self, turn: int) -> Work | None:
        """Say whether there is something to save."""
        return None

    def index(self, turn: int) -> Work | None:
        """Take in the whole folder, from nothing."""
        return None

    def index_again(self, turn: int) -> Work | None:
        """The same when nothing has changed since."""
        return None

    def index_changed(self, turn: int) -> Work | None:
        """The same when 100 annotations have changed since."""
        return None

    def query(self, query: Query, turn: int) -> Work | None:
        """Count the objects for which `query` holds."""
        return None

    def list_10(self, turn: int) -> Work | None:
        """Print one line for each of the first ten objects."""
        return None

    def list_all(self, turn: int) -> Work | None:
        """Print one line an object."""
        return None

    def commit_query(self, turn: int) -> Work | None:
        """Make and save a dataset of the objects with class cat."""
        return None

    def commit_passing(self, turn: int) -> Work | None:
        """Make and save a dataset of the objects that pass a query, which all do."""
        return None

    def commit_all(self, turn: int) -> Work | None:
        """Make and save a dataset of all objects."""
        return None

    def commit_100(self, turn: int) -> Work | None:
        """Save a version of that dataset with 100 changes."""
        return None

    def diff(self, turn: int) -> Work | None:
        """Compare the two newest versions; the count is the number of changes."""
        return None

    def copy_out(self, turn: int) -> Work | None:
        """Write the whole dataset into an empty folder, as copies."""
        return None

    def link_out(self, turn: int) -> Work | None:
        """Write the whole dataset into an empty folder, as hard links."""
        return None

    def link_images(self, turn: int) -> Work | None:
        """Write all images, which have no annotations here, into an empty folder as hard links."""
        return None


def last_number(text: str) -> int:
    """The last whole number in `text`."""
    found = numbers(text)
    if not found:
        raise ValueError(f"no number in {text[-200:]!r}")
    return found[-1]


def numbers(text: str) -> list[int]:
    """All whole numbers in `text`; 1,000 is one of them."""
    return [int(word.replace(",", "")) for word in re.findall(r"\d[\d,]*", text)]


def count_pairs(folder: Path) -> int:
    """How many images lie under `folder`."""
    return sum(1 for _ in folder.rglob("*.png"))
