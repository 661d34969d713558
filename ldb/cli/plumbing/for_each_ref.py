"""`ldb for-each-ref`: refs in a format of one's own. docs/commands/for-each-ref.md."""

from __future__ import annotations

from fnmatch import fnmatchcase

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.porcelain.plumbing.ref_format import DEFAULT, FIELDS, compiled
from ldb.porcelain.plumbing.refs import show_ref


@click.command(cls=Command)
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.option("--format", "pattern", metavar="FORMAT", default=DEFAULT, help="See below.")
@click.option("--count", type=click.IntRange(min=0), metavar="N", help="At most N refs.")
@output_options(json=True)
@pass_app
def command(
    app: App, patterns: tuple[str, ...], pattern: str, count: int | None, out: Output
) -> None:
    """Print a line for each ref that matches a PATTERN (ds:cat*), or for all.

    FORMAT is text with %(FIELD) in it. FIELDs: refname, refname:short, objectname,
    objectname:short, version, number, kind, author, time, message, rows. %% is a
    percent sign, %0a the byte of these hex digits.

    \b
    Examples:
      ldb for-each-ref
      ldb for-each-ref --format '%(version) %(rows)' 'ds:cat*'
      ldb for-each-ref --format '%(refname:short)%00' --count 3
    """
    parts = compiled(pattern)
    instance = open_instance_of(app)
    left = count
    for ref in show_ref(instance):
        if patterns and not any(fnmatchcase(str(ref.name), each) for each in patterns):
            continue
        if left is not None:
            if not left:
                break
            left -= 1
        if out.as_json:
            out.json({name: find(instance, ref) for name, find in FIELDS.items()})
        else:
            out.data(
                "".join(part if isinstance(part, str) else part(instance, ref) for part in parts)
            )
