"""What a run is to look at: folders with all that is below them, or some files of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldb.formats.pairs import is_annotation, stem_of
from ldb.storage.listing import Folder, Report
from ldb.storage.location import slashed

if TYPE_CHECKING:
    from ldb.formats.registry import Chosen


@dataclass(frozen=True, slots=True)
class Target:
    """A folder to index: all that is below it, or only some files right in it."""

    folder: bytes
    """Absolute, with a trailing slash."""
    names: frozenset[bytes] | None = None
    labels: Chosen | None = None
    """The label format to read it in; None: pairs."""

    def about(self, report: Report) -> Report:
        """`report` for what concerns this target: of other files in the folder, nothing."""
        if self.names is None:
            return report
        names = self.names | {b""}

        def named_only(path: bytes, why: str) -> None:
            if os.path.basename(path) in names:
                report(path, why)

        return named_only


def targets_of(paths: Iterable[str]) -> list[Target]:
    """Targets for absolute local paths, sorted, those inside another one left out."""
    folders: set[bytes] = set()
    files: dict[bytes, set[bytes]] = {}
    for path in paths:
        raw = os.fsencode(slashed(path))
        if os.path.isdir(raw):
            folders.add(_slashed(raw))
        else:
            folder, name = os.path.split(raw)
            files.setdefault(_slashed(folder), set()).add(name)
    outer = {
        folder
        for folder in folders
        if not any(folder != other and folder.startswith(other) for other in folders)
    }
    targets = [Target(folder) for folder in outer]
    for folder, names in files.items():
        if not any(folder.startswith(other) for other in outer):
            targets.append(Target(folder, frozenset(names)))
    return sorted(targets, key=lambda each: each.folder)


def _slashed(folder: bytes) -> bytes:
    return folder if folder.endswith(b"/") else folder + b"/"


def in_order(targets: Iterable[Target]) -> list[Target]:
    """Targets that are scanned in turn: sorted, those inside another one left out.

    Files that were named one by one come before the folders below theirs.
    """
    kept: list[Target] = []
    for each in sorted(targets, key=lambda target: (target.folder, target.names is not None)):
        whole = [other.folder for other in kept if other.names is None]
        if not each.folder.startswith(tuple(whole)):
            kept.append(each)
    return kept


def only(folder: Folder, names: frozenset[bytes]) -> Folder:
    """The named files, and what goes with them by their stems."""
    data = {stem_of(name) for name in names if not is_annotation(name)}
    notes = {name[:-5] for name in names if is_annotation(name)}
    kept = [
        at
        for at, name in enumerate(folder.names)
        if name in names
        or (name[:-5] in data | notes if is_annotation(name) else stem_of(name) in notes)
    ]
    return Folder(
        folder.path,
        [folder.names[at] for at in kept],
        [folder.sizes[at] for at in kept],
        [folder.mtimes[at] for at in kept],
    )
