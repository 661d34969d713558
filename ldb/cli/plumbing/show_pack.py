"""`ldb show-pack`: blocks and blobs of a pack. docs/commands/show-pack.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import PathOrUrl, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.objects.packformat import pack_name
from ldb.objects.packread import PackReader
from ldb.porcelain.plumbing.packs import entries, pack_named


@click.command(cls=Command)
@click.argument("pack", type=PathOrUrl())
@click.option("--blocks", "only", flag_value="blocks", help="Its blocks only.")
@click.option("--blobs", "only", flag_value="blobs", help="Its blobs only.")
@output_options(json=True)
@pass_app
def command(app: App, pack: str, only: str | None, out: Output) -> None:
    """Print what a pack holds: a line for it, one a block, one a blob; tabs between.

    \b
      pack   name  bytes  blobs  blocks
      block  number  type  first blob  blobs  offset  bytes  bytes decompressed
      blob   oid  type  bytes  block

    PACK is 6 or more digits of a pack's name, or a file that ends in .pack.

    \b
    Examples:
      ldb show-pack 0c41d2
      ldb show-pack --blobs copied.pack
    """
    reader = pack_named(open_instance_of(app), pack)
    if only is None:
        name = pack_name(reader.key)
        _line(out, "pack", name=name, bytes=reader.size, blobs=len(reader),
              blocks=reader.trailer.blocks)  # fmt: skip
    if only != "blobs":
        _blocks(reader, out)
    if only != "blocks":
        for entry in entries(reader):
            _line(out, "blob", oid=str(entry.oid), type=entry.type.value, bytes=entry.size,
                  block=entry.block.number)  # fmt: skip


def _blocks(reader: PackReader, out: Output) -> None:
    for block in reader.blocks():
        _line(
            out,
            "block",
            number=block.number,
            type=block.type.value,
            first=block.first,
            blobs=block.count,
            offset=block.offset,
            bytes=block.stored,
            raw=block.raw,
        )


def _line(out: Output, kind: str, **columns: object) -> None:
    if out.as_json:
        out.json({"kind": kind, **columns})
    else:
        out.data("\t".join([kind, *map(str, columns.values())]))
