"""`ldb ds`: list, delete, rename, export and import datasets. docs/commands/ds.md."""

from __future__ import annotations

import os
from typing import Any

import click

from ldb.cli import showing
from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of, place_of
from ldb.cli.options import LocalPath, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Group
from ldb.cli.shells import dataset_names
from ldb.cli.showing import plural
from ldb.cli.sources import dataset_names_of
from ldb.porcelain.ds import Listed, delete_datasets, list_datasets, rename_dataset
from ldb.refs.name import parse_version

_COMPLETE = dataset_names(dataset_names_of)


@click.group(cls=Group)
def command() -> None:
    """List, delete and rename datasets; carry them to another instance and back.

    \b
    Examples:
      ldb ds list
      ldb ds rename ds:cats ds:animals
      ldb ds export ds:animals animals.tar
      ldb ds del ds:animals
      ldb ds import animals.tar --as ds:pets
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
        what = f"renamed to {each.ref.renamed}" if each.ref.renamed else ""
        return str(each.ref), "deleted", time, each.ref.author, what
    commit = each.version.commit
    first_line = commit.message.partition("\n")[0]
    count = f"{showing.objects_in(each.version):,}"
    time = showing.when(commit.time)
    return str(each.version), count, time, visible(commit.author), visible(first_line)


def _value(each: Listed) -> dict[str, Any]:
    value: dict[str, Any] = {"version": str(each.ref), "deleted": each.version is None}
    if each.version is None:
        renamed = str(each.ref.renamed) if each.ref.renamed else None
        return {**value, "time": each.ref.time, "author": each.ref.author, "renamed": renamed}
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
    out.say(
        f"{old} is {version} now; workspaces staged from the old name: `ldb commit {version.ref}`"
    )


@command.command("export")
@click.argument("dataset", metavar="ds:NAME[.vN]", shell_complete=_COMPLETE)
@click.argument("where", metavar="FILE|DIR/", type=LocalPath())
@click.option("--with-data", is_flag=True, help="Carry the bytes of the data objects too.")
@click.option("-f", "--force", is_flag=True, help="Replace what is there.")
@output_options(json=True)
@pass_app
def export_(app: App, dataset: str, where: str, with_data: bool, force: bool, out: Output) -> None:
    """Write a dataset to one file, to carry it to another instance.

    With all its versions, their annotations and what is known of the data objects, which
    stay where they are; with .vN that version alone. A name that ends with a slash makes
    a folder of the same content.
    """
    from ldb.cli.caching import cache_options
    from ldb.porcelain.export import export

    folder = where.endswith(("/", os.sep))
    target = os.path.normpath(os.path.join(app.cwd, where))
    done = export(
        place_of(app), parse_version(dataset), target,
        folder=folder, with_data=with_data, force=force,
        cache=cache_options(app), progress=out.progress(),
    )  # fmt: skip
    if out.as_json:
        out.json({
            "file": done.where, "versions": done.versions, "objects": done.objects,
            "data_objects": done.data, "bytes": done.bytes,
        })  # fmt: skip
        return
    data = f", {done.data:,} of them with their bytes" if done.data else ""
    what = f"{plural(done.versions, 'version')}, {plural(done.objects, 'data object')}{data}"
    out.say(f"wrote {done.where}: {what}; {plural(done.bytes, 'byte')}")


@command.command("import")
@click.argument("where", metavar="FILE|DIR", type=LocalPath())
@click.option("--as", "rename_to", metavar="ds:NEW", default="", help="Under another name.")
@click.option(
    "--data", metavar="DIR", type=LocalPath(), help="Write the data objects it carries there."
)
@output_options(json=True)
@pass_app
def import_(app: App, where: str, rename_to: str, data: str | None, out: Output) -> None:
    """Take in what `ldb ds export` wrote.

    All of it is checked first. Versions keep their numbers; what is there already is not
    imported again. A dataset of the same name with another history is a conflict (exit code
    4): nothing is changed, and --as gives a name.
    """
    from ldb.porcelain.imports import import_data, import_datasets, opened

    place = place_of(app, quick_start=True)
    with opened(os.path.join(app.cwd, where), out.progress()) as parcel:
        done = import_datasets(place, parcel, rename=rename_to, progress=out.progress())
        written = 0
        if data is not None:
            folder = os.path.join(app.cwd, data)
            written, found = import_data(place.refreshed(), parcel, folder, out.progress())
            for problem in found.report.problems:
                out.warn(f"{visible(problem.path)}: {problem.why}")
        carried = len(parcel.data)
    if out.as_json:
        out.json({
            "datasets": [
                {"version": str(each.newest), "new_versions": each.versions}
                for each in done.datasets
            ],
            "new_objects": done.objects, "new_annotations": done.annotations,
            "data_objects": written,
        })  # fmt: skip
        return
    for each in done.datasets:
        new = plural(each.versions, "new version") if each.versions else "nothing new"
        out.say(f"{each.newest}: {new}")
    out.say(f"{plural(done.objects, 'new data object')} in the index")
    if data is not None:
        out.say(f"wrote {plural(written, 'data object')} to {data}")
    elif carried:
        out.say(f"it carries {plural(carried, 'data object')}: `--data DIR` writes them there")
