"""`ldb get`: stage, add and instantiate in one. docs/commands/get.md."""

from __future__ import annotations

from typing import Any

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, label_version_option, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
from ldb.cli.sources import argv_of, sources_argument, warn
from ldb.cli.writing import options_of, tell, writing_options
from ldb.porcelain.get import get
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@sources_argument
@writing_options
@label_version_option
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
    """Stage, add and instantiate in one: put data objects into a folder, ready to use.

    The folder (default: this one) becomes a workspace where it is none, with a draft that
    has no name yet: `ldb commit ds:NAME` names it. What was in the folder stays.

    \b
    Examples:
      ldb get ds:cats -t cats/
      ldb get --query "class == 'dog'" --limit 100 -t dogs/
      ldb get /data/images/new -t new/
    """
    place = place_of(app, quick_start=True)
    options = options_of(app, str(app.cwd), **given)
    argv = argv_of("get", sources, filters, seed)
    got = get(place, sources, filters, options, seed=seed, command=argv, progress=out.progress())
    warn(out, got.added.warnings)
    code = tell(got.report, options, out)
    total = got.added.workspace.state.root.count
    if not out.as_json:
        out.say(f"the draft has {plural(total, 'data object')}, {got.added.added:,} new")
    return code
