"""Bare pyarrow over the Parquet file that DuckDB made of the annotations: queries only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from bench.queries import Query
from bench.tool import Tool, Work, last_number
from bench.tools.duckdb import DuckDb
from bench.venvs import installed

SCRIPT = Path(__file__).parent.parent / "scripts" / "pyarrow_ops.py"


class PyArrow(Tool):
    """A script of a few lines that reads the columns a query names and counts."""

    name = "pyarrow"
    notes: ClassVar[Mapping[str, str]] = {
        "query": "reads the columns named from DuckDB's Parquet file, and computes",
        "index": "has none: uses DuckDB's file",
    }

    @cached_property
    def python(self) -> Path:
        """The interpreter that has pyarrow."""
        return installed("pyarrow", "pyarrow")[0] / "python"

    def version(self) -> str:
        return installed("pyarrow", "pyarrow")[1]

    @cached_property
    def table(self) -> Path:
        """The annotations as Parquet: those DuckDB made in this run, or else made now."""
        theirs = self.work.parent / DuckDb.name / "tables" / "annotations.parquet"
        if theirs.exists():
            return theirs
        maker = DuckDb(self.data, self.work)
        for step in maker.index(0).steps:
            maker.run(*step.argv)
        return maker.state() / "annotations.parquet"

    def startup(self, turn: int) -> Work:
        return Work([self.step(self.python, SCRIPT, "nothing")])

    def query(self, query: Query, turn: int) -> Work:
        step = self.step(self.python, SCRIPT, query.name, self.table, name=query.name)
        return Work([step], last_number)
