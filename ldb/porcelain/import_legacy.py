"""`ldb import-legacy`: take in an instance of LDB 0.7 or older."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

from ldb.backends.local import LocalBackend
from ldb.errors import LdbError
from ldb.instance import create
from ldb.porcelain.imports import ImportDone, check, import_datasets
from ldb.porcelain.legacy import OldLocation, read_legacy
from ldb.porcelain.place import Place
from ldb.porcelain.storage import add_storage
from ldb.progress import SILENT, Progress
from ldb.storage.location import is_local, local_path


@dataclass(frozen=True, slots=True)
class LegacyImported:
    """What was taken in."""

    done: ImportDone
    objects: int
    """Data objects of the old index."""
    locations: tuple[str, ...]
    """Storage locations that were registered."""
    problems: tuple[str, ...]


def import_legacy(place: Place, folder: str, progress: Progress = SILENT) -> LegacyImported:
    """Take in all of the old instance at `folder` (absolute): objects, datasets, locations.

    Raises `Conflict`, with nothing changed, where the instance has a dataset of one of the
    names with another history. What cannot be read is left out and told.
    """
    with tempfile.TemporaryDirectory(prefix="ldb-legacy-") as temporary:
        made = create(LocalBackend(os.path.join(temporary, "instance")))
        found = read_legacy(folder, made)
        parcel = check(made.backend, folder, {}, progress)
        done = import_datasets(place, parcel, everything=True, progress=progress)
    registered: list[str] = []
    problems = list(found.problems)
    for each in found.locations:
        if problem := _register(place, each, registered):
            problems.append(problem)
    return LegacyImported(done, found.objects, tuple(registered), tuple(problems))


def _register(place: Place, old: OldLocation, registered: list[str]) -> str:
    """Register a location; why not, where that must be done by hand."""
    known = {each.url for each in place.instance.settings().locations}
    if old.uri in known:
        return ""
    if not is_local(old.uri):
        why = " (its options are not taken over)" if old.has_options else ""
        return f"storage location {old.uri} is left to you{why}: ldb add-storage {old.uri}"
    try:
        add_storage(place, local_path(old.uri), old.read_add or None)
    except LdbError as error:
        return f"storage location {old.uri}: {error}"
    registered.append(old.uri)
    return ""
