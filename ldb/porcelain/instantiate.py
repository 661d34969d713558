"""`ldb instantiate`: write the draft, or what sources and filters give, into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ldb.formats import registry
from ldb.formats.pairs import STRICT
from ldb.instantiate.options import InstantiateOptions, InstantiateReport
from ldb.instantiate.run import instantiate as write_out
from ldb.porcelain.clouds import reach
from ldb.porcelain.place import Place
from ldb.porcelain.sources import select
from ldb.progress import SILENT, Progress
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec

if TYPE_CHECKING:
    from ldb.instantiate.outputs import Outputs


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
    report = write(place, chosen.rows, options, progress, sources)
    return Instantiated(options.folder, len(chosen.rows), report, chosen.warnings)


def write(
    place: Place,
    rows: Selected,
    options: InstantiateOptions,
    progress: Progress,
    sources: Sequence[str] = (),
) -> InstantiateReport:
    """Write these rows out, which came from `sources`."""
    if not options.apply and not rows.transforms.any():
        return _write(place, rows, options, progress)
    from ldb.porcelain.transforming import transformed  # few datasets have transforms

    with transformed(place, sources, rows, options, progress) as made:
        if made is None:
            return _write(place, rows, options, progress)
        report = _write(place, made.rows, options, progress, made.outputs)
        report.problems += made.problems
        return report


def _write(
    place: Place,
    rows: Selected,
    options: InstantiateOptions,
    progress: Progress,
    outputs: Outputs | None = None,
) -> InstantiateReport:
    progress.start("instantiating", len(rows))
    reach(place)
    with place.own.engine() as engine:
        return write_out(
            place.instance,
            place.catalog,
            rows.ids,
            rows.annotations,
            options,
            progress.advance,
            outputs=outputs,
            engine=engine,
        )


def in_format(
    options: InstantiateOptions, name: str, params: Sequence[str] = ()
) -> InstantiateOptions:
    """The options for an output format with parameters (`K=V`); raises `BadInput`."""
    chosen = registry.chosen(name, params, reading=False)
    labels = None if chosen.is_pairs else chosen
    return replace(options, strict=chosen.name == STRICT, labels=labels)
