"""How many arrays and objects each of many JSON texts could open, counted in numpy.

Bounds the depth of a text in a fraction of the time that counting in each by itself takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

_TOGETHER = 16
"""Texts that are counted as one, first."""


def opening(texts: Sequence[bytes], enough: int) -> list[int]:
    """The number of `[` and `{` in each text, those inside strings included.

    Where it is `enough` at most, any other number up to that may stand for it.
    """
    joined = np.frombuffer(b"".join(texts), np.uint8)
    # The two differ in one bit only.
    opens = (joined | 0x20) == ord("{")
    ends = [0, *accumulate(map(len, texts))]
    counts: list[int] = []
    for at in range(0, len(texts), _TOGETHER):
        bounds = ends[at : at + _TOGETHER + 1]
        most = int(np.count_nonzero(opens[bounds[0] : bounds[-1]]))
        if most <= enough:
            counts += [most] * (len(bounds) - 1)
        else:
            parts = (opens[start:stop] for start, stop in pairwise(bounds))
            counts += [int(np.count_nonzero(part)) for part in parts]
    return counts
