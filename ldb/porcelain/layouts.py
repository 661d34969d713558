"""In which format each of the paths that are to be indexed is read, and what `auto` takes it for.

`auto` looks at some names, and at the first bytes of a file or two, of each folder that was named;
what it finds no format in is pairs. Modules of formats are loaded only where a name hints at them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

from ldb.errors import BadInput, LdbError, Unsupported
from ldb.formats.base import Peek
from ldb.formats.pairs import AUTO, BARE, pair
from ldb.formats.registry import FORMATS, Chosen, chosen, recognise
from ldb.indexing.targets import Target, targets_of
from ldb.instance import Settings
from ldb.storage.location import uri_of

if TYPE_CHECKING:
    from ldb.indexing.cloudtargets import CloudTarget

NAMES = 1000
"""Names that `auto` looks at in one folder."""

HEADS = 32
"""Files whose first bytes it reads."""

FOLDERS = 16
"""Folders that it looks into below that, each with a tenth of these names."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A path, and the format it is read in."""

    path: str
    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Packed:
    """Paths with data objects inside of files."""

    paths: list[str]
    chosen: Chosen


@dataclass(slots=True)
class Layouts:
    """Formats by path; `asked` is what the user said."""

    asked: Chosen
    settings: Settings
    found: list[Layout] = field(default_factory=list)
    """What was chosen for each path, in the order in which it was looked at."""
    packed: list[Packed] = field(default_factory=list)

    def of(self, paths: Sequence[str]) -> tuple[list[str], list[Target]]:
        """Local paths that hold pairs, and targets for the others; raises `BadInput`."""
        pairs: list[str] = []
        labelled: dict[str, tuple[Chosen, list[str]]] = {}
        for path in paths:
            here = self._of_local(path)
            self.found.append(Layout(path, here))
            if here.is_pairs:
                pairs.append(path)
            else:
                labelled.setdefault(f"{here.name}\0{here.alone}", (here, []))[1].append(path)
        packed = [each for each in labelled.values() if each[0].format.unpacks]
        self.packed += [Packed(some, each) for each, some in packed]
        targets = [
            replace(target, labels=each)
            for each, some in labelled.values()
            if not each.format.unpacks
            for target in targets_of(some)
        ]
        return pairs, targets

    def of_clouds(self, clouds: Sequence[CloudTarget]) -> list[CloudTarget]:
        """The same targets, each with its format."""
        found = []
        for each in clouds:
            here = self._of_cloud(each)
            self.found.append(Layout(each.folder.decode(), here))
            found.append(each if here.is_pairs else replace(each, labels=here))
        return found

    def _of_local(self, path: str) -> Chosen:
        inside = any(each.holds(uri_of(path)) for each in self.settings.locations)
        here = self.asked
        if here.name == AUTO:
            here = recognised(LocalPeek(path)) if os.path.isdir(path) else chosen(BARE, {}, True)
        if here.is_pairs or here.format.unpacks or inside:
            return here
        if here.format.has_data and not here.format.alone:
            raise BadInput(
                path,
                f"lies in no storage location, where {here.name} cannot be read",
                f"register it: ldb add-storage {path}",
            )
        return replace(here, alone=True)

    def _of_cloud(self, target: CloudTarget) -> Chosen:
        if self.asked.format.unpacks:
            what = f"{self.asked.name} in a bucket"
            raise Unsupported(what, "copy the files into a local folder, and index that")
        if self.asked.name != AUTO:
            return self.asked
        if not target.all:
            return chosen(BARE, {}, True)
        here = recognised(CloudPeek(target))
        return chosen(BARE, {}, True) if here.format.unpacks else here


def recognised(peek: Peek) -> Chosen:
    """The format that a location looks like; bare pairs where it looks like none."""
    hinting = _unpaired(peek.names)
    for each in FORMATS:
        hinted = any(fnmatchcase(name, hint) for hint in each.hints for name in hinting)
        if hinted and (why := recognise(each, peek)):
            return replace(chosen(each.name, {}, True), why=why)
    pairs = replace(chosen(BARE, {}, True), why="it looks like no other format")
    return replace(pairs, folders=_class_folders(peek.names))


