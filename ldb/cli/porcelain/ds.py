"""`ldb ds`: list, delete and rename datasets. docs/commands/ds.md."""

from __future__ import annotations

from typing import Any

import click

from ldb.cli import showing
from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of, place_of
from ldb.cli.options import output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Group
from ldb.cli.shells import dataset_names
from ldb.cli.sources import dataset_names_of
from ldb.porcelain.ds import Listed, delete_datasets, list_datasets, rename_dataset
from ldb.refs.name import parse_version

_COMPLETE = dataset_names(dataset_names_of)


@click.group(cls=Group)
def command() -> None:
    """List, delete and rename datasets.

    \b
    Examples:
      ldb ds list
      ldb ds rename ds:cats ds:animals
      ldb ds del ds:animals
    """


@command.command("list")
@click.option("-a", "--all", "everything", is_flag=True, help="All versions, deleted ones too.")
@output_options(json=True)
@pass_app
def list_(app: App, everything: bool, out: Output) -> None:
    """Print each dataset's newest version.

    With its number of data objects, time (UTC), author and message.
    """
    found = list_datasets(open_instance_of(app), everything)
    if out.as_json:
        out.json([_value(each) for each in found])
    else:
        out.table(_row(each) for each in found)


def _row(each: Listed) -> tuple[str, str, str, str, str]:
    if each.version is None:
        time = each.ref.time[:19].replace("T", " ")
        return str(each.ref), "deleted", time, each.ref.author, ""
    commit = each.version.commit
    first_line = commit.message.partition("\n")[0]
    count = f"{showing.objects_in(each.version):,}"
    time = showing.when(commit.time)
    return str(each.version), count, time, visible(commit.author), visible(first_line)


def _value(each: Listed) -> dict[str, Any]:
    value: dict[str, Any] = {"version": str(each.ref), "deleted": each.version is None}
    if each.version is None:
        return {**value, "time": each.ref.time, "author": each.ref.author}
    commit = each.version.commit
    return {
        **value,
        "objects": showing.objects_in(each.version),
        "commit": str(each.version.oid),
        "time": commit.time,
        "author": commit.author,
        "message": commit.message,
    }


@command.command("del")
@click.argument("names", nargs=-1, required=True, metavar="ds:NAME...", shell_complete=_COMPLETE)
@output_options()
@pass_app
def del_(app: App, names: tuple[str, ...], out: Output) -> None:
    """Delete datasets.

    Their versions can still be named, and are listed by `ldb ds list -a`: to bring one
    back, stage its last version and commit that with --restore.
    """
    for last in delete_datasets(place_of(app), [parse_version(name) for name in names]):
        out.say(f"deleted {last.name}; its last version, {last}, can still be named")


@command.command("rename")
@click.argument("old", metavar="ds:OLD", shell_complete=_COMPLETE)
@click.argument("new", metavar="ds:NEW")
@output_options()
@pass_app
def rename(app: App, old: str, new: str, out: Output) -> None:
    """Give a dataset another name.

    Its versions keep their old names too; `ldb log ds:NEW` goes back to them.
    """
    version = rename_dataset(place_of(app), parse_version(old), new.removeprefix("ds:"))
    out.say(f"{old} is {version} now")
