"""`ldb query`: ask loose JSON files. docs/commands/query.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.options import LocalPath, expression, output_options, query_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.porcelain.eval import indent_of, to_json
from ldb.porcelain.look import Show, shows_of
from ldb.porcelain.query import FileQuery
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="FILES...", type=LocalPath())
@query_options
@click.option("--show", type=expression, metavar="E", help="Show this of each file (as --query).")
@click.option("--jshow", type=expression, metavar="E", help="Show this of each file (as --jquery).")
@click.option(
    "--indent", type=indent_of, default="2", metavar="N|none", show_default=True,
    help="Spaces a level; none: each value on one line.",
)  # fmt: skip
@output_options(json=True)
@pass_app
def command(
    app: App,
    files: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    show: str | None,
    jshow: str | None,
    indent: int | None,
    out: Output,
) -> int:
    """Ask JSON files, or all those in folders, without an instance.

    The last --query or --jquery is shown, those before it filter; with --show or --jshow
    all of them filter. A file that lacks a key which --query or --show names is left out.

    \b
    Examples:
      ldb query image.json --query "boxes[].label"
      ldb query labels/ --query "class == 'cat'" --show id
    """
    if show and jshow:
        raise click.UsageError("give --show or --jshow, not both")
    shown = Show("query", show) if show else Show("jquery", jshow) if jshow else None
    if shown is None:
        filters, shows = shows_of(filters)
        shown = shows[-1] if shows else None
    query = FileQuery(str(app.cwd), filters, shown)
    for answer in query.run(files):
        if out.as_json:
            out.json({"path": answer.path, "value": answer.value})
        else:
            out.data(to_json(answer.value, indent))
    for message in query.warnings():
        out.warn(message)
    for problem in query.problems:
        out.warn(str(problem))
    return 1 if query.problems else 0
