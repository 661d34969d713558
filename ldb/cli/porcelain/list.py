"""`ldb list`: the data objects of a selection. docs/commands/list.md."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ldb.cli.app import App, pass_app
from ldb.cli.explaining import explanation, explanation_json
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
from ldb.cli.sources import sources_argument, warn
from ldb.porcelain.listing import Listing, has_annotation, list_rows
from ldb.porcelain.look import summary
from ldb.porcelain.sources import Selection, select
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@sources_argument
@filter_options
@click.option("-s", "--summary", "short", is_flag=True, help="Print the numbers only.")
@click.option("--explain", is_flag=True, help="Print how the filters were evaluated instead.")
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    short: bool,
    explain: bool,
    out: Output,
) -> None:
    """List data objects: id, which of its annotations (v1, v2 …; - for none), and a path.

    SOURCES are any of id:…, ds:NAME, ds:NAME.vN, ds:root, ws:DIR, paths, folders and globs;
    by default the workspace's draft, or the index where there is no workspace.

    \b
    Examples:
      ldb list ds:root --query "class == 'cat'" --limit 10
      ldb list -s ds:cats
      ldb list --json data/cats/ --file "fs.size > `100000`"
      ldb list --explain ds:root --query "boxes[?score > `0.9`]"
    """
    place = place_of(app, quick_start=True)
    chosen = select(place, sources, filters, default="staged", seed=seed, progress=out.progress())
    warn(out, chosen.warnings)
    if explain:
        _explain(chosen, out)
        return
    if short:
        numbers = summary(chosen.catalog, chosen.rows)
        if out.as_json:
            out.json({"objects": numbers.objects, "annotated": numbers.annotated})
        else:
            total = plural(numbers.objects, "data object")
            out.data(f"{total}, {numbers.annotated:,} with an annotation")
        return
    parts = list_rows(chosen.catalog, chosen.rows)
    for listing in out.printing(parts, len(chosen.rows), lambda part: len(part.ids)):
        if out.as_json:
            for value in _json(listing):
                out.json(value)
        else:
            out.lines(_text(listing))


def _text(listing: Listing) -> Iterator[str]:
    annotated = has_annotation(listing.rows).tolist()
    rows = zip(listing.ids, listing.versions, annotated, listing.paths)
    for name, number, known, path in rows:
        version = f"v{number}" if number else "?" if known else "-"
        yield f"id:{name}  {version:<3} {visible(path)}".rstrip()


def _explain(chosen: Selection, out: Output) -> None:
    if out.as_json:
        out.json(explanation_json(len(chosen.rows), chosen.traces))
        return
    for line in explanation(len(chosen.rows), chosen.traces):
        out.data(line)


def _json(listing: Listing) -> Iterator[dict[str, object]]:
    columns = (
        listing.ids, listing.paths, listing.sizes, listing.types, listing.tags,
        listing.annotations, listing.versions,
    )  # fmt: skip
    for name, path, size, type_, tags, annotation, version in zip(*columns):
        yield {
            "id": name,
            "path": path,
            "size": size,
            "type": type_,
            "tags": list(tags),
            "annotation": annotation or None,
            "version": version or None,
        }
