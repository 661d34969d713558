"""DuckDB operations: `duckdb_ops.py OPERATION ARGUMENT…`; prints the number of objects.

Two threads, as everybody has two cores here, and no promise of row order, which makes
DuckDB read many small files ten times faster.
"""

from __future__ import annotations

import sys

import duckdb  # type: ignore[import-not-found, unused-ignore]


def index(base: duckdb.DuckDBPyConnection, files: str, tables: str) -> str:
    """Hash the images and parse the annotations into one table, joined by file name."""
    stem = "regexp_replace(filename, '[.][a-z]+$', '')"
    base.execute(
        f"copy (select {stem} stem, size, md5(content) id from read_blob('{files}/*/*.png')) "
        f"to '{tables}/objects.parquet'"
    )
    base.execute(
        f"copy (select {stem} stem, * from read_json('{files}/*/*.json', filename=true)) "
        f"to '{tables}/annotations.parquet'"
    )
    return f"select count(*) from '{tables}/objects.parquet'"


def parse(base: duckdb.DuckDBPyConnection, lines: str, table: str) -> str:
    """Files of one annotation a line become one Parquet file."""
    base.execute(f"copy (select * from read_json('{lines}/*.ndjson')) to '{table}'")
    return f"select count(*) from '{table}'"


def save(base: duckdb.DuckDBPyConnection, tables: str, name: str, where: str) -> str:
    """Write the chosen rows, image id and annotation, to a file of their own."""
    rows = f"'{tables}/annotations.parquet' join '{tables}/objects.parquet' using (stem)"
    target = f"{tables}/{name}.parquet"
    base.execute(f"copy (select * from {rows} where {where}) to '{target}'")
    return f"select count(*) from '{target}'"


def diff(tables: str, a: str, b: str) -> str:
    """Rows that only one of two saved files has, or whose annotation differs."""
    return (
        f"select count(*) from '{tables}/{a}.parquet' a "
        f"full join '{tables}/{b}.parquet' b using (id) "
        "where a.revision is distinct from b.revision"
    )


def main() -> None:
    """Run one operation."""
    operation, *words = sys.argv[1:]
    base = duckdb.connect(config={"threads": 2, "preserve_insertion_order": False})
    if operation == "nothing":
        return
    if operation == "index":
        question = index(base, *words)
    elif operation == "parse":
        question = parse(base, *words)
    elif operation == "save":
        question = save(base, *words)
    elif operation == "diff":
        question = diff(*words)
    elif operation == "query":
        question = f"select count(*) from '{words[0]}/annotations.parquet' where {words[1]}"
    else:
        question = f"select count(*) from read_json('{words[0]}/*/*.json') where {words[1]}"
    print(base.execute(question).fetchone()[0])


if __name__ == "__main__":
    main()
