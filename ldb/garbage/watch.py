"""Time that has passed, also while the machine slept.

`time.monotonic` stands still on a sleeping Linux or macOS machine, and the wall clock may be
set back; so both are asked, and the longer time counts.
"""

from __future__ import annotations

import sys
import time

_ALWAYS = getattr(time, "CLOCK_BOOTTIME", None)
if sys.platform == "darwin":  # there it is this one that goes on
    _ALWAYS = getattr(time, "CLOCK_MONOTONIC", None)


def readings() -> tuple[float, float]:
    """Two clocks, in seconds: one that is never set, and the wall clock."""
    steady = time.monotonic() if _ALWAYS is None else time.clock_gettime(_ALWAYS)
    return steady, time.time()


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = readings()

    def elapsed(self) -> float:
        """The longest that any clock says."""
        return max(now - start for now, start in zip(readings(), self._start, strict=True))
