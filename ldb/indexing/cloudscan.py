"""From listings of object stores to jobs: only what is new or changed since the last run.

The second kind of scan: prefixes are listed and sorted (`storage/cloudlisting.py`), then
walked beside the rows of `paths` as local folders are. A listing that fails forgets nothing.
Design: docs/design/013-cloud-locations.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from itertools import chain, groupby
from typing import TYPE_CHECKING

from ldb.catalog import FOLDER_END
from ldb.clouds.base import Changed, Client, Stat
from ldb.errors import BadInput, LdbError, NotFound, Unsupported
from ldb.formats.pairs import pair
from ldb.indexing.cloudjobs import CloudBatch, CloudJobs, batches_of
from ldb.indexing.cloudtargets import CloudTarget, stem_of_uri
from ldb.indexing.jobs import FolderJobs, Job, Kind, folder_jobs
from ldb.indexing.scan import BATCH, Scan
from ldb.indexing.seen import Cursor, Seen
from ldb.indexing.targets import only
from ldb.objects.indexrows import KIND_LABELS
from ldb.progress import SILENT, Progress
from ldb.storage.cloudlisting import Fact, Sorted, Window, taken
from ldb.storage.listing import Folder
from ldb.storage.location import LOCAL, is_remote, is_web
from ldb.storage.remote import (
    Clients,
    Pinned,
    hash_pinned,
    key_of,
    stamp_of,
    why_unread,
)

if TYPE_CHECKING:
    from ldb.indexing.spreadlisting import Spread

SAMPLE = 16
"""Objects of each target that are read before the MD5s of its listing are believed."""

SAMPLE_BYTES = 1 << 30
"""Of the sample no further one is read after so many bytes."""

MOST_STEMS = 64
"""Named objects beyond which the whole folder is listed, rather than what begins like each."""


@dataclass(slots=True)
class CloudScan(Scan):
    """A scan of object stores, and of local folders between them in the order of keys."""

    clouds: Sequence[CloudTarget] = ()
    clients: Clients = field(default_factory=Clients)
    own: bytes = b""
    """What the URIs of the instance's own objects begin with, where it is in a store."""
    progress: Progress = SILENT

    @staticmethod
    def beside(scan: Scan, clouds: Sequence[CloudTarget], progress: Progress) -> CloudScan:
        """A scan of these besides what `scan` is to look at."""
        url = scan.catalog.instance.url
        own = url.rstrip("/").encode() + b"/" if is_remote(url) else b""
        mine = (each.name for each in fields(Scan))
        given = {name: getattr(scan, name) for name in mine}
        return CloudScan(**given, clouds=clouds, own=own, progress=progress)

    def batches(self) -> Iterator[list[FolderJobs] | CloudBatch]:  # type: ignore[override]
        """Jobs in key order, `BATCH` at a time, each batch of one kind and one bucket."""
        local = LOCAL.encode()
        before = [each for each in self.clouds if each.folder < local]
        yield from chain.from_iterable(map(self._cloud_batches, before))
        yield from Scan.batches(self)
        after = [each for each in self.clouds if each.folder > local]
        yield from chain.from_iterable(map(self._cloud_batches, after))

    def _cloud_batches(self, target: CloudTarget) -> Iterator[CloudBatch]:
        sample = _Sample()
        with closing(Sorted()) as entries:
            complete = self._list(target, entries)
            self.progress.start("indexing")
            windows = entries.windows()
            if target.labels is not None:
                jobs = self._label_jobs(target, windows, complete)
            else:
                jobs = self._cloud_jobs(target, windows, complete)
            if target.vouched:
                jobs = map(sample.seen, jobs)
            yield from batches_of(jobs, BATCH, target.vouched)
        sample.check(self.clients)

    def _label_jobs(
        self, target: CloudTarget, windows: Iterator[Window], complete: bool
    ) -> Iterator[CloudJobs]:
        from ldb.indexing.labelgroups import cloud_jobs  # pairs do without

        chosen = [each for each in (self._chosen(target, one) for one in windows) if each.names]
        for jobs, facts in cloud_jobs(self, target, chosen, complete):
            named = {name: facts[name] for name in jobs.names if name in facts}
            yield CloudJobs(jobs, named)

    def _chosen(self, target: CloudTarget, window: Window) -> Window:
        """Those objects of a folder that are asked for."""
        if target.whole(window.folder):
            return window
        names = target.chosen(window.folder, window.names)
        kept = [at for at, name in enumerate(window.names) if name in names]
        return Window(
            window.folder, [window.names[at] for at in kept], [window.facts[at] for at in kept]
        )

    def _list(self, target: CloudTarget, entries: Sorted) -> bool:
        """List the target into `entries`; False where some of it may be missing."""
        self.progress.start("listing")
        spread = self._spread(target)
        try:
            stats = self._stats(target) if spread is None else spread.beginning()
            for each in taken(stats, target.folder, self.own, self.report):
                if each is not None:
                    entries.add(*each)
                self.progress.advance()
        except (Unsupported, BadInput):
            raise
        except LdbError as error:
            return self._unlisted(target, why_unread(error))
        return spread is None or self._list_rest(target, spread, entries)

    def _spread(self, target: CloudTarget) -> Spread | None:
        """The same listing by an engine's workers, where there are any that could."""
        folder = target.folder.decode()
        if self.engine is None or target.only_names or is_web(folder):
            return None
        from ldb.indexing.spreadlisting import Spread  # for clusters alone

        return Spread(self.engine, self.clients.of(folder), target.folder, self.own)

    def _list_rest(self, target: CloudTarget, spread: Spread, entries: Sorted) -> bool:
        with closing(spread.rest()) as everything:
            for found in everything:
                for uri, why in found.problems:
                    self.report(uri, why)
                if found.failed:
                    return self._unlisted(target, found.failed)
                entries.add_lines(found.entries())
                self.progress.advance(found.count)
        return True

    def _unlisted(self, target: CloudTarget, why: str) -> bool:
        self.report(target.folder, f"cannot be listed: {why}")
        return False

    def _stats(self, target: CloudTarget) -> Iterator[Stat]:
        folder = target.folder.decode()
        client, prefix = self.clients.of(folder), key_of(folder)
        if not target.only_names:
            yield from client.list_parallel(prefix)
            return
        if is_web(folder):  # there may be no listing
            yield from _heads(client, target)
            return
        stems = target.stems() if len(target.names) <= MOST_STEMS else [target.folder]
        for stem in stems:
            for stat in client.list(key_of(stem.decode())):
                if "/" not in stat.key[len(prefix) :]:
                    yield stat

    def _cloud_jobs(
        self, target: CloudTarget, windows: Iterator[Window], complete: bool
    ) -> Iterator[CloudJobs]:
        seen = self.cursor(target)
        for window, following in _with_next(windows):
            start = _start(window.folder)
            yield from self._forget_cloud(target, seen.until(start), complete)
            stop = start[:-1] + b"\x02"
            if following is not None and following.folder == window.folder:
                stop = start + following.names[0]
            rows = seen.until(stop)
            whole = complete and target.whole(window.folder)
            jobs = self._compare_cloud(target, window, rows, whole)
            if jobs is not None:
                yield jobs
        yield from self._forget_cloud(target, seen.rest(), complete)

    def cursor(self, target: CloudTarget) -> Cursor:
        """The rows of `paths` beside the listing."""
        if not target.only_names:
            return Cursor(self.catalog.paths_under(target.folder))
        if len(target.names) > MOST_STEMS:
            return Cursor(self.catalog.paths_under(_start(target.folder)))
        starts = (stem.rpartition(b"/") for stem in target.stems())
        rows = (self.catalog.paths_under(folder + FOLDER_END + name) for folder, _, name in starts)
        return Cursor(chain.from_iterable(rows))

    def _forget_cloud(self, target: CloudTarget, rows: Seen, complete: bool) -> Iterator[CloudJobs]:
        """Jobs for rows of folders in which nothing is any more."""
        if not complete or not len(rows):
            return
        for jobs in self._forget(rows) if target.all else self._forget_some(target, rows):
            yield CloudJobs(jobs, {})

    def _forget_some(self, target: CloudTarget, rows: Seen) -> Iterator[FolderJobs]:
        numbered = zip(rows.keys, range(len(rows.keys)))
        for prefix, group in groupby(numbered, key=lambda row: _prefix(row[0])):
            if target.whole(prefix[:-1]):
                yield folder_jobs(prefix, [self.gone(rows, prefix, key, at) for key, at in group])

    def _compare_cloud(
        self, target: CloudTarget, window: Window, old: Seen, whole: bool
    ) -> CloudJobs | None:
        if not target.whole(window.folder):
            window = _only(window, target.chosen(window.folder, window.names))
        names, facts = window.names, window.facts
        prefix = _start(window.folder)
        keys = [prefix + name for name in names]
        where = {key: at for at, key in enumerate(old.keys)}
        stands = standing(where, keys, facts, old)
        if KIND_LABELS in old.kinds:  # it was read in another format
            stands = [at if at >= 0 and old.kinds[at] != KIND_LABELS else -1 for at in stands]
        pairing = pair(names, self.strict)
        self.counts.data += len(pairing.data)
        self.counts.annotations += len(pairing.annotations)
        self.counts.lone += pairing.lone
        jobs: list[Job] = self._changes(names, keys, pairing, old, where, stands)
        if whole:
            jobs += self._vanished(Folder(window.folder, names), prefix, keys, pairing, old)
        if not jobs:
            return None
        read = {job.name for job in jobs if job.kind in (Kind.DATA, Kind.ANNOTATION)}
        read.update(job.annotation for job in jobs if job.annotation)
        there = {name: fact for name, fact in zip(names, facts) if name in read}
        return CloudJobs(folder_jobs(prefix, jobs), there)


