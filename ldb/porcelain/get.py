"""`ldb get`: stage, add and instantiate in one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ldb.instantiate.options import InstantiateOptions, InstantiateReport
from ldb.porcelain.draft import Changed, add
from ldb.porcelain.instantiate import write
from ldb.porcelain.place import Place
from ldb.porcelain.sources import absolute_source, draft_rows
from ldb.porcelain.stage import blank, check_folder
from ldb.progress import SILENT, Progress
from ldb.query.selection import FilterSpec
from ldb.workspace import FOLDER as INSIDE
from ldb.workspace import STATE, locked, make_folder


@dataclass(frozen=True, slots=True)
class Got:
    """What was added to the folder's draft, and what was written there."""

    added: Changed
    report: InstantiateReport


def get(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    options: InstantiateOptions,
    *,
    seed: int | None = None,
    command: Sequence[str] = ("get",),
    progress: Progress = SILENT,
) -> Got:
    """Add to the draft in `options.folder` and write the same objects there.

    A folder that is no workspace becomes one with a draft without a name. What the folder
    held before stays; with `force` all of the draft is written, edited files replaced.
    """
    folder = options.folder
    _make_workspace(place, folder, options.force)
    there = replace(place, cwd=folder)
    sources = [absolute_source(text, place.cwd) for text in sources]
    added = add(there, sources, filters, seed=seed, command=command, progress=progress)
    rows = draft_rows(there, added.workspace) if options.force else added.rows
    return Got(added, write(there.refreshed(), rows, options, progress, sources))


def _make_workspace(place: Place, folder: str, force: bool) -> None:
    if os.path.exists(os.path.join(folder, INSIDE, STATE)):
        return
    check_folder(folder, force)
    make_folder(folder)
    with locked(folder):
        blank(place, folder, "")
