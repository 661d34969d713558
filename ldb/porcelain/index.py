"""`ldb index`: index folders and files where they lie.

Files outside every registered location are ephemeral: they are copied into the read-add
location, where there is one, and indexed there.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ldb.engines.base import Engine
from ldb.errors import BadInput, NotFound
from ldb.formats.pairs import AUTO, STRICT
from ldb.history import Commit, Operation, SourceUsed, Version, now, publish, resolve
from ldb.indexing.merge import AnnotationUpdate
from ldb.indexing.read import Problem
from ldb.indexing.run import IndexOptions, IndexReport
from ldb.indexing.run import index as run_index
from ldb.indexing.targets import in_order
from ldb.porcelain.place import Place
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX, VersionSpec
from ldb.storage.listing import name_objection
from ldb.storage.location import is_glob, is_remote, local_path, slashed, to_uri

if TYPE_CHECKING:
    from ldb.formats.registry import Chosen
    from ldb.indexing.cloudtargets import CloudTarget
    from ldb.porcelain.layouts import Layout


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an index run found; `imported` files were copied into `read_add` first."""

    report: IndexReport
    imported: int = 0
    read_add: str = ""
    ids: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    """For each path, as it was given, whose files were copied: their data object ids."""
    layouts: tuple[Layout, ...] = ()
    """The format that each path was read in."""


def index(
    place: Place,
    paths: Sequence[str],
    *,
    format: str = AUTO,  # noqa: A002  (the option's name)
    params: Sequence[str] = (),
    tags: Sequence[str] = (),
    strict: bool = False,
    annotation_update: AnnotationUpdate = "replace",
    only_if_new: bool = False,
    message: str = "",
    command: Sequence[str] = ("index",),
    engine: Engine | None = None,
    progress: Progress = SILENT,
) -> Indexed:
    """Index paths, folders or globs, local or in object stores.

    `params` are the format's, as `K=V`. `strict` stops at the first problem. `engine` does the
    reading; None: processes of this machine.
    """
    from ldb.formats import registry  # who imports this module mostly indexes nothing
    from ldb.porcelain.copies import Copies
    from ldb.porcelain.layouts import Layouts

    chosen = registry.chosen(format, params, reading=True)
    problems: list[Problem] = []
    uris = {text: uri for text in paths if is_remote(uri := to_uri(text, place.cwd))}
    clouds = _in_clouds(place, uris) if uris else []
    found = _expand(place, paths, uris)
    copies = Copies(place, chosen.name == STRICT, problems, progress)
    layouts = Layouts(chosen, place.instance.settings())
    pairs, labelled = layouts.of([each for group in found.values() for each in group])
    clouds = layouts.of_clouds(clouds)
    unpacked = [
        target
        for each in layouts.packed
        for target in copies.unpacked(each.paths, each.chosen.shards())
    ]
    targets = in_order([*copies.targets_for(pairs), *unpacked, *labelled])
    clouds = _with_copies(place, clouds, copies.stored)
    options = IndexOptions(
        strict=chosen.name == STRICT,
        tags=tuple(sorted(set(tags))),
        annotation_update=annotation_update,
        command=(command[0], *_given(chosen, tags, annotation_update), *command[1:]),
        author=place.author,
        message=message,
        only_if_new=only_if_new,
        stop_at_problem=strict,
        engine=engine,
    )
    report = run_index(place.instance, targets, options, progress, clouds)
    report.problems[:0] = problems
    return Indexed(report, copies.count, copies.root, copies.ids_of(found), tuple(layouts.found))


def _given(chosen: Chosen, tags: Sequence[str], update: AnnotationUpdate) -> list[str]:
    """The options to record with the run, so that it can be explained and run again."""
    given = [] if chosen.name == AUTO else list(chosen.words)
    given += ["--add-tags", ",".join(tags)] if tags else []
    return [*given, "--annotation-update", update] if update != "replace" else given


def _in_clouds(place: Place, uris: Mapping[str, str]) -> list[CloudTarget]:
    """Targets for URIs of object stores, by what the user typed."""
    from ldb.porcelain.cloudpaths import cloud_targets  # local paths do without
    from ldb.porcelain.clouds import reach

    reach(place, uris.values())
    return [each for text, uri in uris.items() for each in cloud_targets(place, text, uri)]


def _with_copies(
    place: Place, clouds: Sequence[CloudTarget], copies: Sequence[str]
) -> list[CloudTarget]:
    """Targets that do not overlap, copies in a read-add location among them."""
    if not clouds and not copies:
        return []
    from ldb.indexing.cloudtargets import joined, named

    return joined([*clouds, *named(copies)])


def _expand(place: Place, paths: Sequence[str], remote: Collection[str]) -> dict[str, list[str]]:
    """For each local path its absolute spelling; for a glob, all that fits."""
    if not paths:
        raise BadInput("PATH", "none given", "name a folder: ldb index DIR")
    return {text: expand(text, place.cwd) for text in paths if text not in remote}


def expand(text: str, cwd: str) -> list[str]:
    """The absolute local paths that a path or glob stands for; raises `NotFound` for none."""
    path = local_path(to_uri(text, cwd))
    objection = name_objection(os.fsencode(path))
    if objection:
        raise BadInput(ascii(text), objection)
    if os.path.lexists(path):
        return [path]
    if not is_glob(text):
        raise NotFound("path", text)
    matches = sorted(map(slashed, glob.glob(path, recursive=True)))
    if not matches:
        raise NotFound("path", text, "nothing fits the pattern")
    return matches


def restore_index(place: Place, spec: VersionSpec, message: str = "") -> Version:
    """Undo runs: make an earlier version of the index the newest again."""
    if spec.ref != INDEX:
        raise BadInput(spec, "is no version of the index", "those look like ds:root.v3")
    version = resolve(place.instance, spec)
    used = SourceUsed(str(version), version.oid)
    operation = Operation(("index", "--restore", str(version)), (used,), time=now())

    def make(newest: Version | None) -> Commit:
        return replace(
            version.commit,
            parents=(newest.oid,) if newest else (),
            operations=(operation,),
            author=place.author,
            message=message or f"Restore {version}",
            time=now(),
        )

    made = publish(place.instance, INDEX, make)
    assert made is not None
    return made
