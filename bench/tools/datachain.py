"""DataChain, through a script in its own environment, with its database in its own folder.

Index = list the folder, parse the annotations, save; it does not hash. Delta mode makes
the second run look at new and changed files only.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from bench.queries import Query
from bench.tool import Tool, Work, count_pairs, last_number
from bench.venvs import installed

SCRIPT = Path(__file__).parent.parent / "scripts" / "datachain_ops.py"


class DataChain(Tool):
    """DataChain with its default local database."""

    name = "datachain"
    cap = 10_000
    notes: ClassVar[Mapping[str, str]] = {
        "index": "list, parse annotations, save; hashes nothing",
        "index_again": "the same with delta=True",
        "index_changed": "the same with delta=True",
        "query": "SQL on parsed columns; the nested one by a Python function per row",
        "commit_query": "filter, save",
        "commit_all": "save",
        "commit_100": "filter, union, save",
        "diff": "DataChain.diff of two saved versions",
        "copy_out": "to_storage of all files",
        "link_out": "has symbolic links only",
    }

    @cached_property
    def python(self) -> Path:
        """The interpreter that has DataChain."""
        return installed("datachain", "datachain")[0] / "python"

    def version(self) -> str:
        return installed("datachain", "datachain")[1]

    def state(self) -> Path:
        return self.work / "project"

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "DATACHAIN_NO_ANALYTICS": "1"}

    def _script(self, *words: object) -> Work:
        step = self.step(self.python, SCRIPT, *words, cwd=self.state(), name=str(words[0]))
        return Work([step], last_number)

    def startup(self, turn: int) -> Work:
        return Work([self.step(self.python, SCRIPT, "nothing")])

    def index(self, turn: int) -> Work:
        self.fresh("project")
        return self._script("index", self.data.files)

    def index_again(self, turn: int) -> Work:
        return self._script("index", self.data.files)

    index_changed = index_again

    def query(self, query: Query, turn: int) -> Work:
        return self._script(query.name)

    def commit_query(self, turn: int) -> Work:
        return self._script("save-cats")

    def commit_all(self, turn: int) -> Work:
        return self._script("save-all")

    def commit_100(self, turn: int) -> Work:
        positions = self.data.changed_positions()
        half = len(positions) // 2
        groups = (positions[:half], positions[half:])
        listed = self.work / "positions.json"
        if not turn:
            listed.write_text(json.dumps({"add": [], "del": groups[1]}))
            self.run(*self._script("change", listed).steps[0].argv, cwd=self.state())
        into, out = groups[turn % 2], groups[1 - turn % 2]
        listed.write_text(json.dumps({"add": out, "del": into}))
        return self._script("change", listed)

    def diff(self, turn: int) -> Work:
        return self._script("diff")

    def copy_out(self, turn: int) -> Work:
        out = self.target()
        steps = self._script("copy", self.data.files, out).steps
        return Work(steps, lambda _: count_pairs(out))

    def clear(self) -> None:
        """Remove its database."""
        shutil.rmtree(self.state(), ignore_errors=True)
