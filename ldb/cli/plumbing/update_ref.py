"""`ldb update-ref`: move a ref, if it is where it should be. docs/commands/update-ref.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import author_of, open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import names
from ldb.instance import Instance
from ldb.porcelain.plumbing.names import ref_named, rev_parse
from ldb.porcelain.plumbing.refs import Expected, delete_ref, update_ref


@click.command(cls=Command)
@click.argument("ref", shell_complete=names)
@click.argument("new", metavar="NEW [OLD]", nargs=-1, shell_complete=names)
@click.option("-d", "--delete", is_flag=True, help="Write a tombstone: -d REF [OLD].")
@output_options(json=True)
@pass_app
def command(app: App, ref: str, new: tuple[str, ...], delete: bool, out: Output) -> None:
    """Make the commit NEW the next version of REF, and print that version.

    With OLD only if REF points at OLD now: else exit code 4. "" or zeros for OLD: only if
    there is no REF. NEW must be a commit with all its map nodes there. Nothing is ever
    lost: earlier versions keep their numbers.

    \b
    Examples:
      ldb update-ref ds:root ds:root~1            # undo an index run
      ldb update-ref ds:cats 1f3a9c ds:cats.v3    # only if nobody was faster
      ldb update-ref -d ds:cats
    """
    most = 1 if delete else 2
    if not most - 1 <= len(new) <= most:
        raise click.UsageError("it takes REF NEW [OLD], or -d REF [OLD]")
    name = ref_named(ref)
    instance = open_instance_of(app)
    old = _expected(instance, new[-1]) if len(new) == most else None
    if delete:
        moved = delete_ref(instance, name, author_of(app), old)
    else:
        moved = update_ref(instance, name, rev_parse(instance, new[0]), author_of(app), old)
    if out.as_json:
        target = str(moved.target) if moved.target else None
        out.json({"version": str(moved), "commit": target})
    else:
        out.data(str(moved))


def _expected(instance: Instance, text: str) -> Expected:
    return Expected(rev_parse(instance, text) if text.strip("0") else None)
