"""Listing a large tree by several processes, in the same order as one would list it.

Each child walks every n-th sub-folder of the first folder that has enough of them; the
parent takes their folders turn by turn. Worth it for trees that the index knows to be
large: listing and stat-ing is most of what indexing again costs.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ldb.indexing.seen import Seen
from ldb.processes import Team, receive
from ldb.storage.listing import Folder, Report, Skip, identity, read_folder, walk

LARGE = 50_000
"""Paths the index must know for children to be worth their start."""


Below = Callable[[list[bytes], Skip], "Iterator[Folder | Listed]"]
"""Walks folders, one after the other, below those of the second argument."""


def walk_large(
    root: bytes, report: Report, skip: Skip, processes: int
) -> Iterator[Folder | Listed]:
    """As `walk`, by so many processes. `root` ends with a slash."""

    def below(paths: list[bytes], above: Skip) -> Iterator[Folder | Listed]:
        if len(paths) < 2 * processes:
            for each in paths:
                yield from walk(each, report, skip, above)
        else:
            yield from _side_by_side(paths, report, skip, above, processes)

    return walk_to_fork(root, report, skip, below)


def walk_to_fork(
    root: bytes, report: Report, skip: Skip, below: Below, stats: bool = True
) -> Iterator[Folder | Listed]:
    """As `walk`, where `below` walks all below the first folder that has several in it."""
    above: Skip = frozenset()
    path = root
    while True:
        try:
            here = identity(path)
        except OSError:
            here = None
        if here is None or here in skip or here in above:
            yield from walk(path, report, skip, above, stats)  # it says what is the matter
            return
        folder, names = read_folder(path, report, stats)
        yield folder
        above |= {here}
        if len(names) != 1:
            break
        path += names[0] + b"/"
    names.sort(key=lambda name: name + b"/")
    yield from below([path + name + b"/" for name in names], above)


def _side_by_side(
    paths: list[bytes], report: Report, skip: Skip, above: Skip, processes: int
) -> Iterator[Listed]:
    team = Team(_work, [(paths[at::processes], skip, above) for at in range(processes)])
    finished = False
    try:
        for at in range(len(paths)):
            pipe = team.pipes[at % processes]
            while (message := receive(pipe, "indexing")) is not None:
                if isinstance(message[1], str):
                    report(*message)
                else:
                    yield Listed(*message)
        finished = True
    finally:
        team.end(stop=not finished)


def _work(pipe: Connection, paths: list[bytes], skip: Skip, above: Skip) -> None:
    """A child: all folders of each path, then None; problems as (path, why)."""

    def report(path: bytes, why: str) -> None:
        pipe.send((path, why))

    for path in paths:
        for folder in walk(path, report, skip, above):
            pipe.send(packed(folder))
        pipe.send(None)


_Numbers = bytes | list[int]


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder as a child sends it: in few objects, which mostly need not be taken apart."""

    path: bytes
    names: bytes
    """A slash between any two."""
    sizes: _Numbers
    mtimes: _Numbers
    unread: list[bytes]
    unlisted: bool

    def same_as(self, old: Seen, start: int) -> bool:
        """Whether the index has just these files; names are what follows `start` in its keys."""
        sizes, mtimes = self.sizes, self.mtimes
        if isinstance(sizes, list) or isinstance(mtimes, list):
            return False  # then the lists are compared
        return len(old) > 0 and old.is_as(start, self.names, sizes, mtimes)

    def folder(self) -> Folder:
        """The folder with lists of its files."""
        names = self.names.split(b"/") if self.names else []
        sizes, mtimes = _unpack(self.sizes), _unpack(self.mtimes)
        return Folder(self.path, names, sizes, mtimes, self.unread, self.unlisted)


def packed(folder: Folder) -> tuple[Any, ...]:
    """The parts of a `Listed`: thousands of small objects cost more to send than to list."""
    names = b"/".join(folder.names)
    sizes, mtimes = _pack(folder.sizes), _pack(folder.mtimes)
    return folder.path, names, sizes, mtimes, folder.unread, folder.unlisted


def _pack(numbers: list[int]) -> _Numbers:
    try:
        packed = array("q", numbers)
    except OverflowError:  # a time after the year 2262, in nanoseconds
        return numbers
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpack(packed: _Numbers) -> list[int]:
    if isinstance(packed, list):
        return packed
    numbers = array("q")
    numbers.frombytes(packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
