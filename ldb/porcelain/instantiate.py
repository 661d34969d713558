"""`ldb instantiate`: write the draft, or what sources and filters give, into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ldb.errors import BadInput
from ldb.formats.pairs import AUTO, STRICT, format_named
from ldb.instantiate.options import InstantiateOptions, InstantiateReport
from ldb.instantiate.run import instantiate as write_out
from ldb.porcelain.clouds import reach
from ldb.porcelain.place import Place
from ldb.porcelain.sources import select
from ldb.progress import SILENT, Progress
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec


@dataclass(frozen=True, slots=True)
class Instantiated:
    """What an instantiate run wrote, and where."""

    folder: str
    selected: int
    """Data objects that sources and filters gave."""
    report: InstantiateReport
    warnings: tuple[str, ...] = ()


def instantiate(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    options: InstantiateOptions,
    *,
    seed: int | None = None,
    progress: Progress = SILENT,
) -> Instantiated:
    """Write data objects and annotations out; no source: the draft of the workspace.

    The objects are written with the annotations that the sources give them. Whatever could
    not be written is in the report's `problems`.
    """
    if not sources:
        place.need_workspace()
    chosen = select(place, sources, filters, default="staged", seed=seed, progress=progress)
    report = write(place, chosen.rows, options, progress)
    return Instantiated(options.folder, len(chosen.rows), report, chosen.warnings)


def write(
    place: Place, rows: Selected, options: InstantiateOptions, progress: Progress
) -> InstantiateReport:
    """Write these rows out."""
    progress.start("instantiating", len(rows))
    reach(place)
    return write_out(
        place.instance, place.catalog, rows.ids, rows.annotations, options, progress.advance
    )


def is_strict(name: str) -> bool:
    """Whether an output format leaves out objects without annotation; raises `BadInput`."""
    known = format_named(name)
    if known == AUTO:
        raise BadInput("--format", "auto is for reading", "strict or bare")
    return known == STRICT
