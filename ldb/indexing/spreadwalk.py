"""Walking a tree on a disk by the workers of an engine: folders go out, what they hold comes back.

A worker stops where a result would get large, and names the folders that it did not come to; these
are walked, by all, when it is their turn. Design: docs/design/015-scale-out.md.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ldb.engines.base import Engine
from ldb.errors import SAME_DISKS, NotFound
from ldb.indexing.walkers import Listed, packed, walk_to_fork
from ldb.storage.listing import Folder, Report, Skip, Walk, identities

MOST = 20_000
"""Files after which a worker walks into no further folder."""

ITEMS, TOGETHER = 32, 64
"""Items that many folders are parted into, at least, and most folders of one."""


@dataclass(slots=True)
class Found:
    """What lies below the folders of an item, or some of it."""

    folders: list[tuple[Any, ...]] = field(default_factory=list)
    """The parts of `Listed`, in the order of a walk."""
    problems: list[tuple[bytes, str]] = field(default_factory=list)
    left: list[bytes] = field(default_factory=list)
    """Folders that follow, to be walked yet."""
    missing: list[bytes] = field(default_factory=list)
    """Folders of the item that this worker does not see."""
    worker: str = field(default_factory=platform.node)


@dataclass(frozen=True, slots=True)
class WalkerOpener:
    """Opens a worker's walker; sent to the worker."""

    root: bytes
    """Absolute, with a trailing slash."""
    own: str
    """The instance's own folder, or empty."""
    stats: bool
    most: int

    @contextlib.contextmanager
    def __call__(self) -> Iterator[_Walker]:
        yield _Walker(self)


class _Walker:
    """An open worker."""

    def __init__(self, opener: WalkerOpener) -> None:
        self._opener = opener
        # Devices have other numbers on other machines.
        self._skip = identities([os.fsencode(opener.own)])

    def settle(self) -> None:
        """Nothing is written."""

    def do(self, paths: Sequence[bytes]) -> Found:
        """Walk folders, as far as an item goes."""
        found, count = Found(), 0
        for at, path in enumerate(paths):
            if count >= self._opener.most:
                found.left += paths[at:]
                break
            if os.path.lexists(path):
                count += self._walk(path, self._opener.most - count, found)
            else:
                found.missing.append(path)
                found.folders.append(packed(Folder(path, unlisted=True)))
        return found

    def _walk(self, path: bytes, most: int, found: Found) -> int:
        """Walk one folder into `found`; how many files and folders there were."""

        def report(where: bytes, why: str) -> None:
            found.problems.append((where, why))

        above = identities(_above(self._opener.root, path))
        walk = Walk(path, report, self._skip, above, self._opener.stats)
        count = 0
        for folder in walk:
            found.folders.append(packed(folder))
            count += 1 + len(folder.names)
            if count >= most:
                break
        found.left = walk.left()
        return count


def walk_spread(
    root: bytes, report: Report, skip: Skip, own: str, engine: Engine, stats: bool = True
) -> Iterator[Folder | Listed]:
    """As `walk`, by an engine's workers. `root` ends with a slash; `own` is to be skipped.

    Raises `NotFound` where a worker lacks a folder that is there.
    """
    opener = WalkerOpener(root, own, stats, MOST)

    def below(paths: list[bytes], above: Skip) -> Iterator[Folder | Listed]:
        if not paths:
            return
        size = min(TOGETHER, max(1, len(paths) // ITEMS))
        items = (paths[at : at + size] for at in range(0, len(paths), size))
        with engine.run(opener, items, "listing", together=False) as results:
            for found in results:
                _check(found, report)
                for parts in found.folders:
                    yield Listed(*parts)
                yield from below(found.left, above)

    return walk_to_fork(root, report, skip, below, stats)


def _check(found: Found, report: Report) -> None:
    for problem in found.problems:
        report(*problem)
    for path in found.missing:
        if os.path.lexists(path):
            raise NotFound(
                f"on the worker at {found.worker}: folder", os.fsdecode(path), SAME_DISKS
            )
        report(path, "is gone since its folder was listed")


def _above(root: bytes, path: bytes) -> list[bytes]:
    """The folders from the root to the one that `path` is in."""
    parts = path[len(root) :].split(b"/")[:-2]
    return [root + b"".join(part + b"/" for part in parts[:at]) for at in range(len(parts) + 1)]
