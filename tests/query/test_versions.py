"""`--vquery` and `--label-version`: all annotations of an object, whichever way they are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb import instance as instances
from ldb.backends.memory import MemoryBackend
from ldb.catalog import Catalog, as_keys, key_bytes, open_catalog
from ldb.indexing.annotations import index_annotations
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.objects import columnfiles
from ldb.objects.codec import encode
from ldb.porcelain.place import Place
from ldb.porcelain.sources import read_sources
from ldb.query import asking
from ldb.query.asking import FilterTrace
from ldb.query.parse import parse
from ldb.query.rowwise import compile_query
from ldb.query.scanning import scan_annotations
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec, Warnings, apply_filters
from ldb.query.versions import versions_of

COUNT = 60
HISTORY: dict[int, list[Any]] = {
    at: [
        {"class": "cat" if (at + number) % 3 else "dog", "n": at, "of": number}
        for number in range(at % 4)
    ]
    for at in range(COUNT)
}
HISTORY[6][1] = {"class": None, "n": "six"}
HISTORY[7][2] = None
IDS = {at: hashlib.md5(str(at).encode()).digest() for at in range(COUNT)}
NUMBERS = {raw: at for at, raw in IDS.items()}


@pytest.fixture(scope="module", params=["row by row", "column-wise"])
def catalog(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Catalog]:
    """Objects 0 … 59: number `at` has had `at % 4` annotations."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "column-wise":
            patch.setattr(asking, "FEW", 0)
            patch.setattr(columnfiles, "FEWEST_ROWS", 1)
        folder: Path = tmp_path_factory.mktemp("data")
        instance = instances.create(MemoryBackend(f"versions {request.param}"))
        for at, notes in HISTORY.items():
            (folder / f"{at}.bin").write_text(str(at))
            if notes:
                (folder / f"{at}.json").write_text(json.dumps(notes[0]))
        index(instance, targets_of([str(folder)]), IndexOptions(processes=1))
        for number in (1, 2):
            index_annotations(
                instance,
                {IDS[at]: encode(each[number]) for at, each in HISTORY.items() if each[number:]},
                command=("test",),
            )
        yield open_catalog(instance)


def view(at: int) -> dict[str, Any]:
    return {f"v{number}": note for number, note in enumerate(HISTORY[at], 1)}


def rows_of(catalog: Catalog, numbers: list[int] | None) -> Selected:
    """Rows by number, or the index itself."""
    if numbers is None:
        return read_sources(Place(catalog.instance, "/"), ["ds:root"])[0]
    ids = as_keys([IDS[at] for at in numbers], 16)
    notes = catalog.find(ids).annotations
    return Selected(ids, notes, np.zeros_like(notes))


def run(
    catalog: Catalog, numbers: list[int] | None, *filters: tuple[str, Any]
) -> tuple[list[int], list[str], list[FilterTrace]]:
    warnings = Warnings()
    traces: list[FilterTrace] = []
    specs = [FilterSpec(kind, value) for kind, value in filters]
    rows = apply_filters(catalog, rows_of(catalog, numbers), specs, None, warnings, traces=traces)
    return [NUMBERS[raw] for raw in key_bytes(rows.ids)], warnings.messages, traces


QUERIES = [
    "v2",
    "!v2",
    "v1.class != v2.class",
    "v2 && v1.class != v2.class",
    "v1.class == 'cat' && v3.class == 'dog'",
    "length(keys(@)) == `3`",
    "keys(@) == ['v1', 'v2']",
    "values(@)[?class == 'dog']",
    "v1.n > `20`",
    "abs(v2.n) > `3`",
    "@",
]


@settings(deadline=None, max_examples=30)
@given(
    st.one_of(st.none(), st.lists(st.integers(0, COUNT - 1), unique=True)),
    st.sampled_from(QUERIES),
)
def test_as_over_plain_values(catalog: Catalog, numbers: list[int] | None, text: str) -> None:
    query = compile_query(parse(text))
    found, warnings, _ = run(catalog, numbers, ("vquery", text))
    asked = sorted(range(COUNT), key=IDS.__getitem__) if numbers is None else numbers
    assert found == [at for at in asked if query.matches(view(at))]
    if text.startswith("abs") and any(len(HISTORY[at]) < 2 or at == 6 for at in asked):
        (line,) = [each for each in warnings if "failed" in each]
        assert line.startswith("--vquery failed on id:")
        assert "abs()" in line


def test_columns_are_used_where_there_are_some(catalog: Catalog) -> None:
    *_, (trace,) = run(catalog, None, ("vquery", "v1.n > `20`"))
    assert (trace.packs > 0) == (trace.by_row == 0)
    assert (trace.packs > 0) == (asking.FEW == 0)


def test_keys_that_are_no_versions(catalog: Catalog) -> None:
    _, warnings, _ = run(catalog, None, ("vquery", "class == 'cat'"))
    assert warnings == [
        "--vquery asks {v1: …, v2: …}, an annotation each: `class` is a key of none; "
        "write `v1.class`, `v2.class` …"
    ]
    _, warnings, _ = run(catalog, None, ("vquery", "v4.class == 'cat'"))
    assert warnings == ["no data object asked has a `v4`; the newest is v3"]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_label_version(catalog: Catalog, number: int) -> None:
    have = [at for at in range(COUNT) if len(HISTORY[at]) >= number]
    filters = [FilterSpec("label-version", number)]
    warnings = Warnings()
    rows = apply_filters(catalog, rows_of(catalog, list(range(COUNT))), filters, None, warnings)
    assert [NUMBERS[raw] for raw in key_bytes(rows.ids)] == have
    for positions, values in scan_annotations(catalog.instance, rows.annotations):
        for at, value in zip(positions.tolist(), values):
            assert value == HISTORY[have[at]][number - 1]
    assert warnings.messages == [f"{COUNT - len(have)} data objects without a v{number} left out"]


def test_filters_after_it_ask_that_version(catalog: Catalog) -> None:
    found, _, _ = run(
        catalog, list(range(COUNT)), ("label-version", 1), ("query", "class == 'dog'")
    )
    assert found == [at for at in range(COUNT) if HISTORY[at] and at % 3 == 0]


def test_unknown_objects_have_no_versions(catalog: Catalog) -> None:
    ids = np.array([b"\1" * 16, IDS[7]], "S16")
    versions = versions_of(catalog, Selected(ids, *[np.zeros((2, 32), np.uint8)] * 2))
    assert versions.counts.tolist() == [0, 3]
    assert not versions.of(1)[0].any()
