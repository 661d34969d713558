"""`ldb instantiate`: write a dataset out. docs/commands/instantiate.md."""

from __future__ import annotations

from typing import Any

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.sources import sources_argument, warn
from ldb.cli.writing import options_of, tell, writing_options
from ldb.porcelain.instantiate import instantiate
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@sources_argument
@writing_options
@filter_options
@output_options(json=True)
@pass_app
def command(
    app: App,
    /,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    out: Output,
    **given: Any,
) -> int | None:
    """Write data objects and their annotations into a folder.

    Without SOURCES: the draft of the workspace, into the workspace. Files are named
    NAME-ID.EXT and NAME-ID.json. Every file is checked against its id while it is written;
    a run that was stopped goes on where it was.

    \b
    Examples:
      ldb instantiate
      ldb instantiate ds:cats.v3 -t cats/
      ldb instantiate ds:cats --query "size == 'big'" -t big/ --link hardlink
      ldb instantiate ds:cats --annotations-only --preserve-paths -t labels/
    """
    place = place_of(app)
    workspace = place.workspace
    default = workspace.folder if workspace is not None else place.cwd
    options = options_of(app, default, **given)
    done = instantiate(place, sources, filters, options, seed=seed, progress=out.progress())
    warn(out, done.warnings)
    return tell(done.report, options, out)
