"""`ldb index`: index folders and files where they lie.

Files outside every registered location are ephemeral: they are copied into the read-add
location, where there is one, and indexed there.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ldb.engines.base import Engine
from ldb.errors import BadInput, NotFound
from ldb.formats.pairs import AUTO, STRICT, pair
from ldb.history import Commit, Operation, SourceUsed, Version, now, publish, resolve
from ldb.indexing.merge import AnnotationUpdate
from ldb.indexing.read import Problem
from ldb.indexing.run import IndexOptions, IndexReport, own_folder
from ldb.indexing.run import index as run_index
from ldb.indexing.targets import Target, in_order, targets_of
from ldb.instance import Settings
from ldb.porcelain.place import Place
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX, VersionSpec
from ldb.storage.importing import Imported, import_file
from ldb.storage.listing import Folder, name_objection, read_folder, walk
from ldb.storage.location import LOCAL, is_glob, is_remote, local_path, shown, to_uri

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
    from ldb.porcelain.layouts import Layouts

    chosen = registry.chosen(format, params, reading=True)
    problems: list[Problem] = []
    uris = {text: uri for text in paths if is_remote(uri := to_uri(text, place.cwd))}
    clouds = _in_clouds(place, uris) if uris else []
    found = _expand(place, paths, uris)
    copies = _Copies(place, chosen.name == STRICT, problems, progress)
    layouts = Layouts(chosen, place.instance.settings())
    pairs, labelled = layouts.of([each for group in found.values() for each in group])
    clouds = layouts.of_clouds(clouds)
    targets = in_order([*copies.targets_for(pairs), *labelled])
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
    matches = sorted(glob.glob(path, recursive=True))
    if not matches:
        raise NotFound("path", text, "nothing fits the pattern")
    return matches


class _Copies:
    """Copies of files that lie in no storage location, made in the read-add location."""

    def __init__(
        self, place: Place, strict: bool, problems: list[Problem], progress: Progress
    ) -> None:
        self._place = place
        self._instance = place.instance
        self._strict = strict
        self._problems = problems
        self._progress = progress
        self._ids: dict[str, set[bytes]] = {}
        self._import: Callable[[bytes, bytes, bytes, str], Imported] = import_file
        self.root = ""
        """Where the copies are; empty where none was needed."""
        self.stored: list[str] = []
        """URIs of those copies that are in an object store."""
        self.count = 0

    def targets_for(self, paths: Sequence[str]) -> list[Target]:
        """What to index for these: themselves, or their copies."""
        settings = self._instance.settings()
        known = [each for each in paths if _in_location(settings, LOCAL + each)]
        others = sorted(set(paths) - set(known))
        if others:
            url = _read_add(settings, others)
            self.root = shown(url)
            self._progress.start("copying")
            if is_remote(url):
                self._import = self._into_store(url)
        copies = [copy for each in others for copy in self._copy(each)]
        if others and is_remote(self.root):
            self.stored = copies
            copies = []
        return targets_of([*known, *copies])

    def _into_store(self, url: str) -> Callable[[bytes, bytes, bytes, str], Imported]:
        from ldb.clouds.opening import open_client
        from ldb.porcelain.clouds import reach
        from ldb.storage.storing import store_file

        reach(self._place, [url])
        return partial(store_file, open_client(url))

    def ids_of(self, found: Mapping[str, Sequence[str]]) -> dict[str, frozenset[bytes]]:
        """The ids of copied files, by what the user called them."""
        given = {text: set(paths) & self._ids.keys() for text, paths in found.items()}
        return {
            text: frozenset(name for path in paths for name in self._ids[path])
            for text, paths in given.items()
            if paths
        }

    def _copy(self, path: str) -> list[str]:
        """Paths of the copies of a file, or of all files in a folder."""
        copies = []
        self._ids[path] = set()
        for target in targets_of([path]):
            for folder in self._folders(target):
                for done in self._copy_folder(folder, target.names):
                    self._ids[path].add(done.id)
                    copies.append(os.fsdecode(done.path))
        return copies

    def _folders(self, target: Target) -> Iterator[Folder]:
        if target.names is None:
            yield from walk(target.folder, self._report, own_folder(self._instance))
        else:
            yield read_folder(target.folder, target.about(self._report))[0]

    def _copy_folder(self, folder: Folder, names: frozenset[bytes] | None) -> Iterator[Imported]:
        for at, note in pair(folder.names, self._strict).data:
            if names is not None and folder.names[at] not in names:
                continue
            source = folder.path + folder.names[at]
            annotation = folder.path + folder.names[note] if note >= 0 else b""
            try:
                yield self._import(
                    source, annotation, os.fsencode(self.root), self._instance.object_hash
                )
            except OSError as error:
                self._report(source, f"cannot be read: {error.strerror}")
            except BadInput as error:
                self._report(source, error.why)
            else:
                self.count += 1
                self._progress.advance()

    def _report(self, path: bytes, why: str) -> None:
        self._problems.append(Problem(os.fsdecode(path), why))


def _read_add(settings: Settings, paths: Sequence[str]) -> str:
    """Where files from outside all locations are copied to: its URL; raises `BadInput`."""
    for path in paths:
        inside = [
            each.url for each in settings.locations if each.url.startswith(LOCAL + path + "/")
        ]
        if inside:
            raise BadInput(
                path,
                "holds a storage location but lies in none",
                f"index that one: {local_path(inside[0])}",
            )
    found = next((each for each in settings.locations if each.read_add), None)
    if found is None:
        folder = paths[0] if os.path.isdir(paths[0]) else os.path.dirname(paths[0])
        raise BadInput(
            paths[0], "lies in no storage location", f"register it: ldb add-storage {folder}"
        )
    return found.url


def _in_location(settings: Settings, uri: str) -> bool:
    return any(each.holds(uri) for each in settings.locations)


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
