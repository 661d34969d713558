"""Annotations as generate.py makes them, drawn a batch at a time: forty times as fast.

Same keys in the same order, same ranges and chances, same lengths; the boxes come from a pool of
65,536 varied ones. Every batch is a pure function of its first position, and the answers of the
queries fall out of the draws, not out of anybody's evaluation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.generate import CLASSES, SITES, WORDS

POOL = 65_536
_CLASSES = np.array(CLASSES)
_DAYS = [f"2026-{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 29)]
_TRUTH = ("false", "true")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A batch: texts in order of position, sizes of the images, passing counts by query."""

    texts: list[bytes]
    image_sizes: list[int]
    answers: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Pool:
    boxes: list[str]
    sure_cat: NDArray[np.bool_]
    fractions: list[str]
    """`round(random(), 4)` as JSON, by ten-thousandths."""
    exposures: list[str]
    """`round(random() / 50, 5)` as JSON, by hundred-thousandths."""
    times: list[str]


@cache
def _pool() -> _Pool:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, len(CLASSES), POOL)
    scores = np.rint(draw.random(POOL) * 10_000) / 10_000
    corners = draw.integers(0, 32, (POOL, 4)).tolist()
    boxes = [
        json.dumps({"label": CLASSES[label], "score": score, "bbox": corner})
        for label, score, corner in zip(labels.tolist(), scores.tolist(), corners)
    ]
    clock = [
        f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
        for second in range(86_400)
    ]
    return _Pool(
        boxes=boxes,
        sure_cat=(labels == CLASSES.index("cat")) & (scores > 0.9),
        fractions=[json.dumps(part / 10_000) for part in range(10_001)],
        exposures=[json.dumps(part / 100_000) for part in range(2_001)],
        times=clock,
    )


def draw(start: int, stop: int) -> Drawn:
    """The annotations of positions [start, stop)."""
    pool, count = _pool(), stop - start
    dice = np.random.default_rng([1, start])
    classes = dice.integers(0, len(CLASSES), count)
    confidences = np.rint(dice.random(count) * 10_000).astype(np.int64)
    lengths = dice.integers(0, 5, count)
    chosen = dice.integers(0, POOL, int(lengths.sum()))
    columns: tuple[list[Any], ...] = (
        list(range(start, stop)),
        _CLASSES[classes].tolist(),
        confidences.tolist(),
        dice.integers(0, 2, count).tolist(),
        _joined([pool.boxes[at] for at in chosen.tolist()], lengths),
        dice.integers(0, 20, count).tolist(),
        dice.integers(0, 1 << 40, count).tolist(),
        (100 * dice.integers(1, 33, count)).tolist(),
        np.rint(dice.random(count) * 2_000).astype(np.int64).tolist(),
        dice.integers(0, len(SITES), count).tolist(),
        dice.integers(0, len(_DAYS), count).tolist(),
        dice.integers(0, 86_400, count).tolist(),
        dice.integers(650, 801, count).tolist(),
    )
    owners = np.repeat(np.arange(count), lengths)
    answers = {
        "string": int((classes == CLASSES.index("cat")).sum()),
        "number": int((confidences > 9_000).sum()),
        "length": int((lengths == 3).sum()),
        "nested": len(np.unique(owners[pool.sure_cat[chosen]])),
    }
    sizes = (75 + 33 * dice.integers(31, 91, count)).tolist()
    return Drawn([_text(pool, *row) for row in zip(*columns)], sizes, answers)


def _joined(boxes: list[str], lengths: NDArray[np.int64]) -> list[str]:
    ends = np.cumsum(lengths)
    return [", ".join(boxes[a:b]) for a, b in zip((ends - lengths).tolist(), ends.tolist())]


def _text(
    pool: _Pool,
    position: int,
    name: str,
    confidence: int,
    reviewed: int,
    boxes: str,
    model: int,
    serial: int,
    iso: int,
    exposure: int,
    site: int,
    day: int,
    second: int,
    length: int,
) -> bytes:
    text = (
        f'{{"position": {position}, "class": "{name}", "confidence": {pool.fractions[confidence]},'
        f' "reviewed": {_TRUTH[reviewed]}, "boxes": [{boxes}], "camera": {{"model": "C-{model:02d}"'
        f', "serial": "{serial:010x}", "iso": {iso}, "exposure": {pool.exposures[exposure]}, '
        f'"site": "{SITES[site]}"}}, "time": "{_DAYS[day]}T{pool.times[second]}", "revision": 0, '
        f'"note": "'
    )
    return f'{text}{WORDS[: max(0, length - len(text) - 2)]}"}}'.encode()
