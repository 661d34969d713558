"""`ldb storage`: the registered storage locations. docs/commands/storage.md."""

from __future__ import annotations

from typing import Any

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of, place_of
from ldb.cli.options import PathOrUrl, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Group
from ldb.instance import Location
from ldb.porcelain.storage import del_storage
from ldb.storage.location import shown


@click.group(cls=Group)
def command() -> None:
    """Show and forget storage locations; `ldb add-storage` registers them.

    \b
    Examples:
      ldb storage list
      ldb storage del /data/incoming
    """


@command.command("list")
@output_options(json=True)
@pass_app
def list_(app: App, out: Output) -> None:
    """Print the registered locations.

    One a line; read-add ones are marked.
    """
    locations = open_instance_of(app).settings().locations
    if out.as_json:
        out.json([_value(each) for each in locations])
        return
    out.table((shown(each.url), _remarks(each)) for each in locations)


def _value(location: Location) -> dict[str, Any]:
    options = dict(location.options)
    return {
        "url": location.url,
        "read_add": location.read_add,
        "options": options,
        "trust_etag": location.trust_etag,
    }


def _remarks(location: Location) -> str:
    words = ["read-add"] if location.read_add else []
    words += ["trust-etag"] if location.trust_etag else []
    return " ".join([*words, *(f"{name}={text}" for name, text in location.options.items())])


@command.command("del")
@click.argument("path", type=PathOrUrl("dir"))
@output_options()
@pass_app
def del_(app: App, path: str, out: Output) -> None:
    """Forget the location PATH.

    What was indexed there stays indexed, and its files stay where they are.
    """
    location = del_storage(place_of(app), path)
    out.say(f"{shown(location.url)} is no storage location any more")
