"""Oxen, through its Python package (a Rust core; the package has no command line).

Its repository lies beside the shared folder of files. `add` is its index, `commit` its
dataset. Checking out elsewhere needs its server, so it has no instantiate here.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from bench.tool import Tool, Work
from bench.venvs import installed

SCRIPT = Path(__file__).parent.parent / "scripts" / "oxen_ops.py"


class Oxen(Tool):
    """Oxen of PyPI `oxenai`."""

    name = "oxen"
    cap = 10_000
    notes: ClassVar[Mapping[str, str]] = {
        "index": "add",
        "index_again": "add",
        "index_changed": "add",
        "query": "none over JSON files",
        "commit_query": "has none",
        "commit_all": "commit",
        "commit_100": "add of 100 changed annotations by name, commit",
        "diff": "compares tables only, through this package",
        "copy_out": "a second copy needs its server",
        "link_out": "a second copy needs its server",
    }

    @cached_property
    def python(self) -> Path:
        """The interpreter that has Oxen."""
        return installed("oxen", "oxenai")[0] / "python"

    def version(self) -> str:
        return installed("oxen", "oxenai")[1]

    def state(self) -> Path:
        return self.data.root / ".oxen"

    def _script(self, *words: object) -> Work:
        step = self.step(self.python, SCRIPT, *words, cwd=self.data.root, name=str(words[0]))
        return Work([step])

    def startup(self, turn: int) -> Work:
        return self._script("nothing")

    def status(self, turn: int) -> Work:
        return self._script("status")

    def index(self, turn: int) -> Work:
        self.clear()
        self.run(self.python, SCRIPT, "init", cwd=self.data.root)
        return self._script("add", "files")

    def clear(self) -> None:
        """Remove all that Oxen leaves beside the files."""
        shutil.rmtree(self.state(), ignore_errors=True)

    def index_again(self, turn: int) -> Work:
        return self._script("add", "files")

    index_changed = index_again

    def commit_all(self, turn: int) -> Work | None:
        # The state before cannot be had again without adding all anew.
        return None if turn else self._script("commit")

    def commit_100(self, turn: int) -> Work:
        paths = [self.data.path(n, ".json") for n in self.data.changed_positions()]
        names = [path.relative_to(self.data.root) for path in paths]
        return Work([*self._script("add", *names).steps, *self._script("commit").steps])