def _class_folders(names: Sequence[str]) -> tuple[str, ...]:
    """Folders that may be classes: several on one level that hold all files, images alone.

    No format is taken for granted by that: folders of days or of cameras look the same.
    """
    folders = sorted({name.rpartition("/")[0] for name in names})
    if len(folders) < 2 or len({folder.count("/") for folder in folders}) > 1 or not folders[0]:
        return ()
    from ldb.formats.boxes.finding import is_subset  # runs with annotations do without
    from ldb.formats.boxes.images import is_image

    last = tuple(dict.fromkeys(folder.rpartition("/")[2] for folder in folders))
    return last if all(map(is_image, names)) and not all(map(is_subset, last)) else ()


def _unpaired(names: Sequence[str]) -> list[str]:
    """Names of files that are no halves of pairs: those that may be label files."""
    folders: dict[str, list[bytes]] = {}
    for name in names:
        folder, slash, base = name.rpartition("/")
        folders.setdefault(folder + slash, []).append(os.fsencode(base))
    left = []
    for folder, some in folders.items():
        some.sort()
        found = pair(some, strict=False)
        paired = {at for row in found.data if row[1] >= 0 for at in row}
        left += [folder + os.fsdecode(name) for at, name in enumerate(some) if at not in paired]
    return left


class _Peek:
    """Heads of so many files and no more, whatever a format asks for."""

    names: Sequence[str] = ()

    def __init__(self) -> None:
        self._left = HEADS

    def head(self, name: str, size: int = 4096) -> bytes:
        """The first bytes of a file; empty where it cannot be read."""
        self._left -= 1
        return self._head(name, size) if self._left >= 0 else b""

    def _head(self, name: str, size: int) -> bytes:
        raise AssertionError("each kind has its own")


class LocalPeek(_Peek):
    """A quick look at a local folder."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder
        names, below = self._list("", NAMES)
        for each in below[:FOLDERS]:
            inner, deeper = self._list(each, NAMES // 10)
            names += inner
            for one in deeper[:4]:
                names += self._list(one, NAMES // 10)[0]
        self.names = names

    def _list(self, below: str, most: int) -> tuple[list[str], list[str]]:
        """Files and folders right in a folder, some of them, sorted."""
        files: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(os.path.join(self._folder, below)) as entries:
                for entry in islice(entries, most):
                    if not entry.name.startswith("."):
                        (folders if entry.is_dir() else files).append(below + entry.name)
        except OSError:
            pass  # the scan itself reports it
        return sorted(files), [f"{name}/" for name in sorted(folders)]

    def _head(self, name: str, size: int) -> bytes:
        try:
            with open(os.path.join(self._folder, name), "rb") as file:
                return file.read(size)
        except OSError:
            return b""


class CloudPeek(_Peek):
    """A quick look at a prefix of an object store: one request, and one for each head."""

    def __init__(self, target: CloudTarget) -> None:
        super().__init__()
        from ldb.clouds.opening import open_client
        from ldb.storage.remote import key_of

        folder = target.folder.decode()
        self._prefix = key_of(folder)
        self._client = open_client(folder)
        try:
            stats = list(self._client.list(self._prefix, limit=NAMES))
        except LdbError:
            stats = []  # the scan itself reports it
        keys = [each.key[len(self._prefix) :] for each in stats]
        self.names = [key for key in keys if key and not _hidden(key)]

    def _head(self, name: str, size: int) -> bytes:
        from ldb.clouds.base import Get

        try:
            return self._client.get(Get(self._prefix + name, 0, size))
        except LdbError:
            return b""


def _hidden(key: str) -> bool:
    return any(part.startswith(".") for part in key.split("/"))
