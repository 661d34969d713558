"""What a user is told while a store does not answer: that it is asked again, and why.

A request is tried for a minute, in silence that looks like a hang. Libraries print nothing:
who wants to hear of it `listen`s, as `ldb/cli/output.py` does where stderr is a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable

AFTER = 2.0
"""Seconds of trying in vain before anything is told: most faults pass sooner."""
EVERY = 15.0
"""Seconds between two notices, however many requests wait."""

Tell = Callable[[str], None]

_tell: Tell | None = None
_not_before = 0.0


def listen(tell: Tell | None) -> None:
    """From now on `tell` is called, from any thread; None: nobody is."""
    global _tell, _not_before
    _tell, _not_before = tell, 0.0


def trying_again(where: str, why: str, seconds: float) -> None:
    """A request to `where` has failed for so many seconds, and is about to be tried again."""
    global _not_before
    now = time.monotonic()
    if _tell is None or seconds < AFTER or now < _not_before:
        return
    _not_before = now + EVERY
    from ldb.redact import redact  # its patterns take a while, and most runs tell nothing

    _tell(f"waiting for {where}: {redact(shortened(why))}; trying again")


def shortened(text: str) -> str:
    """On one line, at most 300 characters: some stores answer with a page."""
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:299]}…"
