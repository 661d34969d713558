"""Filters in the order given, on rows in whatever order they come."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb import instance as instances
from ldb.backends.memory import MemoryBackend
from ldb.catalog import Catalog, Record, as_keys, key_bytes, open_catalog
from ldb.errors import BadInput
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.objects import columnfiles
from ldb.query import asking
from ldb.query.hints import KnownKeys
from ldb.query.scanning import scan_annotations, scan_records
from ldb.query.selected import MapRows, Selected
from ldb.query.selection import FilterSpec, Warnings, apply_filters

COUNT = 120
NOTES: list[Any] = [
    None if at % 10 == 9 else {"n": at, "class": "cat" if at % 3 else "dog"} for at in range(COUNT)
]
NOTES[0] = {"n": 0, "class": None, "odd": "x"}
NULL = 7
"""This one's annotation is the JSON value null, which is not the same as having none."""


@pytest.fixture(scope="module", params=["row by row", "column-wise"], autouse=True)
def how(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every test of this page holds whichever way filters are evaluated."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "column-wise":
            patch.setattr(asking, "FEW", 0)
            patch.setattr(columnfiles, "FEWEST_ROWS", 1)
        yield str(request.param)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory, how: str) -> Catalog:
    """Data objects 0 … 119; every tenth has no annotation; tags `low` below 50."""
    folder = tmp_path_factory.mktemp("data")
    instance = instances.create(MemoryBackend(f"selection {how}"))
    for part, tags in ((range(50), ("low",)), (range(50, COUNT), ())):
        below = folder / ("low" if tags else "high")
        below.mkdir()
        for at in part:
            (below / f"{at}.bin").write_text(str(at))
            if at == NULL:
                (below / f"{at}.json").write_text("null")
            elif NOTES[at] is not None:
                (below / f"{at}.json").write_text(json.dumps(NOTES[at]))
        index(instance, targets_of([str(below)]), IndexOptions(processes=1, tags=tags))
    return open_catalog(instance)


NUMBERS = {hashlib.md5(str(at).encode()).digest(): at for at in range(COUNT)}
IDS = {at: raw for raw, at in NUMBERS.items()}


def rows_of(catalog: Catalog, numbers: Sequence[int]) -> Selected:
    ids = as_keys([IDS[at] for at in numbers], 16)
    found = catalog.find(ids)
    assert found.known.all()
    return Selected(ids, found.annotations, np.zeros_like(found.annotations))


def numbers_of(rows: Selected) -> list[int]:
    return [NUMBERS[raw] for raw in key_bytes(rows.ids)]


def run(
    catalog: Catalog, numbers: Sequence[int], *filters: tuple[str, Any], seed: int | None = None
) -> tuple[list[int], list[str]]:
    """Numbers that are left, and warnings."""
    warnings = Warnings()
    specs = [FilterSpec(kind, value) for kind, value in filters]
    rows = apply_filters(catalog, rows_of(catalog, numbers), specs, seed, warnings)
    assert len(rows) == len(rows.ids) == len(rows.annotations) == len(rows.transforms)
    return numbers_of(rows), warnings.messages


ALL = list(range(COUNT))


def model(numbers: list[int], kind: str, value: Any) -> list[int]:
    """What one filter leaves, said plainly."""
    tests: dict[str, Callable[[int], bool]] = {
        "query": lambda at: at != NULL and NOTES[at] is not None and NOTES[at]["n"] > value,
        "jquery": lambda at: at != NULL and NOTES[at] is not None and NOTES[at]["n"] <= value,
        "path": lambda at: (at < 50) == (value == "low"),
        "tag": lambda at: at < 50,
        "no-tag": lambda at: at >= 50,
        "file": lambda at: len(str(at)) > value,
    }
    if kind == "limit":
        return numbers[:value]
    return [at for at in numbers if tests[kind](at)]


def spec_of(kind: str, value: Any) -> tuple[str, Any]:
    texts = {"query": f"n > `{value}`", "jquery": f"n <= `{value}`", "file": f"size > `{value}`"}
    return kind, texts.get(kind, ("low",) if "tag" in kind else value)


steps = st.one_of(
    st.tuples(st.sampled_from(["query", "jquery"]), st.integers(-1, COUNT)),
    st.tuples(st.just("path"), st.sampled_from(["low", "high"])),
    st.tuples(st.sampled_from(["tag", "no-tag"]), st.none()),
    st.tuples(st.just("file"), st.integers(0, 3)),
    st.tuples(st.just("limit"), st.integers(0, COUNT)),
)