class _Sample:
    """Some of the objects whose MD5 would be believed, chosen at random, and their check."""

    def __init__(self) -> None:
        self._random = random.Random()
        self._count = 0
        self._chosen: list[tuple[Pinned, bytes]] = []

    def seen(self, jobs: CloudJobs) -> CloudJobs:
        """Have a chance to choose among the data files of these jobs."""
        for name, kind in zip(jobs.jobs.names, jobs.jobs.kinds):
            if kind != Kind.DATA or not (fact := jobs.facts[name]).md5:
                continue
            self._count += 1
            at = self._count - 1 if self._count <= SAMPLE else self._random.randrange(self._count)
            if at < SAMPLE:
                uri = (jobs.jobs.prefix[:-1] + name).decode()
                self._chosen[at : at + 1] = [
                    (Pinned(uri, fact.size, fact.token, fact.version), fact.md5)
                ]
        return jobs

    def check(self, clients: Clients) -> None:
        """Read them; raises `BadInput` where content is not what the listing said."""
        self._random.shuffle(self._chosen)
        count = 0
        for wanted, md5 in self._chosen:
            if count > SAMPLE_BYTES:
                return
            try:
                found = hash_pinned(clients.of(wanted.uri), wanted, "md5")
            except (Changed, NotFound):
                continue  # what was listed is not there to be compared any more
            count += wanted.size
            if found != md5:
                raise BadInput(
                    wanted.uri,
                    f"the store lists it with MD5 {md5.hex()}, its content has {found.hex()}",
                    "nothing was indexed; register the location with --no-trust-etag, so that"
                    " its objects are read",
                )


