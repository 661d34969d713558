"""`ldb show-ref`: refs and the commits they point at. docs/commands/show-ref.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import names as known
from ldb.porcelain.plumbing.names import ref_named
from ldb.porcelain.plumbing.refs import show_ref


@click.command(cls=Command)
@click.argument("refs", metavar="[REF]...", nargs=-1, shell_complete=known)
@click.option("--versions", is_flag=True, help="Every version, newest first; - where deleted.")
@output_options(json=True)
@pass_app
def command(app: App, refs: tuple[str, ...], versions: bool, out: Output) -> None:
    """Print the commit and name of each ref: the index, then datasets by name.

    \b
    Examples:
      ldb show-ref
      ldb show-ref ds:cats
      ldb show-ref --versions ds:root
    """
    instance = open_instance_of(app)
    for ref in show_ref(instance, [ref_named(text) for text in refs], versions):
        if out.as_json:
            target = str(ref.target) if ref.target else None
            out.json({"commit": target, "ref": str(ref.name), "version": str(ref)})
        else:
            out.data(f"{ref.target or '-'} {ref if versions else ref.name}")
