"""Which places are handed out."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ldb.instantiate.workers import LARGEST, SMALLEST, parts


@given(st.integers(0, 300_000), st.integers(1, 64))
def test_parts_cover_all_and_shrink(count: int, processes: int) -> None:
    made = list(parts(count, processes))
    assert [start for start, _ in made] == [0, *(stop for _, stop in made)][: len(made)]
    assert (made[-1][1] if made else 0) == count
    sizes = [stop - start for start, stop in made]
    assert all(0 < size <= LARGEST for size in sizes)
    assert all(size >= SMALLEST for size in sizes[:-1])
    assert all(one >= other for one, other in pairwise(sizes))