def _heads(client: Client, target: CloudTarget) -> Iterator[Stat]:
    """The named objects, and the annotations that lie beside them."""
    beside = {stem + b".json" for stem in map(stem_of_uri, target.names)}
    for uri in sorted(target.names | beside):
        try:
            yield client.head(key_of(uri.decode()))
        except NotFound:
            if uri in target.names:
                raise


def _only(window: Window, names: frozenset[bytes]) -> Window:
    """The named objects, and what goes with them by their stems."""
    every = range(len(window.names))
    kept = only(Folder(window.folder, window.names, list(every), list(every)), names).sizes
    return Window(
        window.folder, [window.names[at] for at in kept], [window.facts[at] for at in kept]
    )


def standing(where: dict[bytes, int], keys: list[bytes], facts: list[Fact], old: Seen) -> list[int]:
    """For each object the row of `old` that it still is as, or -1."""
    if not where:
        return [-1] * len(keys)
    return [
        at if at >= 0 and _same(old, at, fact) else -1
        for at, fact in zip((where.get(key, -1) for key in keys), facts)
    ]


def _same(old: Seen, at: int, fact: Fact) -> bool:
    if old.sizes[at] != fact.size or old.stamp_at(at) != stamp_of(fact.token):
        return False
    return bool(fact.token) or 0 < old.mtimes[at] == fact.mtime


def _with_next(windows: Iterator[Window]) -> Iterator[tuple[Window, Window | None]]:
    window = next(windows, None)
    while window is not None:
        following = next(windows, None)
        yield window, following
        window = following


def _start(folder: bytes) -> bytes:
    """What the keys of a folder's files begin with; `folder` ends in a slash."""
    return folder[:-1] + FOLDER_END


def _prefix(key: bytes) -> bytes:
    folder, end, _ = key.rpartition(FOLDER_END)
    return folder + end
