"""Run lengths of masks, in the three spellings in use: COCO's list and text, and CVAT's.

COCO counts down the columns and starts with a run of zeros; its text packs each count, less the
one two before it, in groups of five bits with a continuation bit, from character 48 on. CVAT
counts along the rows of a cut-out. Sizes come from files: a bitmap is made up to `LARGEST`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput
from ldb.formats.boxes.shape import Json

LARGEST = 1 << 28
"""Pixels of a mask that is unpacked or counted."""

Bitmap = NDArray[np.bool_]
"""Shape (height, width)."""


def counts_of(text: str) -> list[int]:
    """The run lengths in a COCO text; raises `BadInput`."""
    counts: list[int] = []
    value = shift = 0
    for char in text:
        code = ord(char) - 48
        if not 0 <= code < 64 or shift > 30:
            raise BadInput("mask", f"{char!r} cannot stand there in run lengths")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        if value < 0:
            raise BadInput("mask", "a run length below zero")
        counts.append(value)
        value = shift = 0
    if shift:
        raise BadInput("mask", "run lengths that end within a number")
    return counts


def text_of_counts(counts: list[int]) -> str:
    """The COCO text of run lengths."""
    chars = []
    for at, count in enumerate(counts):
        value = count - counts[at - 2] if at > 2 else count
        while True:
            code = value & 31
            value >>= 5
            more = value != (-1 if code & 16 else 0)
            chars.append(chr(48 + (code | 32 if more else code)))
            if not more:
                break
    return "".join(chars)


def bitmap_of(mask: Json) -> Bitmap:
    """The pixels of a mask `{"size": [height, width], "counts": …}`; raises `BadInput`."""
    counts, (height, width) = _parts(mask)
    return _unrolled(counts, height * width).reshape(width, height).T


def area_of(mask: Json) -> int:
    """How many pixels of a mask are set, without unpacking it; raises `BadInput`."""
    counts, (height, width) = _parts(mask)
    _check(counts, height * width)
    return sum(counts[1::2])


def _parts(mask: Json) -> tuple[list[int], list[int]]:
    """Run lengths, and height and width."""
    size, counts = mask.get("size"), mask.get("counts")
    if isinstance(counts, str):
        counts = counts_of(counts)
    if not isinstance(size, list) or not _is_counts(size) or len(size) != 2:
        raise BadInput("mask", "its size is not [height, width]")
    if not isinstance(counts, list) or not _is_counts(counts):
        raise BadInput("mask", "its counts are not run lengths")
    return counts, size


def mask_of(bitmap: Bitmap) -> Json:
    """The mask of pixels, as COCO's text."""
    height, width = bitmap.shape
    runs = _runs(bitmap.T.reshape(-1))
    return {"size": [int(height), int(width)], "counts": text_of_counts(runs)}


def rows_of(bitmap: Bitmap) -> tuple[list[int], tuple[int, int, int, int]]:
    """CVAT's spelling: run lengths along the rows of the cut-out, its left, top, width, height."""
    left, top, width, height = box_around(bitmap)
    return _runs(bitmap[top : top + height, left : left + width].reshape(-1)), (
        left,
        top,
        width,
        height,
    )


def bitmap_of_rows(
    counts: list[int], cut: tuple[int, int, int, int], size: tuple[int, int]
) -> Bitmap:
    """Pixels of an image of `size` (width, height) from run lengths of a cut-out of it."""
    left, top, width, height = cut
    if min(cut) < 0 or left + width > size[0] or top + height > size[1]:
        raise BadInput("mask", "lies outside of its image")
    if size[0] * size[1] > LARGEST:
        raise BadInput("mask", f"more than {LARGEST} pixels")
    bitmap = np.zeros((size[1], size[0]), np.bool_)
    inside = _unrolled(counts, width * height).reshape(height, width)
    bitmap[top : top + height, left : left + width] = inside
    return bitmap


def box_around(bitmap: Bitmap) -> tuple[int, int, int, int]:
    """Left, top, width and height of the pixels that are set; zeros where none is."""
    rows, columns = np.flatnonzero(bitmap.any(1)), np.flatnonzero(bitmap.any(0))
    if not len(rows):
        return 0, 0, 0, 0
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


def _is_counts(values: list[Any]) -> bool:
    return all(type(each) is int and each >= 0 for each in values)


def _unrolled(counts: list[int], pixels: int) -> Bitmap:
    _check(counts, pixels)
    return np.repeat(np.arange(len(counts)) % 2 == 1, np.array(counts, np.int64))


def _check(counts: list[int], pixels: int) -> None:
    if pixels > LARGEST:
        raise BadInput("mask", f"more than {LARGEST} pixels")
    if sum(counts) != pixels:
        raise BadInput("mask", f"run lengths of {sum(counts)} pixels for {pixels}")


def _runs(flat: Bitmap) -> list[int]:
    """Run lengths, the first of zeros."""
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = [0, *edges.tolist(), len(flat)]
    runs = [stop - start for start, stop in itertools.pairwise(ends)]
    return [0, *runs] if len(flat) and flat[0] else runs
