"""Plain programs that do the least an operation can ask for: floors, not tools.

index: two Python processes that read every file, hash it and parse the JSON; index again: one
that walks the tree and stats every file, or two that share that; queries: a loop that parses and
tests every annotation; instantiate: `cp -r`, `cp -rl`, or `cp -rl` of the images and `cp -r` of
the annotations; start-up: `python -c pass`.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from bench.queries import Query
from bench.tool import Tool, Work, count_pairs, last_number

SCRIPT = Path(__file__).parent.parent / "scripts" / "floor.py"


class Floor(Tool):
    """Loops in plain Python, and cp."""

    name = "floor"
    notes: ClassVar[Mapping[str, str]] = {
        "index": "two processes: read, MD5, json.loads",
        "index_again": "os.scandir and stat of every file, one process",
        "query": "json.loads and a Python expression, one process",
        "copy_out": "cp -r",
        "link_out": "cp -rl",
        "link_images": "cp -rl",
    }

    def version(self) -> str:
        return f"Python {platform.python_version()}"

    def _script(self, *words: object) -> Work:
        return Work([self.step(sys.executable, SCRIPT, *words, self.data.files)], last_number)

    def startup(self, turn: int) -> Work:
        return Work([self.step(sys.executable, "-c", "pass")])

    def index(self, turn: int) -> Work:
        return self._script("index")

    def index_again(self, turn: int) -> Work:
        return self._script("walk")

    def query(self, query: Query, turn: int) -> Work:
        return self._script(query.name)

    def copy_out(self, turn: int) -> Work:
        out = self.target()
        return Work([self.step("cp", "-r", self.data.files, out)], lambda _: count_pairs(out))

    def link_out(self, turn: int) -> Work:
        out = self.target()
        return Work([self.step("cp", "-rl", self.data.files, out)], lambda _: count_pairs(out))

    def link_images(self, turn: int) -> Work:
        out, images = self.target(), self.data.only(".png")
        return Work([self.step("cp", "-rl", images, out)], lambda _: count_pairs(out))


class ParallelWalk(Tool):
    """A walk with stat by two processes: what an index run without a change cannot do without."""

    name = "parallel-walk"
    notes: ClassVar[Mapping[str, str]] = {
        "index_again": "os.scandir and stat of every file, two processes"
    }

    def version(self) -> str:
        return f"Python {platform.python_version()}"

    def index_again(self, turn: int) -> Work:
        step = self.step(sys.executable, SCRIPT, "parallel_walk", self.data.files)
        return Work([step], last_number)


class LinkAndCopy(Tool):
    """What `instantiate --link hardlink` leaves behind, made by cp.

    Images are links, annotations are files of their own: who edits one does not change the
    stored one, as with `cp -rl` of both.
    """

    name = "link-and-copy"
    notes: ClassVar[Mapping[str, str]] = {
        "link_out": "cp -rl of the images, cp -r of the annotations"
    }

    def version(self) -> str:
        return "cp"

    def link_out(self, turn: int) -> Work:
        out = self.target()
        steps = [
            self.step("cp", how, f"{self.data.only(suffix)}/.", out, name=how)
            for how, suffix in (("-rl", ".png"), ("-r", ".json"))
        ]
        return Work(steps, lambda _: count_pairs(out))
