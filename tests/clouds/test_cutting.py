"""Places to cut a listing at: whatever the names are, each key is in one stretch."""

from __future__ import annotations

import asyncio
from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from ldb.clouds.base import Stretch
from ldb.clouds.cutting import MOST, cut

CHARACTERS = st.sampled_from("ab/_0~\x01\ud7ff\ue000\U0010ffff")
KEYS = st.sets(st.text(CHARACTERS, min_size=1, max_size=8), max_size=40).map(sorted)


class Bucket:
    """Sorted keys, and how often the first one of a stretch was asked for."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = sorted(keys)
        self.asked = 0

    async def first_of(self, stretch: Stretch) -> str | None:
        self.asked += 1
        return next(iter(self.of(stretch)), None)

    def of(self, stretch: Stretch) -> list[str]:
        start = bisect_right(self.keys, stretch.after)
        stop = bisect_right(self.keys, stretch.last) if stretch.last else len(self.keys)
        return self.keys[start:stop]

    def cut(self, prefix: str, stretch: Stretch, pieces: int) -> list[Stretch]:
        found = asyncio.run(cut(self.first_of, prefix, stretch, pieces))
        ends = [each.last for each in found]
        assert [each.after for each in found] == [stretch.after, *ends][: len(found)]
        assert ends[-1:] in ([stretch.last], [])
        return found

    def sizes(self, stretches: list[Stretch]) -> list[int]:
        return [len(self.of(each)) for each in stretches]


@given(KEYS, st.text(CHARACTERS, max_size=3), st.data(), st.integers(2, 12))
def test_each_key_is_in_one_stretch(
    names: list[str], prefix: str, data: st.DataObject, pieces: int
) -> None:
    bucket = Bucket([prefix + name for name in names])
    place = st.sampled_from([prefix + name for name in names]) if names else st.just(prefix)
    after, last = data.draw(st.just("") | place), data.draw(st.just("") | place)
    if last and last < after:
        after, last = last, after
    whole = Stretch(after, last)
    found = bucket.cut(prefix, whole, pieces)
    assert [key for each in found for key in bucket.of(each)] == bucket.of(whole)
    assert len(found) <= MOST * pieces
    # What was cut off holds something; only what lies right behind the key listed last may not.
    assert all(bucket.sizes(found)[1:])


def test_pieces_of_numbered_names_are_even() -> None:
    bucket = Bucket([f"camera-1/2024/img_{number:06}.jpg" for number in range(20_000)])
    found = bucket.cut("camera-1/", Stretch(bucket.keys[999]), 16)
    assert 16 <= len(found) <= 20
    assert max(bucket.sizes(found)) == 1000
    assert bucket.asked <= 32


def test_pieces_of_folders() -> None:
    bucket = Bucket([f"{folder:02}/{number:03}" for folder in range(30) for number in range(100)])
    found = bucket.cut("", Stretch(""), 16)
    assert len(found) == 30
    assert set(bucket.sizes(found)) == {100}
    assert bucket.asked <= 36


def test_what_cannot_be_cut() -> None:
    for keys in ([], ["a"], ["a", "ab", "abc"]):
        bucket = Bucket(keys)
        found = bucket.cut("a", Stretch(""), 8)
        assert [key for each in found for key in bucket.of(each)] == keys
        assert len(found) <= 1 or len(keys) > 1
