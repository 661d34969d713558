"""`ldb mk-map`: a map from rows on stdin. docs/commands/mk-map.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import end_of, stdin, zero_option
from ldb.porcelain.plumbing.maps import MAPS, schema_named
from ldb.porcelain.plumbing.mk_map import mk_map


@click.command(cls=Command)
@click.option("-t", "name", type=click.Choice(MAPS), required=True, help="Schema of the map.")
@click.option("--missing", is_flag=True, help="Rows may name blobs that are not there.")
@zero_option
@output_options(json=True)
@pass_app
def command(app: App, name: str, missing: bool, zero: bool, out: Output) -> None:
    """Store the map of the rows on stdin, and print the oid of its root.

    Rows are as `ldb ls-map` prints them, in any order, each key once. No rows make the
    empty map. The same rows give the same oid.

    \b
    Examples:
      ldb mk-map -t dataset < rows
      ldb ls-map ds:cats | grep -v ^1f | ldb mk-map -t dataset
    """
    instance = open_instance_of(app)
    root = mk_map(
        instance,
        schema_named(instance, name),
        stdin(),
        end=end_of(zero),
        missing=missing,
        progress=out.progress(),
    )
    if out.as_json:
        out.json({"root": str(root.oid), "count": root.count})
    else:
        out.data(str(root.oid))
