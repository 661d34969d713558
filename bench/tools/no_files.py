"""The tools over an instance of annotations that have no files, which somebody else has filled.

Only what reads no file is asked of them. LDB works on links to the instance, which is kept for
the next run; DuckDB and pyarrow read the table beside it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from bench.queries import Query
from bench.synthetic_annotations import Annotations
from bench.tool import Tool, Work, last_number
from bench.tools.duckdb import SCRIPT, DuckDb
from bench.tools.ldb import Ldb
from bench.tools.pyarrow import PyArrow
from bench.venvs import installed

OPERATIONS = frozenset(
    {
        "startup",
        "query-string",
        "query-number",
        "query-length",
        "query-nested",
        "list_10",
        "list_all",
        "commit_query",
        "commit_passing",
        "commit_all",
        "commit_100",
        "diff",
        "status",
    }
)
"""What can be asked where there are no files."""


class LdbWithoutFiles(Ldb):
    """The `ldb` under test, on links to a made instance."""

    def __init__(self, data: Annotations, work: Path) -> None:
        super().__init__(data, work)
        shutil.copytree(data.instance, self.instance, copy_function=os.link)


class DuckDbWithoutFiles(Tool):
    """DuckDB on the table made beforehand: queries only."""

    name = DuckDb.name
    notes: ClassVar[Mapping[str, str]] = {"query": "SQL over Parquet made beforehand"}

    def version(self) -> str:
        return installed("duckdb", "duckdb")[1]

    def query(self, query: Query, turn: int) -> Work:
        python = installed("duckdb", "duckdb")[0] / "python"
        step = self.step(python, SCRIPT, "query", self.data.root / "tables", query.sql)
        return Work([step], last_number)


class PyArrowWithoutFiles(PyArrow):
    """pyarrow on the same."""

    @property
    def table(self) -> Path:
        return self.data.root / "tables" / "annotations.parquet"


TOOLS: tuple[type[Tool], ...] = (LdbWithoutFiles, DuckDbWithoutFiles, PyArrowWithoutFiles)
