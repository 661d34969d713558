"""`ldb ls-map`: the rows of a map. docs/commands/ls-map.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import end_of, names, zero_option
from ldb.porcelain.plumbing.maps import ls_map, open_map
from ldb.porcelain.plumbing.rowtext import block, records


@click.command(cls=Command)
@click.argument("name", metavar="OID", shell_complete=names)
@click.option("--prefix", metavar="P", default="", help="Only keys that begin so: hex, or a URI.")
@click.option("--schema", "only_schema", is_flag=True, help="Print name and columns, no rows.")
@zero_option
@output_options(json=True)
@pass_app
def command(app: App, name: str, prefix: str, only_schema: bool, zero: bool, out: Output) -> None:
    """Print the rows of a map in key order: key and fields in hex, tabs between.

    OID is the root of a map or anything `ldb rev-parse` takes; a dataset stands for its
    map. Keys of the map `paths` are URIs.

    \b
    Examples:
      ldb ls-map ds:cats
      ldb ls-map ds:root:paths --prefix file:///data/cats/
      ldb ls-map --schema ds:root:objects
    """
    instance = open_instance_of(app)
    schema, root = open_map(instance, name)
    if only_schema:
        columns = {"key": schema.key_width, **dict(schema.fields)}
        if out.as_json:
            out.json({"schema": schema.name, "columns": columns})
        else:
            out.data("\t".join([schema.name, *(f"{name}:{columns[name]}" for name in columns)]))
        return
    for rows in ls_map(instance, schema, root, prefix):
        if out.as_json:
            for record in records(schema, rows):
                out.json(record)
        else:
            out.raw(block(schema, rows, end_of(zero)))
