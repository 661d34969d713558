"""`ldb pack-objects`: chosen blobs in one pack. docs/commands/pack-objects.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import PathOrUrl, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import lines
from ldb.porcelain.plumbing.blobs import write_file
from ldb.porcelain.plumbing.names import rev_parse
from ldb.porcelain.plumbing.packs import pack_objects, store_pack


@click.command(cls=Command)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=PathOrUrl(),
    help="Write the pack to a new FILE instead.",
)
@click.option("--stdout", "to_stdout", is_flag=True, help="Write the pack to standard output.")
@output_options(json=True)
@pass_app
def command(app: App, output: str | None, to_stdout: bool, out: Output) -> None:
    """Put the blobs whose oids are on stdin into one pack; print its name.

    One oid a line; what follows it after a space is left out, so that the output of
    `ldb rev-list --objects` will do. The pack is stored in the instance, unless -o or
    --stdout send it elsewhere. The same oids in the same order give the same pack.

    \b
    Examples:
      ldb rev-list --objects ds:cats | ldb pack-objects -o cats.pack
      ldb rev-list --objects ds:cats ^ds:cats~1 | ldb pack-objects --stdout > new.pack
    """
    if output is not None and to_stdout:
        raise click.UsageError("give one of -o and --stdout")
    instance = open_instance_of(app)
    pack = pack_objects(instance, (rev_parse(instance, line.split()[0]) for line in lines()))
    if to_stdout:
        out.raw(pack.data)
        return
    if output is not None:
        write_file(output, pack.data)
    else:
        store_pack(instance, pack)
    if out.as_json:
        out.json({"pack": pack.name, "blobs": pack.blobs, "bytes": len(pack.data)})
    else:
        out.data(pack.name)
