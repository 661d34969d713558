"""`ldb unpack-objects`: take in the blobs of a pack file. docs/commands/unpack-objects.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import PathOrUrl, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import stdin
from ldb.porcelain.plumbing.blobs import read_file
from ldb.porcelain.plumbing.packs import MAX_PACK, unpack_objects


@click.command(cls=Command)
@click.argument("file", required=False, type=PathOrUrl())
@click.option("--loose", is_flag=True, help="Store each blob by itself, not the pack.")
@click.option("-n", "--dry-run", is_flag=True, help="Check it, and store nothing.")
@output_options(json=True)
@pass_app
def command(app: App, file: str | None, loose: bool, dry_run: bool, out: Output) -> None:
    """Store the blobs of a pack FILE, or of one on stdin; print the pack's name.

    Every blob is checked first. Where anything is wrong, nothing is stored.

    \b
    Examples:
      ldb unpack-objects cats.pack
      ssh host ldb pack-objects --stdout < oids | ldb unpack-objects
    """
    data = read_file(file, MAX_PACK) if file is not None else stdin().read(MAX_PACK + 1)
    where = file if file is not None else "standard input"
    done = unpack_objects(open_instance_of(app), data, where, loose, dry_run)
    if out.as_json:
        out.json({"pack": done.name, "blobs": done.blobs})
    else:
        out.data(done.name)
    out.say(f"{done.blobs} blobs checked" + ("" if dry_run else " and stored"))
