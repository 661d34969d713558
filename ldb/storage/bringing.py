"""Bringing data objects from object stores into the cache, from whichever place has them.

Each object's places are tried in order, those of many objects at once. Where a version is
known exactly that is read; where it is gone, what the key holds today, and the hash decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ldb.errors import LdbError
from ldb.storage.cache import Cache
from ldb.storage.fetching import Reader, Wanted, why_not


@dataclass(frozen=True, slots=True)
class Needed:
    """A data object, and the remote places where it was seen: URI and version (or empty)."""

    object_id: bytes
    size: int
    places: Sequence[tuple[str, str]]

    def attempts(self) -> Iterator[Wanted]:
        """What to ask for, one after the other."""
        for uri, version in self.places:
            if version:
                yield Wanted(uri, self.size, version)
            yield Wanted(uri, self.size)


@dataclass(slots=True)
class Brought:
    """What became of it."""

    path: str = ""
    """Its file in the cache; empty where no place had it."""
    data: bytes | None = None
    """Its bytes, verified, where they came whole."""
    failures: dict[str, str] = field(default_factory=dict)
    """URIs that did not have it, and why."""


def bring(reader: Reader, cache: Cache, needed: Sequence[Needed]) -> Iterator[tuple[int, Brought]]:
    """Each position in `needed` once, as it is done. Raises `StoreFailed` of the cache."""
    results = [Brought() for _ in needed]
    left = {at: each.attempts() for at, each in enumerate(needed)}
    while left:
        asked: list[tuple[int, Wanted]] = []
        for at, attempts in list(left.items()):
            wanted = next(attempts, None)
            if wanted is None:
                del left[at]
                yield at, results[at]
            else:
                asked.append((at, wanted))

        def take(number: int, pieces: Iterable[bytes]) -> Brought:
            at = asked[number][0]  # noqa: B023  (called within this round)
            each, result = needed[at], results[at]
            result.path = cache.keep(each.object_id, each.size, pieces)
            result.data = pieces[0] if isinstance(pieces, list) else None
            return result

        for number, outcome in reader.read([wanted for _, wanted in asked], take):
            at, wanted = asked[number]
            if isinstance(outcome, LdbError):
                results[at].failures[wanted.uri] = why_not(outcome)
            else:
                results[at].failures.pop(wanted.uri, None)
                del left[at]
                yield at, outcome
