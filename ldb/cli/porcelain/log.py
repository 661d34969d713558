"""`ldb log`: the history of a dataset, or of one object in it. docs/commands/log.md."""

from __future__ import annotations

import itertools

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.shells import dataset_names
from ldb.cli.showing import objects_in, operation_line, plural, version_json, when
from ldb.cli.sources import dataset_names_of
from ldb.errors import NotFound
from ldb.history import Version, resolve
from ldb.porcelain.log import log, object_log, one_object
from ldb.porcelain.place import Place
from ldb.refs.name import VersionSpec, dataset_ref, parse_version


@click.command(cls=Command)
@click.argument(
    "dataset", metavar="[ds:NAME]", required=False, shell_complete=dataset_names(dataset_names_of)
)
@click.option(
    "--object", "name", metavar="id:HASH|PATH", help="Only versions that changed this object."
)
@click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N versions.")
@output_options(json=True)
@pass_app
def command(
    app: App, dataset: str | None, name: str | None, limit: int | None, out: Output
) -> None:
    """Show the versions of ds:NAME (default: of the workspace's dataset), newest first.

    \b
    Examples:
      ldb log
      ldb log ds:cats -n 5
      ldb log ds:root --object id:3f2a91
    """
    place = place_of(app)
    spec = spec_of(place, dataset)
    if name is not None:
        _object(place, spec, name, limit, out)
        return
    for version in itertools.islice(log(place, spec), limit):
        if out.as_json:
            out.json(version_json(version))
        else:
            _print(version, out)


def _object(place: Place, spec: VersionSpec, text: str, limit: int | None, out: Output) -> None:
    name = one_object(place, text)
    newest = resolve(place.instance, spec)
    events = object_log(place, newest, name)
    first = next(events, None)
    if first is None:
        raise NotFound("data object", f"id:{name} in the history of {newest}")
    for event in itertools.islice(itertools.chain([first], events), limit):
        note = str(event.annotation) if event.annotation else None
        if out.as_json:
            out.json({"version": str(event.version), "change": event.what, "annotation": note})
        else:
            out.data(f"{event.version}  {when(event.version.commit.time)}  {event.what}")


def spec_of(place: Place, dataset: str | None) -> VersionSpec:
    """The version asked for; by default the one the workspace's draft is of."""
    if dataset is not None:
        return parse_version(dataset)
    workspace = place.workspace
    if workspace is None or not workspace.state.dataset:
        raise click.UsageError("name a dataset: ds:NAME (there is none staged here)")
    return VersionSpec(dataset_ref(workspace.state.dataset))


def _print(version: Version, out: Output) -> None:
    commit = version.commit
    size = plural(objects_in(version), "data object")
    out.data(f"{version}  {when(commit.time)}  {visible(commit.author)}  {size}")
    for line in commit.message.splitlines():
        out.data(f"    {visible(line)}")
    for operation in commit.operations:
        out.data(f"    $ {operation_line(operation)}")
