"""Splits: nothing leaks, nobody moves, shares hold; over arrays, whatever they hold."""

from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.catalog import as_keys
from ldb.errors import BadInput
from ldb.porcelain.split import parse_shares
from ldb.porcelain.splitting import (
    UNKNOWN,
    Groups,
    balanced,
    by_point,
    grouped,
    mixed,
    strata_of,
)

Values = list[bytes | None]
VALUES = st.lists(st.one_of(st.none(), st.sampled_from([b"a", b"b", b"c", b"d"])), max_size=60)
SEEDS = st.integers(0, 5)
PHASES = mixed(np.arange(3, dtype=np.uint64), 0)


@st.composite
def shares(draw: st.DrawFn) -> list[Fraction]:
    """One to four shares that are 1 together, or less."""
    weights = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    return [Fraction(each, sum(weights) + draw(st.sampled_from([0, 3]))) for each in weights]


def ids(count: int) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    return as_keys([hashlib.md5(str(at).encode()).digest() for at in range(count)], 16)


def sides_by_point(values: Values, parts: list[Fraction], seed: int) -> list[int]:
    groups = grouped(ids(len(values)), values, seed)
    return list(by_point(groups.points, parts)[groups.of_row].tolist())


@settings(max_examples=50)
@given(VALUES, shares(), SEEDS)
def test_groups_stay_together(values: Values, parts: list[Fraction], seed: int) -> None:
    sides = sides_by_point(values, parts, seed)
    for value in {*values} - {None}:
        assert len({side for side, own in zip(sides, values, strict=True) if own == value}) == 1
    limit = len(parts) - (sum(parts) == 1)
    assert all(0 <= side <= limit for side in sides)


@settings(max_examples=50)
@given(VALUES, VALUES, shares(), SEEDS)
def test_later_objects_move_nobody(
    values: Values, more: Values, parts: list[Fraction], seed: int
) -> None:
    before = sides_by_point(values, parts, seed)
    assert sides_by_point(values + more, parts, seed)[: len(values)] == before


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=80),
    shares(),
    SEEDS,
    SEEDS,
)
def test_every_class_has_its_shares(
    classes: list[int], parts: list[Fraction], seed: int, phase: int
) -> None:
    groups = grouped(ids(len(classes)), None, seed)
    phases = mixed(np.arange(4, dtype=np.uint64), phase)
    sides = balanced(groups, np.array(classes, np.int64), phases, parts)
    for name, total in Counter(classes).items():
        mine = sides[np.array(classes) == name]
        for at, share in enumerate([*parts, 1 - sum(parts, Fraction(0))]):
            assert abs(int((mine == at).sum()) - share * total) < 1


@settings(max_examples=40)
@given(VALUES, VALUES, st.lists(st.integers(0, 2), min_size=120, max_size=120), shares(), SEEDS)
def test_a_second_balanced_split_keeps_all_sides(
    values: Values, more: Values, kinds: list[int], parts: list[Fraction], seed: int
) -> None:
    """Groups have any size and any classes; those that had a side keep it."""

    def cut(rows: Values, known: dict[bytes | int, int]) -> dict[bytes | int, int]:
        groups = grouped(ids(len(rows)), rows, seed)
        names: list[bytes | int] = [at if own is None else own for at, own in enumerate(rows)]
        before = np.full(len(groups.points), UNKNOWN, np.int64)
        for row, name in zip(groups.of_row.tolist(), names, strict=True):
            before[row] = known.get(name, UNKNOWN)
        strata = strata_of(groups, np.array(kinds[: len(rows)], np.int64))
        sides = balanced(groups, strata, PHASES, parts, before)[groups.of_row]
        found = dict(zip(names, sides.tolist(), strict=True))
        assert all(found[own] == side for own, side in zip(names, sides.tolist(), strict=True))
        return found

    first = cut(values, {})
    second = cut(values + more, first)
    assert {name: second[name] for name in first} == first


def test_many_small_classes_are_not_rounded_alike() -> None:
    groups = grouped(ids(2000), None, 0)
    phases = mixed(np.arange(2000, dtype=np.uint64), 0)
    sides = balanced(groups, np.arange(2000), phases, [Fraction(4, 5), Fraction(1, 5)])
    assert abs(int((sides == 0).sum()) - 1600) < 80


def test_what_comes_later_evens_out() -> None:
    """Sides that are there stay, though they are lopsided; the new go where something lacks."""
    groups = grouped(ids(100), None, 0)
    known = np.full(100, UNKNOWN, np.int64)
    known[:40] = 0
    parts = [Fraction(1, 2), Fraction(1, 2)]
    sides = balanced(groups, np.zeros(100, np.int64), PHASES, parts, known)
    assert sides[:40].tolist() == [0] * 40
    assert Counter(sides.tolist()) == {0: 50, 1: 50}
    known[:] = 0
    known[90:] = UNKNOWN
    assert set(balanced(groups, np.zeros(100, np.int64), PHASES, parts, known)[90:].tolist()) == {1}


def test_shares_hold_on_average() -> None:
    sides = by_point(grouped(ids(20_000), None, 3).points, [Fraction(4, 5), Fraction(1, 10)])
    counts = np.bincount(sides, minlength=3)
    assert abs(counts[0] - 16_000) < 300
    assert abs(counts[1] - 2_000) < 200


def test_points_are_the_same_for_ever() -> None:
    """What was split once is split so by every later version of LDB."""
    assert mixed(np.arange(3, dtype=np.uint64), 0).tolist() == POINTS_0
    assert mixed(np.arange(3, dtype=np.uint64), 7).tolist() == POINTS_7
    together = grouped(ids(3), [b"\xa3cat", None, b"\xa3cat"], 0)
    assert (together.of_row.tolist(), together.points.tolist()) == ([0, 1, 0], POINTS_GROUPS)


POINTS_0 = [6900752290152223510, 7870191618321381000, 12663574367497612616]
POINTS_7 = [18334306618140587173, 10391630208691088321, 10874165981961366848]
POINTS_GROUPS = [18224272155972345948, 17914268458919695010]


def test_seeds_differ() -> None:
    heads = np.arange(1000, dtype=np.uint64)
    half = np.uint64(2**63)
    same = ((mixed(heads, 1) < half) == (mixed(heads, 2) < half)).sum()
    assert 400 < same < 600


def test_no_rows_at_all() -> None:
    none = Groups(np.zeros(0, np.int64), np.zeros(0, np.uint64))
    assert len(by_point(none.points, [Fraction(1)])) == 0
    assert len(balanced(none, strata_of(none, np.zeros(0, np.int64)), PHASES, [Fraction(1)])) == 0


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ((), "no parts"),
        (("train",), "not NAME=SHARE"),
        (("train=x",), "not NAME=SHARE"),
        (("train=1/0",), "not NAME=SHARE"),
        (("train=nan",), "not NAME=SHARE"),
        (("train=0", "test=1"), "more than 0"),
        (("train=-1",), "more than 0"),
        (("train=1.5",), "at most 1"),
        (("train=.5", "train=.5"), "a second part"),
        (("train=.8", "test=.3"), "1.1 together"),
        (("train=1e-99",), "finer"),
    ],
)
def test_shares_that_cannot_be(texts: tuple[str, ...], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        parse_shares(texts)


def test_shares_are_exact() -> None:
    assert sum(parse_shares(["a=.1", "b=.2", "c=.7"]).values()) == 1
    assert parse_shares(["a=1/3"]) == {"a": Fraction(1, 3)}
