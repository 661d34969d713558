"""`ldb status`: the draft, or a dataset, at a glance. docs/commands/status.md.

Reads a few small files and no map, and imports nothing that does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.showing import changes_json, objects_in, plural, when
from ldb.errors import NotFound
from ldb.porcelain.status import DraftStatus, dataset_status, draft_status
from ldb.refs.name import parse_version
from ldb.workspace import check_owner, find, load_state

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _datasets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ldb.cli.shells import dataset_names  # only while a shell asks
    from ldb.cli.sources import dataset_names_of

    return dataset_names(dataset_names_of)(ctx, param, incomplete)


@click.command(cls=Command)
@click.argument("dataset", metavar="[ds:NAME]", required=False, shell_complete=_datasets)
@output_options(json=True)
@pass_app
def command(app: App, dataset: str | None, out: Output) -> None:
    """Show the state of the workspace's draft, or the newest version of ds:NAME.

    \b
    Examples:
      ldb status
      ldb status ds:cats
      ldb status ds:root
    """
    if dataset is not None:
        _dataset(app, dataset, out)
        return
    folder = find(str(app.cwd))
    if folder is None:
        raise NotFound(
            "workspace", str(app.cwd), "make one: ldb stage ds:NAME; or ask: ldb status ds:NAME"
        )
    state = load_state(folder)
    instance = open_instance_of(app)
    check_owner(folder, state, instance)
    status = draft_status(instance, folder, state)
    if out.as_json:
        out.json(_json(status))
    else:
        _show(status, out)


def _dataset(app: App, text: str, out: Output) -> None:
    status = dataset_status(open_instance_of(app), parse_version(text))
    version, commit = status.version, status.version.commit
    objects = objects_in(version)
    if out.as_json:
        out.json({
            "version": str(version), "commit": str(version.oid), "objects": objects,
            "author": commit.author, "time": commit.time, "message": commit.message,
            "newest": status.newest or None,
        })  # fmt: skip
        return
    out.data(f"{version}, {when(commit.time)} by {visible(commit.author)}")
    out.data(plural(objects, "data object"))
    for line in commit.message.splitlines()[:1]:
        out.data(visible(line))
    if not status.newest:
        out.data("the dataset was deleted since")
    elif status.newest != str(version):
        out.data(f"{status.newest} is newer")


def _json(status: DraftStatus) -> dict[str, object]:
    return {
        "workspace": status.folder,
        "dataset": status.dataset or None,
        "base": status.base or None,
        "objects": status.objects,
        **changes_json(status.changes),
        "transforms": status.changes.transforms,
        "newest": status.head or None,
        "behind": status.behind,
        "deleted": status.gone,
        "renamed": status.renamed or None,
    }


def _show(status: DraftStatus, out: Output) -> None:
    name = status.dataset or "a draft without a name"
    out.data(f"{name}, staged from {status.base}" if status.base else f"{name}, new")
    out.data(plural(status.objects, "data object"))
    changes = status.changes
    if changes:
        other = f", {changes.transforms:,} with other transforms" if changes.transforms else ""
        out.data(
            f"changes: {changes.added:,} added, {changes.removed:,} removed, "
            f"{changes.changed - changes.transforms:,} with another annotation{other}"
        )
    else:
        out.data("no changes")
    if status.behind:
        out.data(f"{status.head} is newer: `ldb commit` merges with it")
    if status.renamed:
        out.data(
            f"{name} was renamed since: `ldb commit {status.renamed}` saves under its new name"
        )
    elif status.gone:
        out.data(f"{name} was deleted since: `ldb commit {name}` makes it again")
