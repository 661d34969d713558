"""Hard links of stored files that are as they were when they were indexed, without reading.

The index has size and time of change of each file, proven to belong to the object by a hash
made after `first_indexed`. So where the file had held still before that, and both are the
same now, it is not read again. For all others nothing is done: source.py finds out why.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from ldb.instantiate.model import Item
from ldb.instantiate.source import Stale, source_path
from ldb.instantiate.target import Refused, Target
from ldb.storage.folders import FOLLOWED
from ldb.storage.reading import settled_mtime


class Linker:
    """Links data objects into a target under their final names."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._above = ""
        self._folder = -1

    def close(self) -> None:
        """Close the folder that is kept open."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def link_unchanged(self, items: list[Item]) -> list[bool]:
        """Link those that can be linked unread; which ones were."""
        linked = []
        for _, size, paths, first_indexed, name, *_ in items:
            seen = paths[0] if paths else None
            if seen is None or not settled_mtime(seen["mtime"], first_indexed):
                linked.append(False)
                continue
            above, _, base = seen["path"].rpartition("/")
            try:
                if above != self._above:
                    self._enter(above)
                folder = self._target.open_folder(name.folder)
                linked.append(_link_as(self._folder, base, folder, name.data, size, seen["mtime"]))
            except (OSError, ValueError, Stale, Refused):
                linked.append(False)  # the long way finds out why
        return linked

    def _enter(self, above: str) -> None:
        """Open the folder that the next files lie in: a short path is a quick one."""
        self.close()
        self._above = ""
        self._folder = os.open(source_path(above + "/"), FOLLOWED)
        self._above = above


def _link_as(source: int, base: str, folder: int, name: str, size: int, mtime: int) -> bool:
    """Link a file from an open folder to another, unless it is not of this size and time."""
    os.link(base, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
    # Looked at only now, so it is the file that has the name, whatever happens over there.
    made = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if made.st_mtime_ns == mtime and made.st_size == size and stat.S_ISREG(made.st_mode):
        return True
    os.unlink(name, dir_fd=folder)
    return False


def is_unchanged_link(fd: int, item: Item) -> bool:
    """Whether an open file is the stored one itself, as it was when it was indexed."""
    made = os.fstat(fd)
    if made.st_nlink < 2 or made.st_size != item.size:
        return False
    paths = [
        seen["path"]
        for seen in item.paths
        if seen["mtime"] == made.st_mtime_ns and settled_mtime(seen["mtime"], item.first_indexed)
    ]
    return is_one_of(fd, paths)


def is_one_of(fd: int, uris: list[str]) -> bool:
    """Whether an open file is one of these very files, under another name."""
    made = os.fstat(fd)
    for uri in uris:
        with suppress(OSError, Stale):
            if os.path.samestat(os.stat(source_path(uri)), made):
                return True
    return False
