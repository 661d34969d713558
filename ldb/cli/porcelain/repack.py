"""`ldb repack`: few large packs out of many small ones. docs/commands/repack.md."""

from __future__ import annotations

from dataclasses import asdict

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.porcelain.repack import repack


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@output_options(json=True)
@pass_app
def command(app: App, dry_run: bool, out: Output) -> None:
    """Copy what small packs and loose blobs hold into few large packs.

    Versions stay what they are. The old packs are not needed any more then; `ldb gc`
    deletes them.

    \b
    Examples:
      ldb repack --dry-run
      ldb repack && ldb gc --prune
    """
    report = repack(open_instance_of(app), dry_run=dry_run, progress=out.progress())
    if out.as_json:
        out.json(asdict(report))
        return
    old = f"{report.packs} pack(s) and {report.loose} loose blob(s), {report.bytes / 1e6:.1f} MB"
    if not report.packs + report.loose:
        out.say("nothing to do: there are no small packs to put together")
    elif dry_run:
        out.say(f"would be put together: {old}")
    else:
        new = f"{report.new_packs} pack(s), {report.new_bytes / 1e6:.1f} MB"
        out.say(f"put together: {old}, as {new}")
        out.say("the old ones can go when they are three days old: ldb gc --prune")
    out.detail(f"{report.blobs} blobs copied")
