"""One indexing run, from targets to a new version of `ds:root`.

Packs are written first, then the commit, then the ref: a run that is killed leaves nothing
half-visible. Where another run was first, the two are merged and the ref tried again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ldb.backends.base import Backend
from ldb.catalog import PATHS, Catalog, objects_schema
from ldb.errors import BadInput
from ldb.history import Operation, SourceUsed, Version, head, now
from ldb.indexing.cloudjobs import CloudBatch
from ldb.indexing.merge import Gathered
from ldb.indexing.publish import IndexRoots, Run, map_root, publish_run, roots_of
from ldb.indexing.read import BatchResult, Problem, Reader
from ldb.indexing.scan import Scan
from ldb.indexing.targets import Target
from ldb.indexing.workers import Batch, reading
from ldb.instance import Instance
from ldb.maps import edit
from ldb.objects.batch import BatchWriter
from ldb.objects.store import ObjectStore
from ldb.processes import default_processes
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX
from ldb.storage.location import LOCAL, is_local, local_path

if TYPE_CHECKING:
    from ldb.indexing.cloudread import CloudReader
    from ldb.indexing.cloudtargets import CloudTarget


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How to index."""

    strict: bool = False
    tags: tuple[str, ...] = ()
    processes: int = 0
    """Worker processes; 0: one for each processor."""
    command: tuple[str, ...] = ("index",)
    author: str = ""
    message: str = ""
    only_if_new: bool = False
    """Make no version where nothing new was found."""
    stop_at_problem: bool = False
    """Publish nothing where a file could not be indexed; raise `BadInput` naming it."""


@dataclass(slots=True)
class IndexReport:
    """What a run found. Counts are of files, objects and annotation versions."""

    found_objects: int = 0
    """Data files seen."""
    new_objects: int = 0
    found_annotations: int = 0
    new_annotations: int = 0
    new_paths: int = 0
    gone_paths: int = 0
    updated_objects: int = 0
    lone: int = 0
    """Annotations without a data file, or with `strict` data files without annotation."""
    problems: list[Problem] = field(default_factory=list)
    version: Version | None = None


def index(
    instance: Instance,
    targets: list[Target],
    options: IndexOptions,
    progress: Progress = SILENT,
    clouds: Sequence[CloudTarget] = (),
) -> IndexReport:
    """Index local folders and files, and what object stores hold; returns what was found.

    `clouds` do not overlap and are sorted by folder (`joined`). Raises `LdbError`.
    """
    instance.objects.packs()  # before any worker relies on what is there: garbage/guard.py
    base = head(instance, INDEX)
    catalog = Catalog(instance, base)
    report = IndexReport()

    def problem(path: bytes, why: str) -> None:
        report.problems.append(Problem(os.fsdecode(path), why))

    scan = Scan(
        catalog=catalog,
        targets=targets,
        strict=options.strict,
        report=problem,
        skip=own_folder(instance),
        keep_unchanged=bool(options.tags),
        processes=options.processes or default_processes(),
    )
    if clouds:
        from ldb.indexing.cloudscan import CloudScan  # local runs do without its modules

        scan = CloudScan.beside(scan, clouds, progress)
    options = replace(options, tags=tuple(sorted(set(options.tags))))
    gathered = Gathered(catalog, now(), options.tags)
    progress.start("indexing")
    with instance.objects.writer() as writer:
        old = roots_of(instance, base, writer)
        new = _edited(instance, writer, scan, gathered, old, options, progress)
    _fill(report, scan, gathered)
    if options.stop_at_problem and report.problems:
        first = report.problems[0]
        raise BadInput(first.path, first.why, "nothing was indexed; without --strict the rest is")
    if options.only_if_new and new == old and base is not None:
        report.version = base
        return report
    folders = [each.folder for each in targets] + [each.folder for each in clouds]
    operation = Operation(
        command=options.command,
        sources=tuple(SourceUsed(os.fsdecode(each)) for each in folders[:100]),
        counts=_counts(report),
        time=gathered.run_time,
    )
    run = Run(base, old, new, operation)
    report.version = publish_run(instance, run, options.author, options.message)
    return report


