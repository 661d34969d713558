"""`ldb merge-map`: three-way merge of maps. docs/commands/merge-map.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import end_of, names, zero_option
from ldb.porcelain.plumbing.difftext import conflict_lines, conflict_records
from ldb.porcelain.plumbing.maps import merge_map, open_maps

CONFLICT = 4


@click.command(cls=Command)
@click.argument("base", shell_complete=names)
@click.argument("a", shell_complete=names)
@click.argument("b", shell_complete=names)
@zero_option
@output_options(json=True)
@pass_app
def command(app: App, base: str, a: str, b: str, zero: bool, out: Output) -> int | None:
    """Merge what changed from BASE to B into A; print the root of the merged map.

    Keys changed differently on both sides keep what A has. They are listed after the
    root: C, key, then the fields in BASE, A and B, or - where there is no row; the exit
    code is 4 then. All three are maps as for `ldb ls-map`.

    \b
    Examples:
      ldb merge-map ds:cats.v1 ds:cats.v2 ds:dogs
    """
    instance = open_instance_of(app)
    schema, (base_root, ours, theirs) = open_maps(instance, base, a, b)
    merged = merge_map(instance, schema, base_root, ours, theirs)
    if out.as_json:
        conflicts = conflict_records(merged.conflicts)
        out.json({"root": str(merged.root.oid), "count": merged.root.count,
                  "conflicts": conflicts})  # fmt: skip
    else:
        end = end_of(zero)
        found = [str(merged.root.oid).encode(), *conflict_lines(merged.conflicts, end)]
        out.raw(b"".join(line + end for line in found))
    if not len(merged.conflicts):
        return None
    out.warn(f"{len(merged.conflicts)} key(s) changed on both sides; the map has those of {a}")
    return CONFLICT
