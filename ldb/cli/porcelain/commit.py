"""`ldb commit`: save the draft as a new version. docs/commands/commit.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.shells import dataset_names
from ldb.cli.showing import objects_in, plural, version_json
from ldb.cli.sources import dataset_names_of
from ldb.errors import BadInput
from ldb.porcelain.commit import Committed, commit
from ldb.refs.name import parse_version


@click.command(cls=Command)
@click.argument(
    "dataset", metavar="[ds:NAME]", required=False, shell_complete=dataset_names(dataset_names_of)
)
@click.option("-m", "--message", metavar="MSG", default="", help="What this version is.")
@click.option(
    "--restore", is_flag=True, help="Make an unchanged draft of an older version the newest."
)
@click.option(
    "--auto-pull", type=bool, metavar="true|false",
    help="Whether to give the draft the newest annotations first. Default: core.auto_pull.",
)  # fmt: skip
@output_options(json=True)
@pass_app
def command(
    app: App,
    dataset: str | None,
    message: str,
    restore: bool,
    auto_pull: bool | None,
    out: Output,
) -> None:
    """Save the draft as the next version of its dataset, or of ds:NAME.

    Changes that others committed meanwhile are merged; the same object changed here and
    there is a conflict (exit code 4) and nothing is saved. So is a dataset that was
    deleted or renamed since; naming it makes it again. Nothing to commit makes none.

    \b
    Examples:
      ldb commit -m "cats without duplicates"
      ldb commit ds:cats-clean
      ldb commit --auto-pull true
      ldb commit --restore
    """
    pulls = app.settings.flag("core.auto_pull", False) if auto_pull is None else auto_pull
    committed = commit(place_of(app), message, _name(dataset), restore, pulls, out.progress())
    version = committed.version
    if out.as_json:
        out.json(version_json(version) if version else None)
    elif version is None:
        out.say(_nothing(committed))
    else:
        merged = ", merged with what others committed" if committed.merged else ""
        out.say(f"{version}: {plural(objects_in(version), 'data object')}{merged}")


def _name(dataset: str | None) -> str:
    if dataset is None:
        return ""
    spec = parse_version(dataset)
    if spec.number is not None or spec.back:
        raise BadInput(dataset, "names a version", "commit to a name: ldb commit ds:NAME")
    return spec.ref.name


def _nothing(committed: Committed) -> str:
    if committed.older:
        return (
            f"nothing to commit; the draft is of an older version than {committed.head}: "
            "`ldb commit --restore` makes it the newest"
        )
    if committed.gone:
        return "nothing to commit; the dataset was deleted or renamed since: `ldb status` tells"
    return "nothing to commit"
