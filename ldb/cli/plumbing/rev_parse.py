"""`ldb rev-parse`: names to oids. docs/commands/rev-parse.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import names as known
from ldb.porcelain.plumbing.names import rev_parse


@click.command(cls=Command)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=known)
@output_options(json=True)
@pass_app
def command(app: App, names: tuple[str, ...], out: Output) -> None:
    """Print the oid that each NAME stands for.

    NAME is ds:cats, ds:cats.v3, ds:root, or 6 or more digits of an oid; ~N goes N parents
    back, and :MAP names the root of one of the commit's maps.

    \b
    Examples:
      ldb rev-parse ds:cats
      ldb rev-parse ds:root~2 ds:root:objects
      ldb rev-parse 1f3a9c
    """
    instance = open_instance_of(app)
    for oid in [rev_parse(instance, name) for name in names]:
        if out.as_json:
            out.json(str(oid))
        else:
            out.data(str(oid))
