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
from ldb.storage.folders import Folder, open_folder
from ldb.storage.reading import settled_mtime
from ldb.system import same_file


class Linker:
    """Links data objects into a target under their final names."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._above = ""
        self._folder: Folder | None = None

    def close(self) -> None:
        """Close the folder that is kept open."""
        if self._folder is not None:
            self._folder.close()
            self._folder = None

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
                source = self._entered(above)
                folder = self._target.open_folder(name.folder)
                linked.append(_link_as(source, base, folder, name.data, size, seen["mtime"]))
            except (OSError, ValueError, Stale, Refused):
                linked.append(False)  # the long way finds out why
        return linked

    def _entered(self, above: str) -> Folder:
        """The open folder that the next files lie in: a short path is a quick one."""
        if self._folder is None or above != self._above:
            self.close()
            self._folder = open_folder(source_path(above + "/"))
            self._above = above
        return self._folder


def _link_as(source: Folder, base: str, folder: Folder, name: str, size: int, mtime: int) -> bool:
    """Link a file from an open folder to another, unless it is not of this size and time."""
    source.link(base, folder, name)
    # Looked at only now, so it is the file that has the name, whatever happens over there.
    made = folder.stat(name)
    if made.st_mtime_ns == mtime and made.st_size == size and stat.S_ISREG(made.st_mode):
        return True
    folder.unlink(name)
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
            if same_file(os.stat(source_path(uri)), made):
                return True
    return False