@settings(max_examples=40)
@given(numbers=st.permutations(ALL), chain=st.lists(steps, max_size=5))
def test_one_after_the_other(
    catalog: Catalog, numbers: list[int], chain: list[tuple[str, Any]]
) -> None:
    expected = list(numbers)
    for kind, value in chain:
        expected = model(expected, kind, value)
    found, _ = run(catalog, numbers, *(spec_of(kind, value) for kind, value in chain))
    assert found == expected


@settings(max_examples=20)
@given(chain=st.lists(steps, max_size=4))
def test_rows_of_a_map_are_filtered_like_any(
    catalog: Catalog, chain: list[tuple[str, Any]]
) -> None:
    assert catalog.objects is not None
    source = MapRows(
        catalog.instance.objects, catalog.schema, catalog.objects.root, catalog.objects.count
    )
    expected = numbers_of(Selected.of_map(source))
    assert sorted(expected) == ALL
    for kind, value in chain:
        expected = model(expected, kind, value)
    specs = [FilterSpec(*spec_of(kind, value)) for kind, value in chain]
    rows = apply_filters(catalog, Selected.of_map(source), specs, None, Warnings())
    assert numbers_of(rows) == expected
    whole = rows_of(catalog, expected)
    assert np.array_equal(rows.annotations, whole.annotations)
    assert np.array_equal(rows.transforms, whole.transforms)


def test_columns_are_used_where_they_are_wanted(catalog: Catalog, how: str) -> None:
    traces: list[asking.FilterTrace] = []
    specs = [FilterSpec("query", "n > `5`"), FilterSpec("file", "size > `0`")]
    apply_filters(catalog, rows_of(catalog, ALL), specs, None, Warnings(), traces=traces)
    assert [trace.kind for trace in traces] == ["query", "file"]
    for trace in traces:
        assert (trace.by_row > 0) is (how == "row by row")
        assert (trace.packs > 0) is (how == "column-wise")


def test_annotations_stay_with_their_objects(catalog: Catalog) -> None:
    rows = rows_of(catalog, ALL)
    marks = np.arange(COUNT, dtype=np.uint8).repeat(32).reshape(-1, 32)
    rows = Selected(rows.ids, rows.annotations, marks)
    chain = [FilterSpec("shuffle", True), FilterSpec("query", "n > `60`")]
    left = apply_filters(catalog, rows, chain, 3, Warnings())
    for number, note, mark in zip(numbers_of(left), left.annotations, left.transforms):
        assert mark.tolist() == [number] * 32
        assert note.tolist() == rows.annotations[number].tolist()


@pytest.mark.parametrize(
    ("kind", "text", "there"),
    [
        ("query", "@ == `null`", {NULL}),
        ("jquery", "@ == `null`", {NULL, *range(9, COUNT, 10)}),
        ("query", "`true`", set(ALL) - set(range(9, COUNT, 10))),
        ("jquery", "!n", {NULL, *range(9, COUNT, 10)}),
        ("query", "odd", {0}),
        ("query", "class", set(ALL) - {0, NULL, *range(9, COUNT, 10)}),
    ],
)
def test_null_and_no_annotation(catalog: Catalog, kind: str, text: str, there: set[int]) -> None:
    assert set(run(catalog, ALL, (kind, text))[0]) == there


# -- chance ----------------------------------------------------------------------------


def test_seeds_are_for_ever(catalog: Catalog) -> None:
    """Frozen: a recorded selection must be repeatable with any later version of anything."""
    shuffled, _ = run(catalog, range(12), ("shuffle", True), seed=1)
    assert shuffled == GOLDEN_SHUFFLE
    sampled, _ = run(catalog, range(20), ("sample", 0.5), seed=2)
    assert sampled == GOLDEN_SAMPLE
    both, _ = run(catalog, range(12), ("sample-rate", 50.0), ("shuffle", True), seed=-1)
    assert both == GOLDEN_BOTH


GOLDEN_SHUFFLE = [9, 2, 4, 7, 5, 0, 11, 8, 10, 6, 3, 1]
GOLDEN_SAMPLE = [0, 1, 3, 6, 7, 8, 11, 12, 14, 18, 19]
GOLDEN_BOTH = [7, 11, 4, 5, 2]


def test_without_a_seed_it_differs(catalog: Catalog) -> None:
    assert len({tuple(run(catalog, ALL, ("shuffle", True))[0]) for _ in range(5)}) == 5


def test_two_samples_are_drawn_apart(catalog: Catalog) -> None:
    once, _ = run(catalog, ALL, ("sample", 0.5), seed=4)
    twice, _ = run(catalog, ALL, ("sample", 0.5), ("sample", 0.5), seed=4)
    assert set(twice) < set(once)
    assert len(once) / 4 < len(twice) < 3 * len(once) / 4


