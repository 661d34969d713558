"""The two maps of an index version, and how a run's become the next version of `ds:root`.

Where another run was first, the two are merged and the ref is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass

from ldb.catalog import PATHS, objects_schema
from ldb.history import Commit, MapRoot, Operation, Version, now, publish
from ldb.indexing.resolve import resolve_records
from ldb.instance import Instance
from ldb.maps import Root, empty, merge
from ldb.objects.batch import BatchWriter
from ldb.refs.name import INDEX


@dataclass(frozen=True, slots=True)
class IndexRoots:
    """The roots of the maps of one version of the index."""

    objects: MapRoot
    paths: MapRoot


def map_root(root: Root) -> MapRoot:
    """A root as commits name it."""
    return MapRoot(root.oid, root.count)


def roots_of(instance: Instance, version: Version | None, writer: BatchWriter) -> IndexRoots:
    """The maps of a version; without one, empty maps that go to `writer`."""
    if version is not None:
        return IndexRoots(version.commit.maps["objects"], version.commit.maps["paths"])
    objects = empty(writer, objects_schema(instance))
    return IndexRoots(map_root(objects), map_root(empty(writer, PATHS)))


@dataclass(frozen=True, slots=True)
class Run:
    """What a run made of the version it started from."""

    base: Version | None
    old: IndexRoots
    new: IndexRoots
    operation: Operation
    merging: bool = False
    """Whether its annotations are merged with those that others made meanwhile, too."""


def publish_run(instance: Instance, run: Run, author: str, message: str = "") -> Version:
    """Make a run's maps the next version of the index, merged with what others published."""

    def make(current: Version | None) -> Commit:
        roots = run.new
        if current is not None and (run.base is None or current.oid != run.base.oid):
            roots = _merged(instance, run, current)
        return Commit(
            name=INDEX.name,
            number=0,
            maps={"objects": roots.objects, "paths": roots.paths},
            parents=(current.oid,) if current else (),
            operations=(run.operation,),
            author=author,
            message=message,
            time=now(),
        )

    version = publish(instance, INDEX, make)
    assert version is not None
    return version


def _merged(instance: Instance, run: Run, current: Version) -> IndexRoots:
    """This run's maps merged with those of a run that finished meanwhile."""
    old, new = run.old, run.new
    schema = objects_schema(instance)
    with instance.objects.writer() as writer:
        theirs = roots_of(instance, current, writer)
        objects = merge(
            writer, writer, schema, old.objects.root, new.objects.root, theirs.objects.root
        )
        root = resolve_records(writer, schema, objects, run.merging)
        # Of two rows for one path ours stays: it was seen later.
        paths = merge(writer, writer, PATHS, old.paths.root, new.paths.root, theirs.paths.root)
        return IndexRoots(map_root(root), map_root(paths.root))
