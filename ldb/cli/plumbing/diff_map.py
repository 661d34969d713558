"""`ldb diff-map`: what differs between two maps. docs/commands/diff-map.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import end_of, names, zero_option
from ldb.porcelain.plumbing.difftext import diff_lines, diff_records
from ldb.porcelain.plumbing.maps import diff_map, open_maps

DIFFERENT = 1


@click.command(cls=Command)
@click.argument("a", shell_complete=names)
@click.argument("b", shell_complete=names)
@click.option("--exit-code", is_flag=True, help="Exit code 1 where there are differences.")
@zero_option
@output_options(json=True)
@pass_app
def command(app: App, a: str, b: str, exit_code: bool, zero: bool, out: Output) -> int | None:
    """Print the rows that differ from map A to map B, in key order.

    A (added) and D (deleted) are followed by key and fields, M (changed) by key, the
    fields in A and the fields in B; tabs between. A and B are maps as for `ldb ls-map`.

    \b
    Examples:
      ldb diff-map ds:cats.v1 ds:cats
      ldb diff-map ds:root~1:paths ds:root:paths
    """
    instance = open_instance_of(app)
    schema, (old, new) = open_maps(instance, a, b)
    found = False
    for part in diff_map(instance, schema, old, new):
        found = True
        if out.as_json:
            for record in diff_records(schema, part):
                out.json(record)
        else:
            end = end_of(zero)
            out.raw(b"".join(line + end for line in diff_lines(schema, part, end)))
    return DIFFERENT if found and exit_code else None
