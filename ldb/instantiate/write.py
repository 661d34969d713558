"""Writing a batch of objects: data file, then annotation, each verified, never half there.

This runs in the workers. What goes wrong with one file is a problem of that file; a full
disk and the like (`StoreFailed`) end the run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ldb.errors import BadInput
from ldb.instantiate.annotation import annotation_text, payload_of, read_text
from ldb.instantiate.caching import CachedFetcher
from ldb.instantiate.items import Items
from ldb.instantiate.linking import Linker, is_one_of, is_unchanged_link
from ldb.instantiate.listing import Before, Listing
from ldb.instantiate.manifest import is_entry
from ldb.instantiate.model import Entry, Item
from ldb.instantiate.notes import write_new
from ldb.instantiate.options import Link, Problem
from ldb.instantiate.source import Elsewhere, Fetcher, Stale, is_object
from ldb.instantiate.target import Refused, Target, failure, open_regular, refusal
from ldb.storage.cache import Cache, CacheOptions
from ldb.storage.folders import Folder
from ldb.storage.location import is_local

EDITED = "was edited since it was instantiated; -f replaces it"
NOT_OURS = "is there and was not made by LDB; move it away"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a worker needs to know; sent to it."""

    folder: str
    algorithm: str
    link: Link
    force: bool
    annotations_only: bool
    labels: bool = False
    """Annotations go into label files, which are written when all data files are there."""
    cache: CacheOptions | None = None


@dataclass(slots=True)
class BatchResult:
    """What became of a batch."""

    done: int = 0
    """Objects in it."""
    objects: int = 0
    annotations: int = 0
    label_files: int = 0
    already_there: int = 0
    problems: list[Problem] = field(default_factory=list)
    passed_over: list[Problem] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    """Paths listed by earlier runs that are part of this one."""
    deferred: list[bytes] = field(default_factory=list)
    """Ids of objects that have to be fetched from a remote place; not in `done`."""
    failed: list[bytes] = field(default_factory=list)
    """Ids of objects that could not be written, for formats whose label files come after."""


class _Standing(Enum):
    """What a name that is to be written stands for."""

    FREE = 0
    SAME = 1
    """A file with the right content."""
    OURS = 2
    """A file that LDB made, with other content."""


class Failed(Exception):
    """This file has problems; they are noted."""


