"""Auto-index: what `add PATH` and `get PATH` do first where the path was not indexed yet.

Files in storage locations are indexed where they are; other local ones are copied to the read-add
location, and the data objects are then known by their ids, not by the path given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ldb.errors import NotFound, Unsupported
from ldb.indexing.read import Problem
from ldb.porcelain.index import expand, index
from ldb.porcelain.paths import path_ids
from ldb.porcelain.place import Place
from ldb.progress import SILENT, Progress
from ldb.storage.location import is_remote, to_uri
from ldb.workspace import find


@dataclass(frozen=True, slots=True)
class AutoIndexed:
    """A place that knows the sources, and what was found on the way."""

    place: Place
    ids: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    """Data object ids of those sources that are not indexed under their own path."""
    problems: tuple[Problem, ...] = ()


def auto_index(place: Place, sources: Sequence[str], progress: Progress = SILENT) -> AutoIndexed:
    """Index what is new at those sources that are paths, where the user wants that.

    Paths in a workspace are left alone: what lies there is the output of other commands. So is
    a place in an object store of which the index knows something: listing it takes time.
    """
    paths = [text for text in sources if place.auto_index and _is_ours(place, text)]
    if not paths:
        return AutoIndexed(place)
    done = index(place, paths, only_if_new=True, command=("index", "--auto"), progress=progress)
    return AutoIndexed(place.refreshed(), done.ids, tuple(done.report.problems))


def _is_ours(place: Place, text: str) -> bool:
    """Whether a source is a path, or glob, that is there and in no workspace."""
    if text.startswith(("id:", "ds:", "ws:")):
        return False
    uri = to_uri(text, place.cwd)
    if is_remote(uri):
        located = any(each.holds(uri) for each in place.instance.settings().locations)
        return located and not path_ids(place.catalog, uri)
    try:
        found = expand(text, place.cwd)
    except (NotFound, Unsupported):
        return False  # it may be indexed all the same; if not, selecting says so
    folders = {path if os.path.isdir(path) else os.path.dirname(path) for path in found}
    return all(find(folder) is None for folder in folders)
