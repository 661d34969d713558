"""`ldb count-objects`: how much an instance holds. docs/commands/count-objects.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command


@click.command(cls=Command)
@output_options(json=True)
@pass_app
def command(app: App, out: Output) -> None:
    """Print numbers and bytes of loose blobs and of packs, and packed blobs by type.

    `-v` and `--json` also count the files made from packs: columns and places.

    \b
    Examples:
      ldb count-objects
      ldb count-objects --json
    """
    counts = open_instance_of(app).objects.counts()
    values = {
        "loose": counts.loose,
        "loose-bytes": counts.loose_bytes,
        "packs": counts.packs,
        "pack-bytes": counts.pack_bytes,
        **{f"packed-{kind.value}": count for kind, count in counts.packed.items()},
    }
    if out.as_json or out.verbose:
        values |= {"derived": counts.derived, "derived-bytes": counts.derived_bytes}
    if out.as_json:
        out.json(values)
        return
    for name, value in values.items():
        out.data(f"{name}: {value}")
