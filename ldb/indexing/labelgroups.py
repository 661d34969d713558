"""Locations in a label format: a local folder, a prefix of an object store.

What `labelscan.py` compares with the index, made of a walk or of a listing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ldb.catalog import FOLDER_END
from ldb.indexing.jobs import FolderJobs, LabelRow
from ldb.indexing.labelfiles import CloudListing, LocalListing, Stood
from ldb.indexing.labelscan import Group, LabelScan
from ldb.indexing.scan import Scan
from ldb.indexing.seen import Cursor, Seen
from ldb.indexing.targets import Target
from ldb.storage.listing import Folder, read_folder, walk
from ldb.storage.location import uri_bytes
from ldb.storage.reading import settled_mtime

if TYPE_CHECKING:
    from ldb.indexing.cloudscan import CloudScan
    from ldb.indexing.cloudtargets import CloudTarget
    from ldb.storage.cloudlisting import Fact, Window


@dataclass(frozen=True, slots=True)
class LocalGroup:
    """A local folder."""

    folder: Folder
    start: bytes
    whole: bool
    now: int
    """Nanoseconds since 1970, before it was listed."""

    @property
    def names(self) -> Sequence[bytes]:
        return self.folder.names

    @property
    def stop(self) -> bytes:
        # What lies below a folder that cannot be listed stays as it is.
        return _after(self.start[:-1] if self.unlisted else self.start)

    @property
    def unlisted(self) -> bool:
        return self.folder.unlisted

    def standing(self, old: Seen) -> list[int]:
        where = {key: at for at, key in enumerate(old.keys)}
        rows = [where.get(self.start + name, -1) for name in self.names]
        sizes, mtimes = self.folder.sizes, self.folder.mtimes
        return [
            row if row >= 0 and old.sizes[row] == size and old.mtimes[row] == mtime else -1
            for row, size, mtime in zip(rows, sizes, mtimes)
        ]

    def state(self, at: int) -> LabelRow:
        mtime = settled_mtime(self.folder.mtimes[at], self.now)
        return LabelRow(b"", self.folder.sizes[at], mtime)


def local_jobs(scan: Scan, target: Target) -> Iterator[FolderJobs]:
    """Jobs for a local folder, or for files of it that were named one by one."""
    assert target.labels is not None
    now = time.time_ns()
    uri = uri_bytes(target.folder)
    if target.names is None:
        folders = list(walk(target.folder, scan.report, scan.skip))
    else:
        found = read_folder(target.folder, target.about(scan.report))[0]
        folders = [_named(found, target.names)]
    whole = target.names is None
    groups: list[Group] = [
        LocalGroup(each, uri_bytes(each.path)[:-1] + FOLDER_END, whole, now) for each in folders
    ]
    files = {
        _text(folder.path[len(target.folder) :] + name): Stood(size, mtime)
        for folder in folders
        for name, size, mtime in zip(folder.names, folder.sizes, folder.mtimes)
    }

    def rows() -> Cursor:
        return Cursor(scan.catalog.paths_under(uri if whole else uri[:-1] + FOLDER_END))

    listing = LocalListing(_text(uri), files)
    labels = LabelScan(scan, target.labels, listing, groups, len(uri), rows, forget=lambda _: whole)
    yield from (jobs for _, jobs in labels.jobs())


def _named(folder: Folder, names: frozenset[bytes]) -> Folder:
    kept = [at for at, name in enumerate(folder.names) if name in names]
    return replace(
        folder,
        names=[folder.names[at] for at in kept],
        sizes=[folder.sizes[at] for at in kept],
        mtimes=[folder.mtimes[at] for at in kept],
    )


@dataclass(frozen=True, slots=True)
class CloudGroup:
    """Objects right in one folder of a bucket."""

    window: Window
    start: bytes
    stop: bytes
    whole: bool
    unlisted = False

    @property
    def names(self) -> Sequence[bytes]:
        return self.window.names

    @property
    def facts(self) -> Mapping[bytes, Fact]:
        """What was listed, by name."""
        return dict(zip(self.window.names, self.window.facts, strict=True))

    def standing(self, old: Seen) -> list[int]:
        from ldb.indexing.cloudscan import standing

        return standing(
            {key: at for at, key in enumerate(old.keys)},
            [self.start + name for name in self.names],
            self.window.facts,
            old,
        )

    def state(self, at: int) -> LabelRow:
        from ldb.storage.remote import stamp_of

        fact = self.window.facts[at]
        mtime = fact.mtime if fact.token else settled_mtime(fact.mtime, time.time_ns())
        return LabelRow(b"", fact.size, mtime, stamp_of(fact.token))


def cloud_jobs(
    scan: CloudScan, target: CloudTarget, windows: Sequence[Window], complete: bool
) -> Iterator[tuple[FolderJobs, Mapping[bytes, Fact]]]:
    """Jobs for a prefix of an object store, with what was listed of the files that they name."""
    assert target.labels is not None
    groups: list[Group] = [
        CloudGroup(window, _start(window.folder), stop, complete and target.whole(window.folder))
        for window, stop in _with_stops(windows)
    ]
    files = {
        _text(window.folder[len(target.folder) :] + name): Stood(fact.size, fact.mtime, fact.token)
        for window in windows
        for name, fact in zip(window.names, window.facts, strict=True)
    }
    labels = LabelScan(
        scan,
        target.labels,
        CloudListing(_text(target.folder), files, scan.clients),
        groups,
        len(target.folder),
        lambda: scan.cursor(target),
        forget=lambda start: complete and target.whole(start[:-1]),
    )
    for group, jobs in labels.jobs():
        yield jobs, group.facts if isinstance(group, CloudGroup) else {}


def _with_stops(windows: Sequence[Window]) -> Iterator[tuple[Window, bytes]]:
    for at, window in enumerate(windows):
        start = _start(window.folder)
        following = windows[at + 1] if at + 1 < len(windows) else None
        same = following is not None and following.folder == window.folder
        yield window, start + following.names[0] if same and following else _after(start)


def _start(folder: bytes) -> bytes:
    """What the keys of a folder's files begin with; `folder` ends in a slash."""
    return folder[:-1] + FOLDER_END


def _after(key: bytes) -> bytes:
    """The first key that does not begin with this one."""
    return key[:-1] + bytes([key[-1] + 1])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
