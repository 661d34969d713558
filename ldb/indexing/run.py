"""One indexing run, from targets to a new version of `ds:root`.

Packs are written first, then the commit, then the ref: a run that is killed leaves nothing
half-visible. Where another run was first, the two are merged and the ref tried again.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ldb.catalog import PATHS, Catalog, objects_schema
from ldb.clouds.options import adopt, shareable
from ldb.engines.base import Engine
from ldb.engines.local import LocalEngine
from ldb.errors import SAME_DISKS, BadInput, NotFound
from ldb.history import Operation, SourceUsed, Version, head, now
from ldb.indexing.cloudjobs import CloudBatch
from ldb.indexing.merge import AnnotationUpdate, Gathered
from ldb.indexing.publish import IndexRoots, Run, map_root, publish_run, roots_of
from ldb.indexing.read import BatchResult, Problem, Reader
from ldb.indexing.scan import Scan
from ldb.indexing.targets import Target
from ldb.indexing.workers import Batch, reading
from ldb.instance import Instance, open_elsewhere
from ldb.maps import Root, edit
from ldb.objects.batch import BatchWriter
from ldb.objects.store import ObjectStore
from ldb.processes import default_processes
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX
from ldb.storage.listing import identities
from ldb.storage.location import local_folder

if TYPE_CHECKING:
    from ldb.indexing.cloudread import CloudReader
    from ldb.indexing.cloudtargets import CloudTarget
    from ldb.indexing.updating import Merging

CHECKED = 20
"""Folders that a worker looks for before it begins."""


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How to index."""

    strict: bool = False
    tags: tuple[str, ...] = ()
    annotation_update: AnnotationUpdate = "replace"
    processes: int = 0
    """Worker processes; 0: one for each processor."""
    engine: Engine | None = None
    """What does the reading; None: so many processes of this machine."""
    run_time: int = 0
    """Milliseconds since 1970 that new records bear; 0: now. Equal ones make equal maps."""
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
    label_files: int = 0
    """Of formats that have such; `labels_read` of them were read."""
    labels_read: int = 0
    outdated: int = 0
    """Annotations left out because there is a newer state of the same record."""
    lone: int = 0
    """Annotations without a data file, or with `strict` data files without annotation; in label
    formats what is neither."""
    disagreeing: int = 0
    """Data objects that this run found with different annotations at different paths."""
    disagreement: str = ""
    """One of them."""
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
    processes = options.processes or default_processes()
    engine = options.engine or LocalEngine(processes)

    def problem(path: bytes, why: str) -> None:
        report.problems.append(Problem(os.fsdecode(path), why))

    scan = Scan(
        catalog=catalog,
        targets=targets,
        strict=options.strict,
        report=problem,
        skip=own_folder(instance),
        keep_unchanged=bool(options.tags),
        # Beside the threads of a cluster's client nothing may be forked.
        processes=processes if engine.forks else 1,
        engine=None if engine.forks else engine,
    )
    if clouds:
        from ldb.indexing.cloudscan import CloudScan  # local runs do without its modules

        scan = CloudScan.beside(scan, clouds, progress)
    options = replace(options, engine=engine, tags=tuple(sorted(set(options.tags))))
    merging = _merging(instance, options, targets, clouds)
    gathered = Gathered(catalog, options.run_time or now(), options.tags, merging)
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
    run = Run(base, old, new, operation, merging is not None)
    report.version = publish_run(instance, run, options.author, options.message)
    return report


def _merging(
    instance: Instance,
    options: IndexOptions,
    targets: Sequence[Target],
    clouds: Sequence[CloudTarget],
) -> Merging | None:
    if options.annotation_update == "replace":
        return None
    from ldb.indexing.updating import Merging  # as most runs do without

    labelled = [each.labels for each in targets] + [each.labels for each in clouds]
    return Merging(instance.objects, any(each is not None for each in labelled))


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
        url=instance.url,
        algorithm=instance.object_hash,
        id_bytes=instance.id_bytes,
        run_time=gathered.run_time,
        tags=options.tags,
        strict=options.strict,
        instance_id=instance.id,
        folders=tuple(os.fsdecode(each.folder) for each in scan.targets[:CHECKED]),
        objects=instance.objects,
    )
    assert options.engine is not None

    def edit_objects() -> Root:
        rows = gathered.object_changes(writer, scan.unchanged)
        objects = edit(writer, writer, objects_schema(instance), old.objects.root, rows)
        writer.flush()
        return objects

    with reading(scan.batches(), opener, options.engine) as results:
        everything = _with_elsewhere(_counted(results, progress), scan)
        changes = gathered.path_changes(everything, scan.replaced)
        paths = edit(writer, writer, PATHS, old.paths.root, changes)
        # The workers publish their packs meanwhile, and this process its own.
        objects = edit_objects() if gathered.merging is None else None
        writer.flush()
    # Annotations are merged with what was read just now, so once that is published.
    return IndexRoots(map_root(objects or edit_objects()), map_root(paths))


