"""Where to cut a long listing, when nothing is known of the names in it.

The keys of a stretch are the leaves of a tree whose branches are characters. From a key that is
known we look for the first position at which others go on with a higher character, and hop from one
branch to the next: the first key behind `img_0` is `img_1000.jpg`, the one behind `img_1` is
`img_2000.jpg`. A place need not be a key, and a bad one only makes uneven stretches.
Why: docs/design/015-scale-out.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import takewhile
from typing import NamedTuple

from ldb.clouds import loops
from ldb.clouds.base import Stretch

FirstOf = Callable[[Stretch], Awaitable["str | None"]]
"""The first key of a stretch, if it holds any: a request of one key."""

_SURROGATES = range(0xD800, 0xE000)
"""No characters, so no key has them."""

MOST = 4
"""Times as many pieces as were asked for, at most: better some more than uneven ones."""


class _Known(NamedTuple):
    """A stretch, and a key that it holds or begins after."""

    stretch: Stretch
    key: str
    alike: int
    """Characters of the key that all of the stretch begin with, at least."""


async def cut(first_of: FirstOf, prefix: str, stretch: Stretch, pieces: int) -> list[Stretch]:
    """`stretch` in stretches that follow one another, so many at least if there are any places.

    None where it holds nothing. What has been cut into few is cut again, all of it at once.
    """
    key: str | None = stretch.after
    if not stretch.after.startswith(prefix) or stretch.after == prefix:
        key = await first_of(stretch)
    if key is None:
        return []
    alike = max(len(prefix), _in_common(key, stretch.last))
    found, count = [_Known(stretch, key, alike)], 0
    while count < len(found) < pieces:
        count = len(found)
        room = MOST * pieces // count
        parts = await loops.together(_cut(first_of, each, room) for each in found)
        found = [each for part in parts for each in part]
    return [each.stretch for each in found]


async def _cut(first_of: FirstOf, known: _Known, room: int) -> list[_Known]:
    """One stretch in at most so many; itself where there is no place."""
    stretch, key, _ = known
    at, following = await _first_fork(first_of, known)
    found: list[_Known] = []
    edge = stretch.after
    # A key that is just the place of a position before has been passed over, and is no branch.
    while following is not None and following.startswith(key[:at]):
        place = _beyond(key, at)
        assert place is not None
        found.append(_Known(Stretch(edge, place), key, at + 1))
        edge, key = place, following
        further = len(found) < room - 1
        following = await _following(first_of, stretch, key, at) if further else None
    alike = at if len(found) == room - 1 else min(at + 1, len(key))
    return [*found, _Known(Stretch(edge, stretch.last), key, alike)]


async def _first_fork(first_of: FirstOf, known: _Known) -> tuple[int, str | None]:
    """The first position of the key at which others go on higher, and the first that does.

    None where no other does. Names often fork where the ones before did, so that is looked at
    first, and further on by doubled steps.
    """
    stretch, key, low = known
    high, step, found = len(key), 0, None
    while low < high:
        middle = min(low + step, (low + high) // 2) if found is None else (low + high) // 2
        following = await _following(first_of, stretch, key, middle)
        if following is None:
            low, step = middle + 1, 2 * step + 1
        else:
            high, found = middle, following
    return high, found


async def _following(first_of: FirstOf, stretch: Stretch, key: str, at: int) -> str | None:
    """The first key of a stretch that goes on higher at a position than `key` does."""
    place = _beyond(key, at)
    return None if place is None else await first_of(Stretch(place, stretch.last))


def _in_common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other)))


def _beyond(key: str, at: int) -> str | None:
    """What all keys that share the key's first `at + 1` characters sort before; there is nothing
    behind the highest character."""
    code = ord(key[at]) + 1
    if code in _SURROGATES:
        code = _SURROGATES.stop
    return key[:at] + chr(code) if code < 0x110000 else None
