"""`ldb unindex`: forget data objects. docs/commands/unindex.md."""

from __future__ import annotations

import click

from ldb.cli import showing
from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.sources import argv_of, sources_argument, warn
from ldb.porcelain.unindex import unindex
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@sources_argument
@filter_options
@output_options()
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    out: Output,
) -> None:
    """Make the index forget data objects that no version of a dataset holds.

    Their files stay where they are, and indexing them again brings them back. Earlier
    versions of the index keep them: `ldb index --restore ds:root.vN` undoes this.

    \b
    Examples:
      ldb unindex id:0cc175b9c0f1
      ldb unindex /data/images/bad
      ldb unindex ds:root --tag broken
    """
    argv = argv_of("unindex", sources, filters, seed)
    done = unindex(place_of(app), sources, filters, seed, argv, out.progress())
    warn(out, done.warnings)
    if done.version is None:
        out.say("nothing to forget")
    else:
        out.say(f"{done.version}: forgot {showing.plural(done.objects, 'data object')}")
