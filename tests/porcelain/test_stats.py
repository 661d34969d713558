"""`stats` of a selection, out of columns and row by row: every row counts, whoever shares it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ldb import instance as instances
from ldb.backends.memory import MemoryBackend
from ldb.catalog import Catalog, as_keys, open_catalog
from ldb.errors import BadInput
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.objects import columnfiles
from ldb.objects.columnfiles import ColumnFiles
from ldb.porcelain.stats import annotation_stats, balance, object_stats
from ldb.query import asking, compile_query, parse
from ldb.query.packwise import Packwise
from ldb.query.rowwise import FAILURES
from ldb.query.selected import MapRows, Selected
from tests.query.plain_counts import keys_of, numbers_of, same_values, values_of

DEEP: Any = "end"
for _ in range(40):
    DEEP = [DEEP]

NOTES: list[Any] = [
    {"n": 1, "class": "cat", "boxes": [{"label": "a", "score": 0.5}, {"label": "b"}]},
    {"n": 1.0, "class": "cat", "boxes": []},
    {"n": True, "class": "dog", "boxes": [{"label": "a", "score": 1}]},
    {"n": "1", "class": None, "boxes": "none"},
    {"n": (1 << 64) - 1, "class": "cat"},
    {"n": 3, "class": "bird", "deep": DEEP},
    {"n": -2.5, "class": ["cat", "cat", ["x"]], "camera": {"iso": 100}},
    {"class": {"a": 1}},
    {"n": 7, "class": {"a": 1.0}, "camera": {"iso": 200}},
    None,
    [1, 2, {"n": 3}],
    "text",
    5,
]
"""Annotations; each is that of several objects, so that blobs are shared."""
LONE = 4
"""Objects without annotation."""
COUNT = 3 * len(NOTES) + LONE
"""Data objects: note number at % len(NOTES), the last few without."""


def note_of(at: int) -> Any:
    return NOTES[at % len(NOTES)]


@pytest.fixture(scope="module", params=["row by row", "column-wise"], autouse=True)
def how(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every test of this page holds whichever way it is counted."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "column-wise":
            patch.setattr(asking, "FEW", 0)
            patch.setattr(columnfiles, "FEWEST_ROWS", 1)
        yield str(request.param)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory, how: str) -> Catalog:
    """Two index runs, so that there are several packs; the first third is tagged."""
    folder = tmp_path_factory.mktemp("data")
    instance = instances.create(MemoryBackend(f"stats {how}"))
    for part, tags in ((range(len(NOTES)), ("t", "u")), (range(len(NOTES), COUNT), ())):
        below = folder / ("first" if tags else "second")
        below.mkdir()
        for at in part:
            (below / f"{at}.{'jpg' if at % 3 else 'png'}").write_text(str(at))
            if at < COUNT - LONE:
                (below / f"{at}.json").write_text(json.dumps(note_of(at)))
        index(instance, targets_of([str(below)]), IndexOptions(processes=1, tags=tags))
    return open_catalog(instance)


IDS = [hashlib.md5(str(at).encode()).digest() for at in range(COUNT)]


def rows_of(catalog: Catalog, numbers: list[int]) -> Selected:
    ids = as_keys([IDS[at] for at in numbers], 16)
    found = catalog.find(ids)
    assert found.known.all()
    return Selected(ids, found.annotations, np.zeros_like(found.annotations))


def all_rows(catalog: Catalog) -> Selected:
    assert catalog.objects is not None
    root, count = catalog.objects.root, catalog.objects.count
    return Selected.of_map(MapRows(catalog.instance.objects, catalog.schema, root, count))


SELECTIONS = {
    "all": list(range(COUNT)),
    "none": [],
    "one": [2],
    "without": list(range(COUNT - LONE, COUNT)),
    "some": [40, 0, 13, 26, 5, 7, 18, 41, 3],
}


def documents(numbers: list[int]) -> list[Any]:
    return [note_of(at) for at in numbers if at < COUNT - LONE]


@pytest.mark.parametrize("name", SELECTIONS)
def test_keys(catalog: Catalog, name: str) -> None:
    numbers = SELECTIONS[name]
    rows = all_rows(catalog) if name == "all" else rows_of(catalog, numbers)
    found = annotation_stats(catalog, rows)
    assert not found.left_out
    assert list(found.keys) == keys_of(documents(numbers))


@pytest.mark.parametrize("name", SELECTIONS)
def test_objects(catalog: Catalog, name: str) -> None:
    numbers = SELECTIONS[name]
    rows = all_rows(catalog) if name == "all" else rows_of(catalog, numbers)
    found = object_stats(catalog, rows)
    sizes = [len(str(at)) for at in numbers]
    assert (found.objects, found.annotated, found.unknown) == (
        len(numbers), sum(at < COUNT - LONE for at in numbers), 0,
    )  # fmt: skip
    assert found.total == sum(sizes)
    assert found.sizes == numbers_of(sizes)
    assert found.types == Counter("jpg" if at % 3 else "png" for at in numbers)
    tagged = sum(at < len(NOTES) for at in numbers)
    assert found.tags == ({"t": tagged, "u": tagged} if tagged else {})


EXPRESSIONS = (
    "class", "n", "boxes[].label", "boxes[].score", "boxes", "camera.iso", "@", "deep", "[0]",
    "n > `1`", "abs(n)", "camera", "[class, n]", "length(class)", "deep[0]", "unique(class)",
)  # fmt: skip


@pytest.mark.parametrize("text", EXPRESSIONS)
@pytest.mark.parametrize("name", SELECTIONS)
def test_balance(catalog: Catalog, name: str, text: str) -> None:
    numbers = SELECTIONS[name]
    rows = all_rows(catalog) if name == "all" else rows_of(catalog, numbers)
    run = compile_query(parse(text), "skip").run
    results, lacking, failed = [], len(numbers) - len(documents(numbers)), 0
    for document in documents(numbers):
        try:
            results.append(run(document))
        except KeyError:
            lacking += 1
        except FAILURES:
            failed += 1
    found = balance(catalog, rows, text)
    assert (found.objects, found.lacking, found.failed) == (len(results), lacking, failed)
    assert same_values(found.values, values_of(results))
    failures = [line for line in found.warnings if "failed on" in line]
    assert len(failures) == (failed > 0)
    if failed > 1:
        assert f"(and on {failed - 1} more)" in failures[0]


def test_which_way(catalog: Catalog, how: str) -> None:
    """Column-wise, only what columns do not hold is left for reading row by row."""
    rows = rows_of(catalog, SELECTIONS["all"])
    packs = Packwise(rows.places(catalog.instance.objects))
    told = 0
    for part in packs.columns(ColumnFiles()):
        told += part.column.size
        packs.give_back(part, part.column.opaque())
    column_wise = how == "column-wise"
    assert told == (3 * len(NOTES) if column_wise else 0)
    opaque = {at for at in range(3 * len(NOTES)) if at % len(NOTES) in (4, 5)}
    expected = opaque if column_wise else set(range(3 * len(NOTES)))
    assert set(packs.left().tolist()) == expected


def test_failure_is_told_with_its_object(catalog: Catalog) -> None:
    (line,) = balance(catalog, rows_of(catalog, [3, 0]), "abs(n)").warnings
    assert line.startswith(f"--by failed on id:{IDS[3].hex()}: ")
    assert "more" not in line


def test_misspelt_keys_are_told_when_nothing_has_them(catalog: Catalog) -> None:
    rows = rows_of(catalog, SELECTIONS["all"])
    found = balance(catalog, rows, "clas")
    assert found.warnings == ("no annotation has the key `clas`; did you mean `class`?",)
    assert balance(catalog, rows, "deep").warnings == ()
    assert balance(catalog, rows_of(catalog, []), "clas").warnings == ()


@pytest.mark.parametrize("text", ["a ==", "f(", "["])
def test_bad_expressions(catalog: Catalog, text: str) -> None:
    with pytest.raises(BadInput, match="--by"):
        balance(catalog, rows_of(catalog, []), text)


def test_objects_that_the_index_does_not_know(catalog: Catalog) -> None:
    known = rows_of(catalog, [0, 1])
    ids = as_keys([IDS[0], b"\1" * 16], 16)
    rows = Selected(ids, known.annotations, known.transforms)
    found = object_stats(catalog, rows)
    assert (found.objects, found.annotated, found.unknown, found.total) == (2, 2, 1, 1)
    assert found.types == {"png": 1}
    assert len(annotation_stats(catalog, rows).keys) == len(keys_of(NOTES[:2]))
