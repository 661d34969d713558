"""Datasets of millions of rows without millions of files: built by plumbing, used by porcelain.

Rows are random ids with random annotation oids, so their map is as big as a real one. They
go into a map by `ldb mk-map`, become a dataset by `ldb commit-map`, and then a workspace
stages it, deletes 100 ids, commits and compares: the commands a user would type. Only
deletions, because an added id would have to be known to the index.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

from bench.generate import CHANGES, DataSet
from bench.measure import Cost, Step, measure, stored
from bench.tools.ldb import Ldb

NAME = "synthetic"
CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class MapFigures:
    """What a dataset of `rows` rows costs; seconds are medians, megabytes are 10**6."""

    rows: int
    build: float
    change: float
    commit_alone: float
    new_megabytes: float
    diff: float
    row_bytes: float
    parent_mb: float


def object_id(row: int, rows: int) -> str:
    """The id of one row: ascending with the row, and as random as a hash within its share."""
    share = (1 << 128) // rows
    noise = int.from_bytes(md5(row.to_bytes(8, "big")).digest(), "big")
    return f"{row * share + noise % share:032x}"


def write_rows(path: Path, rows: int) -> None:
    """The stdin of `mk-map`: id, annotation oid, transform set, by tabs, one row a line."""
    noise = random.Random(rows)
    with path.open("w") as out:
        for start in range(0, rows, CHUNK):
            out.writelines(
                f"{object_id(row, rows)}\t{noise.randbytes(32).hex()}\t{'0' * 64}\n"
                for row in range(start, min(start + CHUNK, rows))
            )


def chosen_ids(rows: int, turn: int) -> list[str]:
    """The `CHANGES` ids of one turn, spread over the map; every turn has others."""
    return [object_id(k * rows // CHANGES + turn, rows) for k in range(CHANGES)]


def measure_map(rows: int, work: Path, runs: int) -> MapFigures:
    """Build a dataset of `rows` rows and change it `runs` times."""
    tool = Ldb(DataSet(work, 0), work / f"map-{rows}")
    tool.run(*tool.ldb, "init", tool.instance)
    before = stored(tool.instance)[0]
    build = _build(tool, rows)
    row_bytes = (stored(tool.instance)[0] - before) / rows
    tool.fresh("workspace")
    tool.run(*tool.ldb, "stage", f"ds:{NAME}", cwd=tool.workspace)
    costs: list[Cost] = [build]
    change, commit, diff, new = [], [], [], []
    for turn in range(runs):
        ids = [f"id:{text}" for text in chosen_ids(rows, turn)]
        before = stored(tool.instance)[0]
        deleted, _ = measure(tool.call("del", *ids, cwd=tool.workspace))
        committed, _ = measure(tool.call("commit", cwd=tool.workspace))
        new.append(stored(tool.instance)[0] - before)
        versions = (f"ds:{NAME}.v{turn + 1}", f"ds:{NAME}.v{turn + 2}")
        compared, text = measure(tool.call("diff", "-s", *versions))
        if str(CHANGES) not in text:
            raise ValueError(f"diff of {rows} rows says {text!r}, not {CHANGES} deletions")
        change.append(deleted.wall + committed.wall)
        commit.append(committed.wall)
        diff.append(compared.wall)
        costs += [deleted, committed, compared]
    return MapFigures(
        rows=rows,
        build=build.wall,
        change=statistics.median(change),
        commit_alone=statistics.median(commit),
        new_megabytes=max(new) / 1e6,
        diff=statistics.median(diff),
        row_bytes=row_bytes,
        parent_mb=max(cost.parent_mb for cost in costs),
    )


def _build(tool: Ldb, rows: int) -> Cost:
    listed = tool.work / "rows"
    write_rows(listed, rows)
    # The annotations of these rows were never written: only the maps are measured.
    step = tool.call("mk-map", "-t", "dataset", "--missing")
    made, text = measure(Step(step.argv, step.cwd, step.env, stdin=listed))
    listed.unlink()
    root = f"dataset={text.split()[0]}"
    saved, commit = measure(tool.call("commit-map", "--name", NAME, "--map", root))
    named, _ = measure(tool.call("update-ref", f"ds:{NAME}", commit.split()[0]))
    return Cost.together([made, saved, named])
