"""Instantiate on an engine whose workers are elsewhere, into a folder that all of them see.

The driver lists a part's files in the manifest before it hands the part out, and is the only one
that writes there: appending from several machines is safe on no network disk. Workers
read, fetch, verify and publish files; each proves before that its folder is the driver's.
Design: docs/design/015-scale-out.md.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import tempfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ldb.clouds.options import adopt, shareable
from ldb.engines.base import Engine
from ldb.errors import SAME_DISKS, BadInput
from ldb.formats.base import Writer as LabelWriter
from ldb.instance import Instance, open_elsewhere
from ldb.instantiate.items import Chosen, Items
from ldb.instantiate.layout import Layout
from ldb.instantiate.listing import Before, Listing
from ldb.instantiate.manifest import Journal, Listed
from ldb.instantiate.model import Entry
from ldb.instantiate.options import Problem
from ldb.instantiate.remote import RemoteWriter
from ldb.instantiate.target import PARTIAL, Target, target_errors
from ldb.instantiate.write import BatchResult, WriteOptions
from ldb.storage.cache import CacheOptions
from ldb.storage.remote import Clients
from ldb.system import BINARY

PART = 256
"""Places in the plan that are an item."""

_LINKED = ("hardlink", "reflink")


@dataclass(frozen=True, slots=True)
class Part:
    """Some objects to be written, as they are sent."""

    chosen: Chosen
    layout: Layout
    listed: Listed
    """What earlier runs listed of these files."""


@dataclass(slots=True)
class Written:
    """What became of a part."""

    results: list[BatchResult] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    """Lines for the manifest: files that were listed and are not written."""


@contextlib.contextmanager
def probe(folder: str) -> Iterator[tuple[str, str]]:
    """A file in the target with content that nobody can guess: its name and its content."""
    name, content = f"{PARTIAL}/probe-{secrets.token_hex(8)}", secrets.token_hex(16)
    path = os.path.join(folder, name)
    with target_errors(folder):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o644)
        with open(fd, "w", encoding="ascii") as file:
            file.write(content)
    try:
        yield name, content
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def check(folder: str, proof: tuple[str, str]) -> None:
    """Raise `BadInput` unless this is the folder that the probe was put into."""
    name, content = proof
    where = f"on the worker at {platform.node()}"
    found = ""
    try:
        with open(os.path.join(folder, name), encoding="ascii", errors="replace") as file:
            found = file.read(1024)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise BadInput(folder, f"cannot be read {where}: {error.strerror}", SAME_DISKS) from None
    if found != content:
        raise BadInput(folder, f"is not the same folder {where}", SAME_DISKS)
    if not os.access(os.path.join(folder, PARTIAL), os.W_OK | os.X_OK):
        raise BadInput(folder, f"cannot be written {where}", "as which user does it run?")


@dataclass(frozen=True, slots=True)
class FolderProbe:
    """Work that only looks whether the target is the driver's."""

    folder: str
    proof: tuple[str, str]

    @contextlib.contextmanager
    def __call__(self) -> Iterator[FolderProbe]:
        check(self.folder, self.proof)
        yield self

    def do(self, item: None) -> None:
        """Nothing."""

    def settle(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class WriterOpener:
    """Opens a worker's writer; sent to the worker."""

    url: str
    instance_id: str
    write: WriteOptions
    has_files: bool
    of_some: bool
    labels: LabelWriter | None
    probe: tuple[str, str]
    options: Mapping[str, Mapping[str, Any]] | None = None
    """How buckets are reached; nothing secret."""

    def __reduce__(self) -> tuple[object, ...]:
        known = (self.url, self.instance_id, self.write, self.has_files, self.of_some)
        return WriterOpener, (*known, self.labels, self.probe, shareable())

    @contextlib.contextmanager
    def __call__(self) -> Iterator[_Writers]:
        check(self.write.folder, self.probe)
        if self.options:
            adopt(self.options)
        instance = open_elsewhere(self.url, self.instance_id)
        with Clients() as clients:
            yield _Writers(self, instance, clients)


class _Writers:
    """An open worker: a writer for each part."""

    def __init__(self, opener: WriterOpener, instance: Instance, clients: Clients) -> None:
        self._opener = opener
        self._instance = instance
        self._clients = clients

    def settle(self) -> None:
        """As in a local run nothing is flushed: who doubts runs it again, which reads it all."""

    def do(self, part: Part) -> Written:
        """Write a part."""
        given = self._opener
        items = Items(self._instance, part.chosen, part.layout, given.labels)
        before = Before(part.listed, given.has_files, given.of_some)
        written = Written()
        # What is to be linked must lie on the target's disk.
        near = os.path.join(given.write.folder, PARTIAL) if given.write.link in _LINKED else None
        with tempfile.TemporaryDirectory(prefix="ldb-fetched-", dir=near) as folder:
            options = replace(given.write, cache=CacheOptions(folder))
            writer = _PartWriter(items, options, before, self._clients)
            with writer:
                written.results += writer.write(0, len(part.chosen.ids))
            written.undone = writer.undone
        for result in written.results:
            result.problems = [_there(each) for each in result.problems]
            result.passed_over = [_there(each) for each in result.passed_over]
        return written


def _there(problem: Problem) -> Problem:
    """The same, saying where: it may be that just this worker lacks a disk."""
    return Problem(problem.path, f"{problem.why} (on the worker at {platform.node()})")


class _PartWriter(RemoteWriter):
    """A `Writer` whose files are listed already."""

    def _new_target(self, folder: str) -> Target:
        return Target(folder, f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}")

    def _new_listing(self, before: Before) -> Listing:
        self._told = _Told(self._target, before)
        return self._told

    @property
    def undone(self) -> list[str]:
        return self._told.undone


class _Told(Listing):
    """A listing that was made by the driver."""

    def __init__(self, target: Target, before: Before) -> None:
        super().__init__(target, before)
        self.undone: list[str] = []

    def _open(self) -> int:
        return -1

    def close(self) -> None:
        """Nothing is open."""

    def undo(self, path: str) -> None:
        super().undo(path)
        self.undone.append(self._lines.pop())

    def flush(self) -> None:
        self._lines.clear()


def write_spread(
    items: Items, options: WriteOptions, before: Before, engine: Engine, journal: Journal,
    target: Target, proof: tuple[str, str],
) -> Generator[BatchResult, None, None]:  # fmt: skip
    """Write all items by an engine's workers; results of all batches."""
    opener = opener_of(items, options, before, proof)
    listing = Listing(target, before)
    try:
        parts = _listed_parts(items, options, before, listing, journal)
        with engine.run(opener, parts, "instantiate") as results:
            for written in results:
                listing.add(written.undone)
                yield from written.results
    finally:
        listing.close()


def opener_of(
    items: Items, options: WriteOptions, before: Before, proof: tuple[str, str]
) -> WriterOpener:
    """What is sent to workers."""
    instance = items.instance
    return WriterOpener(
        instance.url,
        instance.id,
        options,
        before.has_files,
        bool(before.listed.entries),
        items.writer,
        proof,
    )


def _listed_parts(
    items: Items, options: WriteOptions, before: Before, listing: Listing, journal: Journal
) -> Iterator[Part]:
    """Parts of the plan, each listed before it is handed out."""
    count = len(items.chosen.ids)
    for start in range(0, count, PART):
        stop = min(count, start + PART)
        for batch in items.batches(start, stop, PART):
            if options.labels:
                batch = [item._replace(payload=None, annotation=b"") for item in batch]
            listing.plan_items(batch, options.annotations_only)
        items.refused.clear()  # workers tell
        known, listing.planned = listing.planned, []
        journal.planned(known)
        listed = before.listed
        entries: dict[str, Entry] = {path: listed.entries[path] for path in known}
        yield Part(
            items.chosen.part(start, stop),
            items.layout.part(start, stop),
            Listed(entries, listed.unfinished & entries.keys()),
        )
