"""`ldb tag`: change the tags of data objects, which are theirs in every dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ldb.errors import BadInput
from ldb.history import Version
from ldb.indexing.tagging import TagEdit, retag
from ldb.objects.codec import encode
from ldb.porcelain.draft import by_id, operation_for
from ldb.porcelain.place import Place
from ldb.porcelain.sources import select
from ldb.progress import SILENT, Progress
from ldb.query.selection import FilterSpec


@dataclass(frozen=True, slots=True)
class Tagged:
    """What sources and filters gave, and how many of these have other tags now."""

    selected: int
    changed: int
    version: Version | None
    """The new version of the index; None where nothing changed."""
    warnings: tuple[str, ...] = ()


def tag(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    change: TagEdit,
    *,
    seed: int | None = None,
    command: Sequence[str] = ("tag",),
    message: str = "",
    progress: Progress = SILENT,
) -> Tagged:
    """Change the tags of what sources and filters give; no source: the draft of the workspace.

    Where there is no workspace either, filters apply to the index, and without filters it is
    `BadInput`.
    """
    if not sources and not filters and place.workspace is None:
        raise BadInput("sources", "none given", "name some: id:…, ds:NAME, a folder, …")
    both = change.add & change.remove
    if both:
        raise BadInput(f"tag {min(both)}", "is to be added and to be removed")
    encode(sorted(change.add), "tags")  # raises for what no record can hold
    chosen = select(place, sources, filters, default="staged", seed=seed, progress=progress)
    rows = by_id(chosen.rows)
    done = retag(
        place.instance,
        rows.ids,
        change,
        operation_for(command, chosen, filters, seed, {"selected": len(rows)}),
        author=place.author,
        message=message,
        progress=progress,
    )
    warnings = list(chosen.warnings)
    if done.unknown:
        warnings.append(f"{done.unknown:,} data object(s) of the draft are not in the index")
    return Tagged(len(rows), done.changed, done.version, tuple(warnings))
