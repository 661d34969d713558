"""Condemned lists as gc keeps them: made, claimed, finished, cleared away."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from ldb.backends.base import Backend, Entry, Outcome
from ldb.garbage.watch import Stopwatch
from ldb.objects.condemned import (
    DONE,
    FOLDER,
    MAX_NAMES,
    Condemned,
    Lists,
    claim_key,
    claims_among,
    done_key,
    encode_list,
    is_garbage_key,
    list_key,
    lists_among,
)

CLAIM_LIFE = 3600.0
"""Seconds after which a claim may be taken over, by the store's clock."""

CLAIM_USE = 1800.0
"""Seconds for which whoever has a claim acts on it, by its own clocks."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies below `objects/pack/-gc/`."""

    entries: tuple[Entry, ...]

    @property
    def lists(self) -> Lists:
        return lists_among(entry.key for entry in self.entries)

    def stored(self, number: int) -> float:
        """When a list was stored; 0 where it is not there."""
        found = (each.stored for each in self.entries if each.key == list_key(number))
        return next(found, 0.0)


def read_folder(backend: Backend) -> Folder:
    """The folder as it is now."""
    return Folder(tuple(backend.list(FOLDER)))


def condemn(backend: Backend, lists: Lists, names: Condemned) -> tuple[int, Condemned] | None:
    """Publish names as the list after the highest; None where another gc was first.

    Those beyond `MAX_NAMES` are left for the next time. Gives what was published.
    """
    packs = sorted(names.packs)[:MAX_NAMES]
    loose = sorted(names.loose)[: MAX_NAMES - len(packs)]
    taken = Condemned(frozenset(packs), frozenset(loose))
    number = lists.highest + 1
    if backend.create(list_key(number), encode_list(number, taken)) is Outcome.EXISTS:
        return None
    return number, taken


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to sweep a list, as long as it is fresh."""

    number: int
    key: str
    stored: float
    """When the list was stored."""
    watch: Stopwatch

    def holds(self, backend: Backend) -> bool:
        """Whether it is fresh, and nobody has taken the list over: ask before each delete."""
        folder = read_folder(backend)
        _, newest = claims_among(folder.entries).get(self.number, (0, None))
        mine = newest is not None and newest.key == self.key
        return mine and self.number in folder.lists.active and self.watch.elapsed() < CLAIM_USE


def claim(backend: Backend, folder: Folder, number: int, now: float, alone: bool) -> Claim | None:
    """Claim a list; None where another run has it."""
    watch = Stopwatch()
    last, entry = claims_among(folder.entries).get(number, (0, None))
    if entry is not None and now - entry.stored < CLAIM_LIFE and not alone:
        return None
    key = claim_key(number, last + 1)
    if backend.create(key, secrets.token_hex(16).encode()) is Outcome.EXISTS:
        return None
    return Claim(number, key, folder.stored(number), watch)


def finish(backend: Backend, number: int) -> None:
    """Say that a list is swept, then clear away what that makes needless."""
    backend.create(done_key(number), DONE)
    clear(backend)


def clear(backend: Backend) -> None:
    """Delete lists and claims that are done, and all `done` marks but the highest."""
    keys = [entry.key for entry in read_folder(backend).entries if is_garbage_key(entry.key)]
    lists = lists_among(keys)
    highest = max(lists.done, default=0)
    old = {done_key(number) for number in lists.done if number < highest}
    done = tuple(f"{FOLDER}{number:010}." for number in lists.done)
    beside = [key for key in keys if key.startswith(done) and not key.endswith(".done")]
    # A list whose mark is gone would be active again: marks go last.
    backend.delete(beside)
    backend.delete(sorted(old))
