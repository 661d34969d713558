"""`ldb index`: index folders and files where they lie.

Files outside every registered location are ephemeral: they are copied into the read-add
location, where there is one, and indexed there.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ldb.errors import BadInput, NotFound
from ldb.formats.pairs import AUTO, STRICT, format_named, pair
from ldb.history import Commit, Operation, SourceUsed, Version, now, publish, resolve
from ldb.indexing.read import Problem
from ldb.indexing.run import IndexOptions, IndexReport
from ldb.indexing.run import index as run_index
from ldb.indexing.scan import targets_of
from ldb.porcelain.place import Place
from ldb.porcelain.storage import location_of
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX, VersionSpec
from ldb.storage.importing import import_file
from ldb.storage.listing import Folder, Report, read_folder, walk
from ldb.storage.location import is_glob, local_path, to_uri


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an index run found; `imported` files were copied into `read_add` first."""

    report: IndexReport
    imported: int = 0
    read_add: str = ""


def index(
    place: Place,
    paths: Sequence[str],
    *,
    format: str = "auto",  # noqa: A002  (the option's name)
    tags: Sequence[str] = (),
    strict: bool = False,
    only_if_new: bool = False,
    message: str = "",
    command: Sequence[str] = ("index",),
    progress: Progress = SILENT,
) -> Indexed:
    """Index local paths, folders or globs. `strict` stops at the first problem."""
    name = format_named(format)
    problems: list[Problem] = []
    here, imported, read_add = _in_storage(place, _expand(place, paths), name == STRICT, problems)
    options = IndexOptions(
        strict=name == STRICT,
        tags=tuple(sorted(set(tags))),
        command=(*command, *_given(name, tags)),
        author=place.author,
        message=message,
        only_if_new=only_if_new,
        stop_at_problem=strict,
    )
    report = run_index(place.instance, targets_of(here), options, progress)
    report.problems[:0] = problems
    return Indexed(report, imported, read_add)


def _given(format_name: str, tags: Sequence[str]) -> list[str]:
    """The options to record with the run, so that it can be explained and run again."""
    given = [] if format_name == AUTO else ["-m", format_name]
    return [*given, "--add-tags", ",".join(tags)] if tags else given


def _expand(place: Place, paths: Sequence[str]) -> list[str]:
    """Absolute local paths of what exists; globs expanded."""
    if not paths:
        raise BadInput("PATH", "none given", "name a folder: ldb index DIR")
    found: list[str] = []
    for text in paths:
        path = local_path(to_uri(text, place.cwd))
        if os.path.lexists(path):
            found.append(path)
        elif is_glob(text):
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise NotFound("path", text, "nothing fits the pattern")
            found += matches
        else:
            raise NotFound("path", text)
    return found


def _in_storage(
    place: Place, paths: list[str], strict: bool, problems: list[Problem]
) -> tuple[list[str], int, str]:
    """Paths to index: those in storage as they are, the others as copies."""
    settings = place.instance.settings()
    known = [each for each in paths if location_of(settings, "file://" + each)]
    others = [each for each in paths if each not in set(known)]
    if not others:
        return known, 0, ""
    read_add = next((each for each in settings.locations if each.read_add), None)
    if read_add is None:
        raise BadInput(
            others[0],
            "lies in no storage location",
            f"register it: ldb add-storage {_folder(others[0])}",
        )
    root = local_path(read_add.url)
    copies = _import(place, others, root, strict, problems)
    if not known and not copies:
        copies = [root]
    return known + copies, len(copies), root


def _folder(path: str) -> str:
    return path if os.path.isdir(path) else os.path.dirname(path)


def _import(
    place: Place, paths: list[str], root: str, strict: bool, problems: list[Problem]
) -> list[str]:
    def report(path: bytes, why: str) -> None:
        problems.append(Problem(os.fsdecode(path), why))

    copies = []
    for target in targets_of(paths):
        folders = [read_folder(target.folder, report)[0]]
        if target.names is None:
            folders = list(walk(target.folder, report))
        for folder in folders:
            copies += _import_folder(place, folder, target.names, root, strict, report)
    return copies


def _import_folder(
    place: Place,
    folder: Folder,
    names: frozenset[bytes] | None,
    root: str,
    strict: bool,
    report: Report,
) -> list[str]:
    copies = []
    for at, note in pair(folder.names, strict).data:
        if names is not None and folder.names[at] not in names:
            continue
        source = folder.path + folder.names[at]
        annotation = folder.path + folder.names[note] if note >= 0 else b""
        try:
            copy = import_file(source, annotation, os.fsencode(root), place.instance.object_hash)
            copies.append(os.fsdecode(copy))
        except OSError as error:
            report(source, f"cannot be read: {error.strerror}")
        except BadInput as error:
            report(source, error.why)
    return copies


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
