"""Column files are written with packs, made again where they are missing, and not believed
where they are damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ldb import instance as instances
from ldb.backends.memory import MemoryBackend
from ldb.catalog import Catalog, open_catalog
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.porcelain.listing import list_rows
from ldb.porcelain.look import Evaluation, Show
from ldb.porcelain.stats import annotation_stats, balance, object_stats
from ldb.query.asking import FilterTrace
from ldb.query.selected import MapRows, Selected
from ldb.query.selection import FilterSpec, Warnings, apply_filters

COUNT = 300


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """300 objects: enough for columns, and for not being few."""
    for at in range(COUNT):
        (tmp_path / f"{at}.bin").write_text(str(at))
        (tmp_path / f"{at}.json").write_text(json.dumps({"n": at}))
    instance = instances.create(MemoryBackend(f"columns {tmp_path}"))
    index(instance, targets_of([str(tmp_path)]), IndexOptions(processes=1))
    return open_catalog(instance)


def rows_of(catalog: Catalog) -> Selected:
    assert catalog.objects is not None
    return Selected.of_map(
        MapRows(
            catalog.instance.objects, catalog.schema, catalog.objects.root, catalog.objects.count
        )
    )


def ask(catalog: Catalog, kind: str, text: str) -> tuple[int, FilterTrace]:
    """How many objects a filter lets through, and how it went."""
    rows = rows_of(catalog)
    traces: list[FilterTrace] = []
    found = apply_filters(catalog, rows, [FilterSpec(kind, text)], None, Warnings(), traces=traces)
    return len(found), traces[0]


def column_files(catalog: Catalog, kind: str) -> list[str]:
    keys = [each.key for each in catalog.instance.backend.list("objects/pack/")]
    return [key for key in keys if key.endswith(f".{kind}.arrow")]


def everything(catalog: Catalog) -> list[object]:
    """What `list`, `eval` and `stats` say of all objects."""
    rows = rows_of(catalog)
    listed = [
        (each.ids, each.versions, each.paths, each.sizes, each.types)
        for each in list_rows(catalog, rows)
    ]
    shown = list(Evaluation(catalog, rows, [Show("query", "n"), Show("file", "fs.size")]))
    counted = object_stats(catalog, rows), annotation_stats(catalog, rows)
    return [listed, shown, counted, balance(catalog, rows, "n")]


CASES = [("query", "n < `100`", "annotation"), ("file", "size == `1`", "record")]


@pytest.mark.parametrize(("kind", "text", "blobs"), CASES)
def test_index_writes_columns_that_queries_use(
    catalog: Catalog, kind: str, text: str, blobs: str
) -> None:
    assert len(column_files(catalog, blobs)) == 1
    count, trace = ask(catalog, kind, text)
    assert count == (100 if kind == "query" else 10)
    assert (trace.by_row, trace.packs, trace.made) == (0, 1, 0)
    assert trace.bytes_read > 0


@pytest.mark.parametrize(("kind", "text", "blobs"), CASES)
def test_who_misses_columns_makes_them(catalog: Catalog, kind: str, text: str, blobs: str) -> None:
    backend = catalog.instance.backend
    (key,) = column_files(catalog, blobs)
    before = bytes(backend.read(key))
    expected, _ = ask(catalog, kind, text)
    backend.delete([key])
    count, trace = ask(catalog, kind, text)
    assert (count, trace.made, trace.by_row) == (expected, 1, 0)
    assert bytes(backend.read(key)) == before


@pytest.mark.parametrize(("kind", "text", "blobs"), CASES)
@pytest.mark.parametrize("damage", ["cut short", "flipped", "another pack's", "empty"])
def test_damaged_columns_are_not_believed(
    catalog: Catalog, kind: str, text: str, blobs: str, damage: str
) -> None:
    backend = catalog.instance.backend
    (key,) = column_files(catalog, blobs)
    data = bytearray(backend.read(key))
    if damage == "cut short":
        del data[-100:]
    elif damage == "flipped":
        data[8:-600] = bytes(byte ^ 1 for byte in data[8:-600])
    elif damage == "empty":
        data.clear()
    else:
        from ldb.columns.build import from_values
        from ldb.columns.write import encode_columns

        data = bytearray(encode_columns(from_values([{"n": 1}] * 7)))
    expected, told = ask(catalog, kind, text)[0], everything(catalog)
    backend.delete([key])
    backend.create(key, bytes(data))
    count, trace = ask(catalog, kind, text)
    assert count == expected
    assert trace.by_row == COUNT
    assert everything(catalog) == told
