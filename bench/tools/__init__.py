"""All tools of the bench, in the order of the report: ours, its peers, the floors."""

from __future__ import annotations

from bench.tool import Tool
from bench.tools.datachain import DataChain
from bench.tools.duckdb import DuckDb, DuckDbJson
from bench.tools.dvc import Dvc
from bench.tools.floors import Floor, LinkAndCopy, ParallelWalk
from bench.tools.git import Git
from bench.tools.ldb import Ldb, LdbAlpha
from bench.tools.oxen import Oxen
from bench.tools.pyarrow import PyArrow

TOOLS: tuple[type[Tool], ...] = (
    Ldb,
    LdbAlpha,
    Dvc,
    DataChain,
    Git,
    Oxen,
    DuckDb,
    DuckDbJson,
    PyArrow,
    Floor,
    ParallelWalk,
    LinkAndCopy,
)
