"""DuckDB: a query engine without versions, so its "datasets" are Parquet files it writes.

`duckdb` indexes once into Parquet (hashing images, parsing annotations) and asks that;
`duckdb-json` asks the JSON files themselves, anew for every query.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from bench.queries import BY_NAME, PASSING, Query
from bench.tool import Tool, Work, last_number
from bench.venvs import installed

SCRIPT = Path(__file__).parent.parent / "scripts" / "duckdb_ops.py"


class DuckDbJson(Tool):
    """DuckDB over the annotation files."""

    name = "duckdb-json"
    notes: ClassVar[Mapping[str, str]] = {"query": "read_json of all annotation files"}

    @cached_property
    def python(self) -> Path:
        """The interpreter that has DuckDB."""
        return installed("duckdb", "duckdb")[0] / "python"

    def version(self) -> str:
        return installed("duckdb", "duckdb")[1]

    def _script(self, *words: object) -> Work:
        return Work([self.step(self.python, SCRIPT, *words, name=str(words[0]))], last_number)

    def startup(self, turn: int) -> Work:
        return Work(self._script("nothing").steps)

    def query(self, query: Query, turn: int) -> Work:
        return self._script("query-json", self.data.files, query.sql)


class DuckDb(DuckDbJson):
    """DuckDB over Parquet that it made of the same files beforehand."""

    name = "duckdb"
    notes: ClassVar[Mapping[str, str]] = {
        "index": "read_blob and MD5 of images, read_json of annotations, into Parquet",
        "index_again": "cannot tell what changed: the same as index",
        "index_changed": "cannot tell what changed: the same as index",
        "commit_query": "writes a Parquet file of the rows; no versions",
        "commit_passing": "writes a Parquet file of the rows; no versions",
        "commit_all": "writes a Parquet file of the rows; no versions",
        "commit_100": "writes the Parquet file anew",
        "diff": "full join of two Parquet files",
        "copy_out": "has none",
        "link_out": "has none",
    }

    def state(self) -> Path:
        return self.work / "tables"

    def index(self, turn: int) -> Work:
        self.fresh("tables")
        return self._script("index", self.data.files, self.state())

    index_changed = index

    def query(self, query: Query, turn: int) -> Work:
        return self._script("query", self.state(), query.sql)

    def commit_query(self, turn: int) -> Work:
        return self._script("save", self.state(), "cats", BY_NAME["string"].sql)

    def commit_passing(self, turn: int) -> Work:
        return self._script("save", self.state(), "passing", PASSING.sql)

    def commit_all(self, turn: int) -> Work:
        return self._script("save", self.state(), "all0", "true")

    def commit_100(self, turn: int) -> Work:
        positions = self.data.changed_positions()
        half = len(positions) // 2
        out = positions[:half] if turn % 2 else positions[half:]
        listed = ", ".join(map(str, out))
        where = f"position not in ({listed})"
        if not turn:
            first = ", ".join(map(str, positions[:half]))
            before = self._script("save", self.state(), "other", f"position not in ({first})")
            self.run(*before.steps[0].argv)
        return self._script("save", self.state(), ("all0", "other")[turn % 2], where)

    def diff(self, turn: int) -> Work:
        return self._script("diff", self.state(), "all0", "other")
