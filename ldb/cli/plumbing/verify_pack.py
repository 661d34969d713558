"""`ldb verify-pack`: check packs, bit by bit. docs/commands/verify-pack.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import PathOrUrl, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.objects.packformat import pack_name
from ldb.porcelain.plumbing.packs import pack_named, verify

CORRUPT = 5


@click.command(cls=Command)
@click.argument("packs", metavar="[PACK]...", nargs=-1, type=PathOrUrl())
@output_options(json=True)
@pass_app
def command(app: App, packs: tuple[str, ...], out: Output) -> int | None:
    """Check packs: every blob, table and checksum; no PACK: all of the instance.

    PACK is 6 or more digits of a pack's name, or a file that ends in .pack. Prints name
    and `ok` or `bad`, then what is wrong, one problem a line after a tab; exit code 5.

    \b
    Examples:
      ldb verify-pack
      ldb verify-pack 0c41d2 copied.pack
    """
    instance = open_instance_of(app)
    chosen = [pack_named(instance, text) for text in packs] or instance.objects.packs()
    damaged = False
    for pack in chosen:
        problems = [str(problem) for problem in verify(pack)]
        damaged = damaged or bool(problems)
        if out.as_json:
            out.json({"pack": pack_name(pack.key), "problems": problems})
            continue
        out.data(f"{pack_name(pack.key)} {'bad' if problems else 'ok'}")
        for problem in problems:
            out.data(f"\t{problem}")
    return CORRUPT if damaged else None
