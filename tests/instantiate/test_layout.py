"""Which names collide, against a plain count; and what paths are relative to."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ldb.instantiate.layout import AsSeen, collisions

FEW = st.integers(0, 4)


@given(st.lists(st.tuples(FEW, FEW, FEW)))
def test_collisions_agree_with_a_plain_count(rows: list[tuple[int, int, int]]) -> None:
    names, stems, notes = (np.array([row[at] for row in rows], np.uint64) for at in range(3))
    counts = Counter(name for name, _, _ in rows)
    by_stem = defaultdict(set)
    for _, stem, note in rows:
        by_stem[stem].add(note)
    expected = [counts[name] > 1 or len(by_stem[stem]) > 1 for name, stem, _ in rows]
    assert collisions(names, stems, notes).tolist() == expected


def _names(paths: list[str], roots: list[str]) -> list[str]:
    layout = AsSeen(roots)
    layout.look([(np.arange(len(paths)), paths)])
    layout.settle([(np.arange(len(paths)), paths)], np.zeros((len(paths), 32), np.uint8))
    return [layout.name(at, f"{at:032x}", path, "").data_path for at, path in enumerate(paths)]


def test_paths_are_relative_to_the_innermost_location() -> None:
    paths = ["file:///d/a/x.jpg", "file:///d/a/b/y.jpg", "file:///dd/z.jpg", "file:///dd/e/w.jpg"]
    assert _names(paths, ["file:///d", "file:///d/a"]) == ["x.jpg", "b/y.jpg", "z.jpg", "e/w.jpg"]


def test_paths_outside_locations_are_relative_to_the_folder_they_share() -> None:
    assert _names(["file:///d/ab/x.jpg", "file:///d/ac/x.jpg"], []) == ["ab/x.jpg", "ac/x.jpg"]
    assert _names(["file:///d/ab/x.jpg"], []) == ["x.jpg"]
    assert _names(["file:///d/x.jpg", "s3://d/x.jpg"], []) == ["file_/d/x.jpg", "s3_/d/x.jpg"]


def test_colliding_names_get_ids_and_objects_without_a_path_are_named_by_theirs() -> None:
    names = _names(["file:///d/x.jpg", "s3://b/X.jpg", "", ""], ["file:///d", "s3://b"])
    assert names == [f"x-{0:032x}.jpg", f"X-{1:032x}.jpg", f"{2:032x}", f"{3:032x}"]