class Writer:
    """Writes items into one target folder."""

    def __init__(self, items: Items, options: WriteOptions, before: Before) -> None:
        self._items = items
        self._options = options
        self._target = self._new_target(options.folder)
        self._cache = Cache(options.cache.folder, options.algorithm) if options.cache else None
        self._fetcher = self._new_fetcher()
        self._linker = Linker(self._target)
        self._listing = self._new_listing(before)
        self._fresh = before.is_fresh
        """Write first, and look only where a name turns out to be taken."""
        through_cache = options.cache is not None and options.cache.local
        self._may_link = self._fresh and options.link == "hardlink" and not through_cache

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *failed: object) -> None:
        self._listing.close()
        self._linker.close()
        if self._cache is not None:
            self._cache.close()
        self._target.close()

    def _new_target(self, folder: str) -> Target:
        return Target(folder)

    def _new_listing(self, before: Before) -> Listing:
        return Listing(self._target, before)

    def _new_fetcher(self) -> Fetcher:
        target, options = self._target, self._options
        if self._cache is None or options.cache is None:
            return Fetcher(target, options.algorithm, options.link)
        local = options.cache.local
        return CachedFetcher(target, options.algorithm, options.link, self._cache, local)

    def write(self, start: int, stop: int) -> Iterator[BatchResult]:
        """Write the items of places [start, stop) in the plan."""
        for batch in self._items.batches(start, stop):
            yield self._write_batch(batch)

    def _write_batch(self, batch: list[Item]) -> BatchResult:
        result = BatchResult(done=len(batch))
        if self._options.labels:
            batch = [item._replace(payload=None, annotation=b"") for item in batch]
            result.problems += self._items.refused
            result.done += len(self._items.refused)
            self._items.refused.clear()
        batch = self._listing.plan_items(batch, self._options.annotations_only)
        notes = [item for item in self._with_data(batch, result) if item.payload is not None]
        written = write_new(self._target, notes) if self._fresh else [False] * len(notes)
        result.annotations += sum(written)
        for item, is_there in zip(notes, written, strict=True):
            if not is_there:
                self._write_annotation(item, result)
        self._listing.flush()
        result.planned, self._listing.planned = self._listing.planned, []
        result.done -= len(result.deferred)
        return result

    def _with_data(self, batch: list[Item], result: BatchResult) -> list[Item]:
        """Write the data files; the items whose annotation may follow."""
        if self._options.annotations_only:
            return batch
        linked = self._linker.link_unchanged(batch) if self._may_link else [False] * len(batch)
        result.objects += sum(linked)
        return [
            item
            for item, is_there in zip(batch, linked, strict=True)
            if is_there or self._write_data(item, result)
        ]

    def _write_data(self, item: Item, result: BatchResult) -> bool:
        """Whether the data file is there now."""
        try:
            new = self._data(item, result)
        except Elsewhere:
            result.deferred.append(item.id)
            return False
        except Failed:
            result.failed.append(item.id)
            # An annotation alone would be no pair.
            self._listing.undo(item.name.data_path)
            if item.payload is not None:
                self._listing.undo(item.name.annotation_path)
            return False
        result.objects += new
        result.already_there += not new
        return True

    def _write_annotation(self, item: Item, result: BatchResult) -> None:
        try:
            new = self._annotation(item, item.payload or b"", result)
        except Failed:
            self._listing.undo(item.name.annotation_path)
            return
        result.annotations += new
        result.already_there += not new

    def _data(self, item: Item, result: BatchResult) -> bool:
        file = DataFile(item, self._fetcher, self._options.algorithm)
        try:
            return self._place(file, result)
        finally:
            result.passed_over += file.passed_over
            result.problems += file.problems

    def _annotation(self, item: Item, payload: bytes, result: BatchResult) -> bool:
        try:
            text = annotation_text(payload)
        except BadInput as error:
            result.problems.append(Problem(item.name.annotation_path, error.why))
            raise Failed from None
        return self._place(_AnnotationFile(item, text), result)

    def _place(self, file: _File, result: BatchResult) -> bool:
        """Put a file there unless the same is there; whether it was written."""
        try:
            folder = self._target.open_folder(file.folder)
            standing = _Standing.FREE
            if not self._fresh:
                standing = self._standing(folder, file, file.had)
            if standing is _Standing.SAME:
                return False
            file.make(self._target)
            if self._target.publish(folder, file.name, replace=standing is _Standing.OURS):
                return True
            self._target.drop()
            # Another worker was first, with an annotation that two data files share.
            if self._standing(folder, file, None) is _Standing.SAME:
                return False
            raise Refused(NOT_OURS)
        except Refused as error:
            why = error.why
        except OSError as error:
            why = refusal(error)
            if not why:
                raise failure(self._full_path(file), error) from error
        result.problems.append(Problem(self._full_path(file), why))
        raise Failed

    def _full_path(self, file: _File) -> str:
        return os.path.join(self._options.folder, file.folder, file.name)

    def _standing(self, folder: Folder, file: _File, had: Entry | None) -> _Standing:
        """Raises `Refused` where something is there that this run must not replace."""
        try:
            fd = open_regular(folder, file.name)
        except FileNotFoundError:
            return _Standing.FREE
        try:
            if fd is not None and file.is_in(fd):
                return _Standing.SAME
            if had is None:
                raise Refused(NOT_OURS)
            if not (fd is not None and self._was_interrupted(fd, file)):
                if self._options.force or (
                    fd is not None and is_entry(fd, had, self._options.algorithm)
                ):
                    return _Standing.OURS
                raise Refused(EDITED)
        finally:
            if fd is not None:
                os.close(fd)
        folder.unlink(file.name)
        return _Standing.FREE

    def _was_interrupted(self, fd: int, file: _File) -> bool:
        """Whether a run was killed between linking a changed file and taking the name back."""
        path = f"{file.folder}/{file.name}" if file.folder else file.name
        return self._listing.was_unfinished(path) and is_one_of(fd, file.sources)


class _File(Protocol):
    """A file that is to be in the target."""

    folder: str
    name: str
    had: Entry | None
    """What the manifest lists under its name."""

    @property
    def sources(self) -> list[str]:
        """Where the same content is expected in storage."""
        ...

    def is_in(self, fd: int) -> bool:
        """Whether an open file has the right content."""
        ...

    def make(self, target: Target) -> None:
        """Make the temporary file; raises `Failed` where its problems are noted."""
        ...


class DataFile:
    def __init__(self, item: Item, fetcher: Fetcher, algorithm: str) -> None:
        self.folder = item.name.folder
        self.name = item.name.data
        self.had = item.had_data
        self.problems: list[Problem] = []
        self.passed_over: list[Problem] = []
        self._item = item
        self._fetcher = fetcher
        self._algorithm = algorithm

    @property
    def sources(self) -> list[str]:
        return [seen["path"] for seen in self._item.paths]

    def is_in(self, fd: int) -> bool:
        item = self._item
        return is_unchanged_link(fd, item) or is_object(fd, item.id, item.size, self._algorithm)

    def make(self, target: Target) -> None:
        item = self._item
        stale = []
        for path in sorted(self.sources, key=_is_remote):
            try:
                self._fetcher.fetch(path, item.id, item.size)
            except Stale as error:
                stale.append(Problem(path, f"id:{item.id.hex()} {error.why}"))
                target.drop()
            else:
                self.passed_over = stale
                return
        if not stale:
            stale.append(Problem(f"id:{item.id.hex()}", "no path of it is known any more"))
        self.problems = stale
        raise Failed


def _is_remote(uri: str) -> bool:
    return not is_local(uri)


class _AnnotationFile:
    def __init__(self, item: Item, text: bytes) -> None:
        self.folder = item.name.folder
        self.name = item.name.annotation
        self.had = item.had_annotation
        self._text = text
        self._payload = item.payload

    @property
    def sources(self) -> list[str]:
        return []

    def is_in(self, fd: int) -> bool:
        found = read_text(fd)
        return found == self._text or payload_of(found) == self._payload

    def make(self, target: Target) -> None:
        target.make(self._text)
