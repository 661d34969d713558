"""One instantiate run: plan, list, write, and tidy what earlier runs left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog
from ldb.instance import Instance
from ldb.instantiate.items import Items
from ldb.instantiate.listing import Before
from ldb.instantiate.manifest import Journal
from ldb.instantiate.options import InstantiateOptions, InstantiateReport
from ldb.instantiate.plan import plan
from ldb.instantiate.remote import write_deferred
from ldb.instantiate.target import (
    Refused,
    Target,
    open_regular,
    prepared,
    split,
    target_errors,
)
from ldb.instantiate.workers import write_parts
from ldb.instantiate.write import BatchResult, WriteOptions
from ldb.processes import default_processes
from ldb.storage.location import local_folder
from ldb.storage.remote import Clients

if TYPE_CHECKING:
    from ldb.engines.base import Engine
    from ldb.instantiate.outputs import Outputs

Progress = Callable[[int], None]
"""Called with the number of objects done since the last call."""


def instantiate(
    instance: Instance,
    catalog: Catalog,
    ids: NDArray[np.bytes_],
    annotations: NDArray[np.uint8],
    options: InstantiateOptions,
    progress: Progress = lambda count: None,
    clients: Callable[[], Clients] = Clients,
    outputs: Outputs | None = None,
    engine: Engine | None = None,
) -> InstantiateReport:
    """Write objects into a folder: ids shape (n,), annotation oids (n, 32), zeros for none.

    `engine` does the writing; None: processes of this machine. Raises `BadInput` for a folder
    that must not be written to, or that a worker of the engine does not see, `Conflict` while
    another run writes there, `StoreFailed` where the disk is full and the like, `Unsupported`
    for a link that the file systems cannot make. Everything else is in the report's `problems`.
    """
    with (
        prepared(options.folder, options.force, local_folder(instance.url)),
        _open(options.folder) as target,
        _seen_by_all(options.folder, engine) as proof,
        closing(Journal(target)) as journal,
    ):
        planned = plan(catalog, ids, annotations, options)
        report = InstantiateReport(skipped=planned.skipped, problems=planned.problems)
        write_options = WriteOptions(
            folder=options.folder,
            algorithm=instance.object_hash,
            link=options.link,
            force=options.force,
            annotations_only=options.annotations_only or not _with_data(planned.items),
            labels=options.labels is not None,
            cache=options.cache,
        )
        before = Before(journal.listed, journal.has_files)
        processes = options.processes or default_processes()
        deferred, failed = list[bytes](), list[bytes]()
        if proof is not None and engine is not None:
            from ldb.instantiate.spread import write_spread

            writing = write_spread(
                planned.items, write_options, before, engine, journal, target, proof
            )
        else:
            writing = write_parts(planned.items, write_options, before, processes)
        with closing(writing) as results:
            for result in results:
                _add(report, result)
                deferred += result.deferred
                failed += result.failed
                journal.planned(result.planned)
                progress(result.done)
        if deferred:
            fetched = write_deferred(planned.items, deferred, write_options, before, clients)
            with closing(fetched) as results:
                for result in results:
                    _add(report, result)
                    failed += result.failed
                    progress(result.done)
        if options.labels is not None:
            from ldb.instantiate.labels import write_labels  # pairs do without

            result, report.losses = write_labels(planned.items, write_options, before, failed)
            _add(report, result)
            journal.planned(result.planned)
        if outputs is not None:
            from ldb.instantiate.outputs import write_outputs  # few datasets have transforms

            others = plan(catalog, outputs.ids, outputs.annotations, options).items
            result = write_outputs(others, outputs, write_options, before)
            report.outputs, result.label_files = result.label_files, 0
            _add(report, result)
            journal.planned(result.planned)
        _tidy(report, journal, target, options.force, instance.object_hash)
        journal.finish()
    report.problems.sort(key=attrgetter("path"))
    report.passed_over.sort(key=attrgetter("path"))
    return report


@contextmanager
def _seen_by_all(folder: str, engine: Engine | None) -> Iterator[tuple[str, str] | None]:
    """What proves to workers elsewhere that a folder is this one, once they have seen it."""
    if engine is None or engine.forks:
        yield None
        return
    from ldb.instantiate.spread import FolderProbe, probe  # most runs are this machine's own

    with probe(folder) as proof:
        engine.try_out(FolderProbe(folder, proof))
        yield proof


def _with_data(items: Items) -> bool:
    """Whether the format that is written has data files."""
    return items.writer is None or items.writer.with_data


def _open(folder: str) -> Target:
    with target_errors(folder):
        return Target(folder)


def _add(report: InstantiateReport, result: BatchResult) -> None:
    report.objects += result.objects
    report.annotations += result.annotations
    report.label_files += result.label_files
    report.already_there += result.already_there
    report.problems += result.problems
    report.passed_over += result.passed_over


def _tidy(
    report: InstantiateReport, journal: Journal, target: Target, force: bool, algorithm: str
) -> None:
    """Files of earlier runs that are not part of this one: removed with `force`, else counted."""
    emptied = set()
    gone: list[str] = []
    left: set[bytes] = set()
    for path, entry in journal.remaining.items():
        folder = path.rpartition("/")[0]
        with suppress(Refused, OSError):
            if _is_there(path, journal, target, algorithm):
                if not force:
                    report.left += 1
                    left.add(entry.object_id)
                    continue
                target.open_folder(folder, False).unlink(path[len(folder) :].lstrip("/"))
                report.removed += 1
                emptied.add(folder)
        gone.append(path)
    for path in gone:
        entry = journal.remaining[path]
        # The annotation alone would else look as if only that had ever been written.
        if entry.annotation or entry.object_id not in left:
            journal.forget(path)
    for folder in sorted(emptied, reverse=True):
        target.remove_empty(folder)


def _is_there(path: str, journal: Journal, target: Target, algorithm: str) -> bool:
    """Whether a listed file still is a plain file that LDB made."""
    folder, name = split(path)
    fd = open_regular(target.open_folder(folder, False), name)
    if fd is None:
        return False
    try:
        return journal.was_written(path, fd, algorithm)
    finally:
        os.close(fd)
