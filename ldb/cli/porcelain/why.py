"""`ldb why`: why a data object is in a dataset. docs/commands/why.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import PathOrUrl, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.porcelain.log import spec_of
from ldb.cli.shells import dataset_names
from ldb.cli.showing import operation_json, operation_line, when
from ldb.cli.sources import dataset_names_of
from ldb.porcelain.log import Reason, one_object, why


@click.command(cls=Command)
@click.argument("name", metavar="id:HASH|PATH", type=PathOrUrl())
@click.argument(
    "dataset", metavar="[ds:NAME]", required=False, shell_complete=dataset_names(dataset_names_of)
)
@output_options(json=True)
@pass_app
def command(app: App, name: str, dataset: str | None, out: Output) -> None:
    """Show the commands that made a data object what it is in ds:NAME, newest first.

    Without ds:NAME: into the dataset of the workspace. Exit code 3 where it is not in it.

    \b
    Examples:
      ldb why id:3f2a91
      ldb why id:3f2a91 ds:cats.v2
      ldb why /data/cats/tom.jpg ds:cats
    """
    place = place_of(app)
    found = why(place, one_object(place, name), spec_of(place, dataset))
    for reason in found:
        if out.as_json:
            out.json({
                "version": str(reason.version), "change": reason.what,
                "author": reason.version.commit.author, "time": reason.version.commit.time,
                "operations": [operation_json(each) for each in reason.operations],
                "sure": reason.sure,
            })  # fmt: skip
        else:
            _print(reason, out)


def _print(reason: Reason, out: Output) -> None:
    commit = reason.version.commit
    author = visible(commit.author)
    out.data(f"{reason.what} in {reason.version}  {when(commit.time)}  {author}")
    for line in commit.message.splitlines():
        out.data(f"    {visible(line)}")
    if not reason.sure and len(reason.operations) > 1:
        out.data("    by one of:")
    for operation in reason.operations:
        out.data(f"    $ {operation_line(operation)}")
        for source in operation.sources:
            if source.commit:
                out.data(f"      {visible(source.spec)} was commit {str(source.commit)[:12]}")
