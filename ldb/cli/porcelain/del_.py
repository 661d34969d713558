"""`ldb del`: take data objects out of the draft. docs/commands/del.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
from ldb.cli.sources import argv_of, sources_argument, warn
from ldb.porcelain.draft import delete
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@sources_argument
@filter_options
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    out: Output,
) -> None:
    """Take data objects out of the draft of the workspace.

    Without SOURCES the filters apply to the draft itself; one of both is needed. Nothing
    is deleted from storage or from saved versions.

    \b
    Examples:
      ldb del id:3f2a91
      ldb del --query "confidence < `0.5`"
      ldb del ds:broken
    """
    if not sources and not filters:
        raise click.UsageError("name what to take out: sources, filters or both")
    done = delete(
        place_of(app),
        sources,
        filters,
        seed=seed,
        command=argv_of("del", sources, filters, seed),
        progress=out.progress(),
    )
    warn(out, done.warnings)
    total = done.workspace.state.root.count
    if out.as_json:
        out.json({"selected": done.selected, "removed": done.removed, "objects": total})
        return
    absent = done.selected - done.removed
    more = f" ({absent:,} selected are not in it)" if absent else ""
    out.say(f"removed {plural(done.removed, 'data object')}{more}; the draft has {total:,}")
