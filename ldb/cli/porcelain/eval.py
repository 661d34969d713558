"""`ldb eval`: annotations, or what expressions say of them. docs/commands/eval.md."""

from __future__ import annotations

import json
from typing import Any

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import expression, file_expression, filter_options, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.sources import sources_argument, warn
from ldb.porcelain.look import Evaluated, Evaluation, Show, shows_of
from ldb.porcelain.sources import select
from ldb.query.selection import FilterSpec


def indent_of(text: str) -> int | None:
    """`none`, or a number of spaces."""
    if text == "none":
        return None
    if not text.isdecimal() or int(text) > 16:
        raise click.BadParameter(f"{text!r} is not 'none' or a number from 0 to 16")
    return int(text)


@click.command("eval", cls=Command)
@sources_argument
@filter_options
@click.option(
    "--show", type=expression, metavar="E", help="Show this of the annotation (as --query)."
)
@click.option(
    "--jshow", type=expression, metavar="E", help="Show this of the annotation (as --jquery)."
)
@click.option(
    "--file-show", type=file_expression, metavar="E", help="Show this of the object's attributes."
)
@click.option("-j", "--json-only", is_flag=True, help="Print the values only, not the ids.")
@click.option(
    "--indent", type=indent_of, default="2", metavar="N|none", show_default=True,
    help="Spaces a level; none: each value on one line.",
)  # fmt: skip
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    show: str | None,
    jshow: str | None,
    file_show: str | None,
    json_only: bool,
    indent: int | None,
    out: Output,
) -> None:
    """Print the annotations of data objects, or what expressions say of them.

    Without --show, --jshow and --file-show the last --query or --jquery and the last --file
    are shown instead of filtering, when nothing but each other follows them. An object that
    lacks a key which --query or --show names is left out.

    \b
    Examples:
      ldb eval ds:cats --limit 1
      ldb eval ds:cats --query "class == 'cat'" --show "boxes[].label"
      ldb eval -j --indent none ds:root --limit 5 --query class
    """
    shows = _shows(show, jshow, file_show)
    if not shows:
        filters, shows = shows_of(filters)
    place = place_of(app, quick_start=True)
    chosen = select(place, sources, filters, default="staged", seed=seed, progress=out.progress())
    warn(out, chosen.warnings)
    evaluation = Evaluation(
        chosen.catalog, chosen.rows, shows or (Show("jquery", ""),), chosen.plugins
    )
    for row in out.printing(evaluation, len(chosen.rows), lambda _: 1):
        _print(row, json_only, indent, out)
    warn(out, tuple(evaluation.warnings()))


def _shows(show: str | None, jshow: str | None, file_show: str | None) -> tuple[Show, ...]:
    given = [("query", show), ("jquery", jshow), ("file", file_show)]
    return tuple(Show(kind, text) for kind, text in given if text)  # type: ignore[arg-type]


def _print(row: Evaluated, json_only: bool, indent: int | None, out: Output) -> None:
    if out.as_json:
        out.json({"id": str(row.id), "values": list(row.values)})
        return
    if not json_only:
        out.data(f"id:{row.id}")
    for value in row.values:
        out.data(to_json(value, indent))


def to_json(value: Any, indent: int | None) -> str:
    """A value as JSON text; without an indent, on one line."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