@pytest.mark.parametrize("seed", range(5))
def test_size_of_a_sample(seed: int, catalog: Catalog) -> None:
    """Within five standard deviations."""
    big = Selected(
        np.arange(20_000, dtype=">u8").repeat(2).view("S16"),
        np.zeros((20_000, 32), np.uint8), np.zeros((20_000, 32), np.uint8),
    )  # fmt: skip
    for kind, value, share in (("sample", 0.3, 0.3), ("sample-rate", 2.0, 0.02)):
        left = apply_filters(catalog, big, [FilterSpec(kind, value)], seed, Warnings())
        spread = (20_000 * share * (1 - share)) ** 0.5
        assert abs(len(left) - 20_000 * share) < 5 * spread


def test_shuffle_is_a_permutation_that_favours_nobody(catalog: Catalog) -> None:
    firsts = [run(catalog, range(4), ("shuffle", True), seed=seed)[0] for seed in range(400)]
    assert all(sorted(each) == [0, 1, 2, 3] for each in firsts)
    for number in range(4):
        assert 55 < sum(each[0] == number for each in firsts) < 145


# -- warnings --------------------------------------------------------------------------


def test_failures_are_told_once(catalog: Catalog) -> None:
    left, (message,) = run(catalog, range(20), ("query", "abs(class) > `1`"))
    assert left == []
    assert message.startswith("--query failed on id:")
    assert message.endswith("(and on 16 more)"), "17 of the 20 have a class"
    _, (single,) = run(catalog, [1], ("file", "abs(type)"))
    assert single.startswith(f"--file failed on id:{IDS[1].hex()}: ")
    assert "more" not in single


def test_failing_part_that_is_not_reached(catalog: Catalog) -> None:
    left, messages = run(catalog, [1, 2, 3], ("query", "n < `3` || abs(class)"))
    assert left == [1, 2]
    (message,) = messages
    assert IDS[3].hex() in message


def test_misspelt_keys_are_told_only_when_nothing_is_left(catalog: Catalog) -> None:
    assert run(catalog, ALL, ("query", "clas == 'cat'"))[1] == [
        "no annotation has the key `clas`; did you mean `class`?"
    ]
    assert run(catalog, ALL, ("query", "od || n > `3`"))[1] == [
        "no annotation has the key `od`; did you mean `odd`?"
    ]
    assert run(catalog, ALL, ("jquery", "clas || n > `3`"))[1] == []
    assert run(catalog, [9], ("query", "clas"))[1] == [], "no annotation, no key to compare with"
    assert run(catalog, [], ("query", "clas"))[1] == []


def test_known_keys_end_somewhere() -> None:
    keys = KnownKeys()
    keys.see([{"early": 1}] * KnownKeys.ENOUGH)
    keys.see([{"late": 1}])
    from ldb.query.parse import parse

    assert "late" in keys.unknown(parse("late"))[0]
    assert keys.unknown(parse("early")) == []


@pytest.mark.parametrize(
    ("kind", "text"), [("query", "a =="), ("jquery", "f("), ("file", "["), ("path", "(")]
)
def test_bad_expressions_are_refused_before_anything_is_read(
    catalog: Catalog, kind: str, text: str
) -> None:
    """Even behind a filter that leaves nothing."""
    with pytest.raises(BadInput, match=f"--{kind}"):
        run(catalog, ALL, ("limit", 0), (kind, text))


# -- reading ---------------------------------------------------------------------------


def test_scans_cover_every_row_once(catalog: Catalog) -> None:
    numbers = [5, 3, 9, 5, 0, 19, 3]
    rows = rows_of(catalog, numbers)
    seen: dict[int, Any] = {}
    for positions, values in scan_annotations(catalog.instance, rows.annotations):
        seen.update(zip(positions.tolist(), values))
    assert [seen[at] for at in range(len(numbers))] == [NOTES[at] for at in numbers]
    paths: dict[int, Record] = {}
    unknown = as_keys([IDS[at] for at in numbers] + [b"\0" * 16], 16)
    for positions, records in scan_records(catalog, unknown):
        paths.update(zip(positions.tolist(), records))
    assert sorted(paths) == list(range(len(numbers))), "what is not known is left out"
    assert [Path(paths[at].paths[0].path).stem for at in sorted(paths)] == list(map(str, numbers))


def test_nothing_to_read(catalog: Catalog) -> None:
    empty = Selected.empty(16)
    assert list(scan_annotations(catalog.instance, empty.annotations)) == []
    assert list(scan_records(catalog, empty.ids)) == []
    assert len(Selected.concat([], 16)) == 0
    assert numbers_of(Selected.concat([empty, rows_of(catalog, [1]), empty], 16)) == [1]