def _edited(
    instance: Instance,
    writer: BatchWriter,
    scan: Scan,
    gathered: Gathered,
    old: IndexRoots,
    options: IndexOptions,
    progress: Progress,
) -> IndexRoots:
    """The two maps after this run; the workers do their reading inside the first edit."""
    opener = ReaderOpener(
        backend=instance.backend,
        algorithm=instance.object_hash,
        id_bytes=instance.id_bytes,
        run_time=gathered.run_time,
        tags=options.tags,
        strict=options.strict,
        objects=instance.objects,
    )
    with reading(scan.batches(), opener, scan.processes) as results:
        changes = gathered.path_changes(_counted(results, progress), scan.replaced)
        paths = edit(writer, writer, PATHS, old.paths.root, changes)
        # The workers publish their packs meanwhile, and this process its own.
        rows = gathered.object_changes(writer, scan.unchanged)
        objects = edit(writer, writer, objects_schema(instance), old.objects.root, rows)
        writer.flush()
    return IndexRoots(map_root(objects), map_root(paths))


def _counted(results: Iterator[BatchResult], progress: Progress) -> Iterator[BatchResult]:
    for result in results:
        progress.advance(len(result.keys))
        yield result


@dataclass(frozen=True, slots=True)
class ReaderOpener:
    """Opens a worker's reader; sent to the worker."""

    backend: Backend
    algorithm: str
    id_bytes: int
    run_time: int
    tags: tuple[str, ...]
    strict: bool
    objects: ObjectStore | None
    """The parent's store, for a forked or same-process worker."""

    def __reduce__(self) -> tuple[object, ...]:
        # The store stays here: a worker that is not forked opens its own, on a backend that
        # goes there as its address.
        plain = (self.backend, self.algorithm, self.id_bytes, self.run_time, self.tags, self.strict)
        return ReaderOpener, (*plain, None)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[_Readers]:
        store = self.objects or ObjectStore(self.backend)
        with store.writer() as writer, _Readers(self, writer) as readers:
            yield readers


class _Readers:
    """A worker's reader for local files, and the one for object stores once it is needed."""

    def __init__(self, opener: ReaderOpener, writer: BatchWriter) -> None:
        each = opener
        self._given = (writer, each.algorithm, each.id_bytes, each.run_time, each.tags, each.strict)
        self._local = Reader(*self._given)
        self._cloud: CloudReader | None = None

    def __enter__(self) -> _Readers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cloud is not None:
            self._cloud.clients.close()

    def read(self, batch: Batch) -> BatchResult:
        """Do one batch of either kind."""
        if not isinstance(batch, CloudBatch):
            return self._local.read(batch)
        if self._cloud is None:
            from ldb.indexing.cloudread import CloudReader
            from ldb.storage.remote import Clients

            self._cloud = CloudReader(*self._given, Clients())
        return self._cloud.read(batch)


def own_folder(instance: Instance) -> frozenset[tuple[int, int]]:
    """The instance's own folder, which is never indexed."""
    uri = instance.url if "://" in instance.url else LOCAL + instance.url
    if not is_local(uri):
        return frozenset()
    with contextlib.suppress(OSError):
        status = os.stat(local_path(uri))
        return frozenset({(status.st_dev, status.st_ino)})
    return frozenset()


def _fill(report: IndexReport, scan: Scan, gathered: Gathered) -> None:
    report.found_objects = scan.counts.data
    report.found_annotations = scan.counts.annotations
    report.lone = scan.counts.lone
    report.gone_paths = scan.counts.gone
    report.new_objects = gathered.counts.new_objects
    report.new_annotations = gathered.counts.new_annotations
    report.new_paths = gathered.counts.new_paths
    report.updated_objects = gathered.counts.updated
    # Two batches may have met the same bad annotation.
    report.problems[:] = dict.fromkeys((*report.problems, *gathered.problems))


def _counts(report: IndexReport) -> dict[str, int]:
    names = ("found_objects", "new_objects", "found_annotations", "new_annotations")
    more = ("new_paths", "gone_paths", "updated_objects")
    counts = {name: int(getattr(report, name)) for name in names + more}
    return {**counts, "problems": len(report.problems)}
