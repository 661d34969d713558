"""Files in a workspace that stand for data objects: what `instantiate` wrote there.

A file stands for the data object whose id ends its name (`<base>-<id>.<ext>`, and
`<base>-<id>.json` for the annotation) or under which a run listed it; nothing is read of it
here. All other files are ordinary ones.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ldb.catalog import as_keys
from ldb.dataset import dataset_schema
from ldb.errors import BadInput, Conflict
from ldb.instantiate.manifest import Listed, listed_files
from ldb.instantiate.model import Entry
from ldb.instantiate.naming import id_in_name
from ldb.instantiate.target import MANIFEST
from ldb.maps import lookup
from ldb.porcelain.place import Place
from ldb.storage.listing import walk
from ldb.storage.location import is_glob, is_local, local_path, slashed
from ldb.workspace import FOLDER, find, load_state

_ID_INSIDE = re.compile(r"(?:^|-)([0-9a-f]{64}|[0-9a-f]{32})\.")


@dataclass(frozen=True, slots=True)
class Written:
    """A file that stands for a data object."""

    path: str
    """Absolute."""
    id: bytes
    note: bytes = b""
    """Oid of the annotation that a run wrote into it; empty where that is not known."""
    listed: int = 0
    """When that run's list was last written, in nanoseconds since 1970."""

    @property
    def is_annotation(self) -> bool:
        return self.path.lower().endswith(".json")


def written_files(place: Place, uri: str) -> list[Written]:
    """Those of the files at a URI, below it or fitting a glob; none outside the workspace."""
    root = find(place.cwd)
    if root is None or not is_local(uri) or load_state(root).instance_id != place.instance.id:
        return []
    root, path = slashed(root), local_path(uri)
    manifests = _Manifests(root, 2 * place.instance.id_bytes)
    found = [manifests.written(file) for file in _files(path, root)]
    return _known(place, [each for each in found if each is not None])


@dataclass(frozen=True, slots=True)
class Standing:
    """What the files in a workspace stand for, all of it looked at."""

    objects: frozenset[bytes]
    """Data objects that are there. Whose data file was removed is not, whatever else is left
    of it; one of which only the annotation, or what transforms make, was ever written is."""
    listed: frozenset[bytes]
    """Those that were ever written there, as far as the lists say that are still there."""
    others: tuple[str, ...]
    """Files that stand for none of the data objects known, annotations among them; absolute."""


def standing(place: Place) -> Standing:
    """What stands in the workspace; `Conflict` where a run that wrote there has not ended."""
    root = slashed(place.need_workspace().folder)
    manifests = _Manifests(root, 2 * place.instance.id_bytes)
    paths = list(_files(root, root))
    found = [each for path in paths if (each := manifests.written(path)) is not None]
    known = _known(place, found)
    made = {path for path in paths if manifests.is_made(path)}
    outputs = [Written(path, name) for path in made if (name := _id_inside(path))]
    listed: set[bytes] = set()
    data: set[bytes] = set()
    for folder, lists in manifests.lists():
        entries = [each for each in lists.entries.values() if not each.is_label]
        listed.update(filter(None, map(_id_inside, lists.entries)))
        listed.update(each.object_id for each in entries)
        data.update(each.object_id for each in entries if not each.annotation)
        for path in lists.unfinished:
            if not os.path.lexists(os.path.join(folder, path)):
                raise Conflict(
                    f"files in {folder}",
                    "all that was instantiated",
                    "some of them: a run was stopped",
                    "run `ldb instantiate` again, to its end",
                )
    there = {each.id for each in known if not each.is_annotation}
    there.update(each.id for each in known if each.id not in data)
    there.update(each.id for each in _known(place, outputs) if each.id not in data)
    others = {*paths} - {each.path for each in known} - made
    return Standing(frozenset(there), frozenset(listed), tuple(sorted(others)))


def _files(path: str, root: str) -> Iterator[str]:
    """Files that a path names and that lie in the workspace at `root`, in no other inside it."""
    if not os.path.lexists(path) and is_glob(path):
        matches = sorted(map(slashed, glob.glob(path, recursive=True)))
    else:
        matches = [path]
    for match in matches:
        if match != root and not match.startswith(root.rstrip("/") + "/"):
            continue
        if os.path.isdir(match):
            yield from _below(match, root)
        elif os.path.isfile(match) and _is_in(os.path.dirname(match), root):
            yield match


def _below(folder: str, root: str) -> Iterator[str]:
    def report(path: bytes, why: str) -> None:
        raise BadInput(os.fsdecode(path), why)

    for each in walk(os.fsencode(folder), report):
        if _is_in(os.fsdecode(each.path).rstrip("/"), root):
            yield from (os.fsdecode(each.path + name) for name in each.names)


def _is_in(folder: str, root: str) -> bool:
    return find(folder or "/") == root and FOLDER not in folder[len(root) :].split("/")


class _Manifests:
    """What runs listed, in whatever folder of the workspace they wrote."""

    def __init__(self, root: str, digits: int) -> None:
        self._root = root
        self._digits = digits
        self._listed: dict[str, Listed] = {}
        self._times: dict[str, int] = {}

    def written(self, path: str) -> Written | None:
        """The data object that a file stands for, by the list or else by its name."""
        folder, name = os.path.split(path)
        entry, listed = self._entry(path, folder)
        if entry is not None and entry.is_label:
            return None
        if entry is not None:
            return Written(path, entry.object_id, entry.annotation, listed)
        digits = id_in_name(name)
        if digits is None or len(digits) != self._digits:
            return None
        return Written(path, bytes.fromhex(digits))

    def is_made(self, path: str) -> bool:
        """Whether a run listed a file as neither data nor annotation of one object."""
        entry, _ = self._entry(path, os.path.dirname(path))
        return entry is not None and entry.is_label

    def lists(self) -> Iterator[tuple[str, Listed]]:
        """The lists that were read, by folder; that of the workspace always."""
        self._entry(os.path.join(self._root, ""), self._root)
        yield from self._listed.items()

    def _entry(self, path: str, folder: str) -> tuple[Entry | None, int]:
        while True:
            if folder not in self._listed:
                self._listed[folder] = listed_files(folder)
                self._times[folder] = _time_of(os.path.join(folder, MANIFEST))
            entry = self._listed[folder].entries.get(path[len(folder.rstrip("/")) + 1 :])
            if entry is not None or folder == self._root:
                return entry, self._times[folder]
            folder = os.path.dirname(folder)


def _id_inside(path: str) -> bytes:
    """The data object that a transform's output is of: `<base>-<id>.<transform>.<name>`."""
    found = _ID_INSIDE.search(os.path.basename(path))
    return bytes.fromhex(found[1]) if found else b""


def _time_of(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _known(place: Place, files: Sequence[Written]) -> list[Written]:
    """Those whose data objects the draft or the index knows."""
    width = place.instance.id_bytes
    files = [each for each in files if len(each.id) == width]
    if not files:
        return []
    ids = as_keys([each.id for each in files], width)
    state = place.need_workspace().state
    drafted, _ = lookup(
        place.need_workspace().store, dataset_schema(place.instance), state.root.root, ids
    )
    known = np.logical_or(drafted, place.catalog.find(ids).known)
    return [each for each, there in zip(files, known.tolist()) if there]
