"""LDB and its predecessor, driven by their command lines with an instance of their own.

The two share nearly all commands, so the old one is a subclass that says what differs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from bench.measure import Step, measure
from bench.queries import BY_NAME, PASSING, Query
from bench.tool import Absent, Tool, Work, count_pairs, numbers
from bench.venvs import installed


def command() -> list[str]:
    """The `ldb` to measure: $LDB, else the one beside this Python."""
    if "LDB" in os.environ:
        return shlex.split(os.environ["LDB"])
    beside = Path(sys.executable).with_name("ldb")
    if not beside.exists():
        raise Absent(f"no `ldb` beside {sys.executable}; name one in $LDB")
    return [str(beside)]


class Ldb(Tool):
    """The `ldb` under test."""

    name = "ldb"
    notes: ClassVar[Mapping[str, str]] = {
        "link_out": "instantiate --link hardlink",
        "link_images": "the same of an instance that knows the images alone",
        "copy_out": "instantiate --link copy",
    }
    copy_options: Sequence[str] = ("--link", "copy")
    link_options: Sequence[str] | None = ("--link", "hardlink")

    dataset = ""
    saved = 0
    """Version that `dataset` is at."""

    @cached_property
    def ldb(self) -> list[str]:
        """How the command is called."""
        return command()

    @property
    def instance(self) -> Path:
        """Where the instance is, and all it stores."""
        return self.work / "instance"

    @property
    def workspace(self) -> Path:
        """Where the dataset of all objects is staged."""
        return self.work / "workspace"

    def state(self) -> Path:
        return self.instance

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "LDB_DIR": str(self.instance), **self._passed_on()}

    def _passed_on(self) -> dict[str, str]:
        return {key: os.environ[key] for key in ("PYTHONPATH",) if key in os.environ}

    def version(self) -> str:
        done = subprocess.run(
            [*self.ldb, "--version"],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Absent(f"`{shlex.join(self.ldb)} --version`: {done.stderr.strip()[-200:]}")
        return done.stdout.strip().split()[-1]

    def call(self, *words: object, cwd: Path | None = None, name: str = "") -> Step:
        """A step that runs one `ldb` command."""
        return self.step(*self.ldb, *words, cwd=cwd, name=name or str(words[0]))

    def listed(self, source: str) -> int:
        """How many objects a source has, by `ldb list -s`."""
        return _first_number(self.run(*self.ldb, "list", "-s", source))

    def startup(self, turn: int) -> Work:
        return Work([self.call("--help", name="help")])

    def status(self, turn: int) -> Work:
        return Work([self.call("status", cwd=self.workspace)])

    def index(self, turn: int) -> Work:
        shutil.rmtree(self.instance, ignore_errors=True)
        self.run(*self.ldb, "init", self.instance)
        self.run(*self.ldb, "add-storage", self.data.files)
        return self.index_again(turn)

    def index_again(self, turn: int) -> Work:
        step = self.call("index", "-m", "strict", self.data.files)
        return Work([step], lambda _: self.listed("ds:root"))

    index_changed = index_again

    def query(self, query: Query, turn: int) -> Work:
        return Work([self.call("list", "-s", "ds:root", "--query", query.jmespath)], _first_number)

    def list_10(self, turn: int) -> Work | None:
        return Work([self.call("list", "ds:root", "--limit", "10")], _object_lines)

    def list_all(self, turn: int) -> Work:
        return Work([self.call("list", "ds:root")], _object_lines)

    def commit_query(self, turn: int) -> Work:
        self._as_indexed()
        return self._build(f"cats{turn}", "--query", BY_NAME["string"].jmespath)

    def commit_passing(self, turn: int) -> Work:
        self._as_indexed()
        return self._build(f"passing{turn}", "--query", PASSING.jmespath)

    def commit_all(self, turn: int) -> Work:
        self._as_indexed()
        self.dataset, self.saved = f"all{turn}", 1
        return self._build(self.dataset)

    def _as_indexed(self) -> None:
        """Go back to the instance as it was after indexing.

        A second dataset of the same objects would find its map stored already. Links will do:
        no file of an instance is ever written again.
        """
        kept = self.work / "indexed"
        if kept.exists():
            shutil.rmtree(self.instance)
            shutil.copytree(kept, self.instance, copy_function=os.link)
        else:
            shutil.copytree(self.instance, kept, copy_function=os.link)

    def _build(self, dataset: str, *filters: str) -> Work:
        folder = self.fresh("workspace")
        steps = [
            self.call("stage", f"ds:{dataset}", cwd=folder),
            self.call("add", "ds:root", *filters, cwd=folder),
            self.call("commit", cwd=folder),
        ]
        return Work(steps, lambda _: self.listed(f"ds:{dataset}"))

    def commit_100(self, turn: int) -> Work:
        if self.saved == 1:
            self.run(*self.ldb, "del", *self._group(0), cwd=self.workspace)
            self.run(*self.ldb, "commit", cwd=self.workspace)
            self.saved = 2
        # What went out in the turn before comes back, and others go out: always a new map.
        steps = [
            self.call("add", *self._group(self.saved - 2), cwd=self.workspace),
            self.call("del", *self._group(self.saved - 1), cwd=self.workspace),
            self.call("commit", cwd=self.workspace),
        ]
        self.saved += 1
        return Work(steps, lambda _: self.listed(f"ds:{self.dataset}"))

    def _group(self, number: int) -> list[str]:
        """Half as many objects as there are changes, spread over all; groups are disjoint."""
        half = len(self.data.changed_positions()) // 2
        count = self.data.count
        return [
            f"id:{self.data.object_id((k * count // half + number) % count)}" for k in range(half)
        ]

    def diff(self, turn: int) -> Work:
        older, newer = (f"ds:{self.dataset}.v{n}" for n in (self.saved - 1, self.saved))
        return Work([self.call("diff", "-s", older, newer)], _sum_of_numbers)

    def copy_out(self, turn: int) -> Work:
        return self._instantiate(self.copy_options)

    def link_out(self, turn: int) -> Work | None:
        return None if self.link_options is None else self._instantiate(self.link_options)

    def link_images(self, turn: int) -> Work | None:
        """From an instance of its own: the images without their annotations."""
        if self.link_options is None:
            return None
        images, instance = self.data.only(".png"), self.work / "images"
        there = {**self.environment(), "LDB_DIR": str(instance)}

        def call(*words: object) -> Step:
            return replace(self.call(*words), env=there)

        if not instance.exists():
            for words in (("init", instance), ("add-storage", images), ("index", images)):
                measure(call(*words))
        out = self.target()
        step = call("instantiate", "ds:root", "-t", out, *self.link_options)
        return Work([step], lambda _: count_pairs(out))

    def _instantiate(self, options: Sequence[str]) -> Work:
        out = self.target()
        source = f"ds:{self.dataset}"
        step = self.call("instantiate", source, "-t", out, *options, cwd=self.workspace)
        return Work([step], lambda _: count_pairs(out))


class LdbAlpha(Ldb):
    """LDB 0.7, from PyPI."""

    name = "ldb-alpha"
    cap = 10_000
    notes: ClassVar[Mapping[str, str]] = {
        "link_out": "has copies only",
        "link_images": "has copies only",
    }
    copy_options = ()
    link_options = None

    @cached_property
    def ldb(self) -> list[str]:
        return [str(installed("ldb-alpha", "ldb-alpha")[0] / "ldb")]

    def version(self) -> str:
        return installed("ldb-alpha", "ldb-alpha")[1]

    def _passed_on(self) -> dict[str, str]:
        return {}

    def _as_indexed(self) -> None:
        """Nothing: copying its file per object back and forth would take minutes."""


def _object_lines(text: str) -> int:
    return len(re.findall(r"\b[0-9a-f]{32}\b", text))


def _sum_of_numbers(text: str) -> int:
    return sum(numbers(text))


def _first_number(text: str) -> int:
    """Of `list -s`: the objects; how many of them are annotated may follow."""
    found = numbers(text)
    if not found:
        raise ValueError(f"no number in {text[-200:]!r}")
    return found[0]
