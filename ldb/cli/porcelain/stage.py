"""`ldb stage`: put a dataset into a workspace as its draft. docs/commands/stage.md."""

from __future__ import annotations

import os

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import LocalPath, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.shells import dataset_names
from ldb.cli.showing import plural
from ldb.cli.sources import dataset_names_of
from ldb.porcelain.stage import stage
from ldb.refs.name import parse_version


@click.command(cls=Command)
@click.argument("dataset", metavar="ds:NAME[.vN]", shell_complete=dataset_names(dataset_names_of))
@click.argument("folder", metavar="[DIR]", required=False, type=LocalPath())
@click.option("-t", "--target", metavar="DIR", type=LocalPath(), help="The same as DIR.")
@click.option("-f", "--force", is_flag=True, help="Drop unsaved changes; keep other files.")
@output_options(json=True)
@pass_app
def command(
    app: App, dataset: str, folder: str | None, target: str | None, force: bool, out: Output
) -> None:
    """Make DIR (default: this folder) a workspace with a dataset as its draft.

    A dataset that does not exist yet starts empty. Writes .ldb_workspace/ and nothing else.

    \b
    Examples:
      ldb stage ds:cats
      ldb stage ds:cats.v2 old-cats/
      ldb stage -f ds:cats
    """
    if folder and target:
        raise click.UsageError("give the folder once: DIR or --target DIR")
    where = os.path.normpath(os.path.join(app.cwd, folder or target or "."))
    staged = stage(place_of(app, quick_start=True), parse_version(dataset), where, force)
    state = staged.workspace.state
    if out.as_json:
        version = str(staged.version) if staged.version else None
        out.json({"workspace": where, "version": version, "objects": state.root.count})
    elif staged.version is None:
        out.say(f"new dataset ds:{state.dataset} in {where}")
    else:
        out.say(f"{staged.version} in {where}: {plural(state.root.count, 'data object')}")
