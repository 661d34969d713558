"""`ldb add-storage`: register a place where data objects live. docs/commands/add-storage.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.porcelain.storage import add_storage
from ldb.storage.location import shown


@click.command(cls=Command, name="add-storage")
@click.argument("path")
@click.option(
    "-a",
    "--read-add",
    type=click.BOOL,
    metavar="true|false",
    help="Whether files from elsewhere may be copied into it; one location at most.",
)
@click.option("-f", "--force", is_flag=True, help="Even inside or around another location.")
@output_options()
@pass_app
def command(app: App, path: str, read_add: bool | None, force: bool, out: Output) -> None:
    """Register a folder as a storage location: what lies in it is indexed in place.

    It is listed and read from now, to see that this works. Registering a known location
    again changes its settings.

    \b
    Examples:
      ldb add-storage /data/images
      ldb add-storage -a true /data/incoming
    """
    added = add_storage(place_of(app, quick_start=True), path, read_add, force)
    for warning in added.warnings:
        out.warn(warning)
    kind = ", read-add" if added.location.read_add else ""
    out.say(f"storage location {shown(added.location.url)}{kind}")
