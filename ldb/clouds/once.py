"""Keeps aiohttp from sending a request twice.

Below s3fs and adlfs, aiohttp repeats a PUT by itself where the connection is lost before the
answer, and a conditional one then comes back as "is there already" though it was ours. No library
has a switch for it, so the session's own is turned off. Where a release has it no longer, `turned`
says so, and every "is there already" counts as doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Once:
    """The sessions of one library's client; `sessions` gives those that it has just now."""

    def __init__(self, sessions: Callable[[], Iterable[object]]) -> None:
        self._sessions = sessions

    def turned(self) -> frozenset[int]:
        """The sessions that send once, after this; a client without any yet has none."""
        try:
            found = [each for each in self._sessions() if hasattr(each, "_retry_connection")]
        except AttributeError:
            return frozenset()
        for session in found:
            session._retry_connection = False
        return frozenset(map(id, found))

    def was_kept(self, before: frozenset[int]) -> bool:
        """Whether a request since then can only have gone by one of those sessions."""
        return bool(before) and self.turned() == before
