"""Run lengths of masks, with pycocotools as the second opinion on COCO's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.errors import BadInput
from ldb.formats.boxes.rle import (
    LARGEST,
    area_of,
    bitmap_of,
    bitmap_of_rows,
    box_around,
    counts_of,
    mask_of,
    rows_of,
    text_of_counts,
)


@st.composite
def bitmaps(draw: st.DrawFn) -> Any:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    seed = draw(st.integers(0, 1 << 32))
    noise = np.random.default_rng(seed).random((height, width))
    return noise < draw(st.sampled_from([0, 0.02, 0.5, 0.98, 1]))


@settings(max_examples=25)
@given(bitmaps())
def test_there_and_back(bitmap: Any) -> None:
    assert np.array_equal(bitmap_of(mask_of(bitmap)), bitmap)
    assert area_of(mask_of(bitmap)) == bitmap.sum()
    if bitmap.any():
        counts, cut = rows_of(bitmap)
        size = bitmap.shape[1], bitmap.shape[0]
        assert np.array_equal(bitmap_of_rows(counts, cut, size), bitmap)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 1 << 28), max_size=20))
def test_texts_of_counts(counts: list[int]) -> None:
    assert counts_of(text_of_counts(counts)) == counts


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(max_examples=25)
@given(bitmaps())
def test_pycocotools_says_the_same(bitmap: Any) -> None:
    masks = pytest.importorskip("pycocotools.mask")
    theirs = masks.encode(np.asfortranarray(bitmap.astype(np.uint8)))
    ours = mask_of(bitmap)
    assert ours == {"size": [*bitmap.shape], "counts": theirs["counts"].decode()}
    assert np.array_equal(masks.decode({**ours, "counts": ours["counts"].encode()}), bitmap)
    plain = {"size": ours["size"], "counts": counts_of(ours["counts"])}
    assert masks.frPyObjects(plain, *ours["size"])["counts"].decode() == ours["counts"]
    if bitmap.any():
        assert box_around(bitmap) == tuple(masks.toBbox(theirs).tolist())


@pytest.mark.parametrize(
    "mask",
    [
        {},
        {"size": [2, 2]},
        {"size": [2, 2], "counts": [1, 2]},
        {"size": [2, 2], "counts": [1, -1, 4]},
        {"size": [2, 2], "counts": [1.0, 3.0]},
        {"size": [2], "counts": [2]},
        {"size": "22", "counts": [4]},
        {"size": [2, 2], "counts": "~"},
        {"size": [2, 2], "counts": "P"},
        {"size": [2, 2], "counts": "oooooooooooo"},
        {"size": [LARGEST, 2], "counts": [2 * LARGEST]},
    ],
)
def test_what_is_no_mask_is_refused(mask: Any) -> None:
    for ask in (bitmap_of, area_of):
        with pytest.raises(BadInput, match="mask"):
            ask(mask)
