"""How often, how long apart, and for how long a request is tried.

Pauses double, are jittered so that many clients do not come back at once, and give way to what
the store asks for in `Retry-After`. Figures and reasons: docs/design/010-clouds.md.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """The bounds."""

    tries: int = 8
    seconds: float = 60.0
    first: float = 0.2
    """Seconds before the second try; the others are twice the one before."""
    most: float = 10.0


class Waiting:
    """One request's way through its tries."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._start = time.monotonic()
        self.tried = 0

    def seconds(self) -> float:
        """Since the first try (or its failure)."""
        return time.monotonic() - self._start

    def pause(self, asked: float | None) -> float | None:
        """Seconds until the next try after one that failed; None: there is none.

        `asked` is what the store wants us to wait. One that wants more than is left is not
        asked again: the answer would be the same.
        """
        self.tried += 1
        if self.tried >= self._patience.tries:
            return None
        doubled = self._patience.first * 2.0 ** (self.tried - 1)
        pause = min(self._patience.most, doubled) * random.uniform(0.5, 1.0)
        pause = max(pause, asked or 0.0)
        return None if self.seconds() + pause > self._patience.seconds else pause
