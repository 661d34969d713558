"""Brackets are counted exactly where there are many, and never too low."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ldb.objects.brackets import opening

TEXTS = st.lists(st.text("[{]}a;", max_size=20).map(str.encode), max_size=60)


@given(TEXTS, st.integers(0, 60))
def test_bounds(texts: list[bytes], enough: int) -> None:
    found = opening(texts, enough)
    exact = [text.count(b"[") + text.count(b"{") for text in texts]
    assert len(found) == len(texts)
    for count, bound in zip(exact, found):
        assert count == bound if count > enough else count <= bound <= enough


def test_not_every_text_of_a_long_row_is_suspected() -> None:
    assert opening([b"[[]]"] * 1000, 256) == [32] * 992 + [16] * 8