def _counted(results: Iterator[BatchResult], progress: Progress) -> Iterator[BatchResult]:
    for result in results:
        progress.advance(len(result.keys))
        yield result


def _with_elsewhere(results: Iterator[BatchResult], scan: Scan) -> Iterator[BatchResult]:
    """The results, then what label files say of data objects by their ids."""
    yield from results
    if scan.elsewhere:
        from ldb.indexing.labelscan import elsewhere  # pairs do without

        yield elsewhere(scan)


@dataclass(frozen=True, slots=True)
class ReaderOpener:
    """Opens a worker's reader; sent to the worker."""

    url: str
    algorithm: str
    id_bytes: int
    run_time: int
    tags: tuple[str, ...]
    strict: bool
    instance_id: str
    folders: tuple[str, ...]
    """Some of those that files will be read from."""
    objects: ObjectStore | None
    """The parent's store, for a forked or same-process worker."""
    options: Mapping[str, Mapping[str, Any]] | None = None
    """How buckets are reached, for workers that are sent; nothing secret."""

    def __reduce__(self) -> tuple[object, ...]:
        # The store stays here, and what is secret: another process opens its own by the address.
        plain = (self.url, self.algorithm, self.id_bytes, self.run_time, self.tags, self.strict)
        return ReaderOpener, (*plain, self.instance_id, self.folders, None, shareable())

    @contextlib.contextmanager
    def __call__(self) -> Iterator[_Readers]:
        store = self.objects or self._own_store()
        with store.writer() as writer, _Readers(self, writer) as readers:
            yield readers

    def _own_store(self) -> ObjectStore:
        """The store as another process, maybe on another machine, finds it; proven to be it."""
        if self.options:
            adopt(self.options)
        found = open_elsewhere(self.url, self.instance_id)
        for folder in self.folders:
            if not os.path.isdir(folder):
                raise NotFound(f"on the worker at {platform.node()}: folder", folder, SAME_DISKS)
        return found.objects


class _Readers:
    """A worker's reader for local files, and the one for object stores once it is needed."""

    def __init__(self, opener: ReaderOpener, writer: BatchWriter) -> None:
        each = opener
        self._given = (writer, each.algorithm, each.id_bytes, each.run_time, each.tags, each.strict)
        self._local = Reader(*self._given)
        self._cloud: CloudReader | None = None
        self._where = f" (on the worker at {platform.node()})" if each.objects is None else ""

    def __enter__(self) -> _Readers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cloud is not None:
            self._cloud.clients.close()

    def settle(self) -> None:
        """Publish what was read so far."""
        self._given[0].flush()

    def do(self, batch: Batch) -> BatchResult:
        """Do one batch of either kind."""
        if not isinstance(batch, CloudBatch):
            return self._local.read(batch)
        if self._cloud is None:
            from ldb.indexing.cloudread import CloudReader
            from ldb.storage.remote import Clients

            self._cloud = CloudReader(*self._given, Clients(), self._where)
        return self._cloud.read(batch)


def own_folder(instance: Instance) -> frozenset[tuple[int, int]]:
    """The instance's own folder, which is never indexed."""
    return identities([os.fsencode(local_folder(instance.url))])


def _fill(report: IndexReport, scan: Scan, gathered: Gathered) -> None:
    report.found_objects = scan.counts.data
    report.found_annotations = scan.counts.annotations
    report.label_files = scan.counts.labels
    report.labels_read = scan.counts.labels_read
    report.outdated = scan.counts.outdated
    report.lone = scan.counts.lone
    report.gone_paths = scan.counts.gone
    report.new_objects = gathered.counts.new_objects
    report.new_annotations = gathered.counts.new_annotations
    report.new_paths = gathered.counts.new_paths
    report.updated_objects = gathered.counts.updated
    report.disagreeing = gathered.counts.disagreeing
    report.disagreement = gathered.disagreement
    # Two batches may have met the same bad annotation.
    report.problems[:] = dict.fromkeys((*report.problems, *gathered.problems))


def _counts(report: IndexReport) -> dict[str, int]:
    names = ("found_objects", "new_objects", "found_annotations", "new_annotations")
    more = ("new_paths", "gone_paths", "updated_objects")
    counts = {name: int(getattr(report, name)) for name in names + more}
    return {**counts, "problems": len(report.problems)}
