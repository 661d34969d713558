"""`ldb pull`: newest annotations for the draft. docs/commands/pull.md."""

from __future__ import annotations

import re

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
from ldb.cli.sources import argv_of, sources_argument, warn
from ldb.porcelain.pull import pull
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@sources_argument
@filter_options
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    out: Output,
) -> None:
    """Give objects of the draft their newest annotations, or, with vN last, version N.

    Without SOURCES: the whole draft. The newest annotation is the one that was indexed
    last. Objects that are not in the draft stay outside; one without a version N keeps
    what it has. A file called v2 is written ./v2.

    \b
    Examples:
      ldb pull
      ldb pull v1
      ldb pull --query "class == 'cat'"
      ldb pull ds:relabelled v2
    """
    sources, number = _split(sources)
    done = pull(
        place_of(app),
        sources,
        filters,
        number=number,
        seed=seed,
        command=("pull", *argv_of("", sources, filters, seed)[1:], *_version(number)),
        progress=out.progress(),
    )
    warn(out, done.warnings)
    if out.as_json:
        out.json({"selected": done.selected, "updated": done.updated})
    else:
        out.say(f"{done.updated:,} of {plural(done.selected, 'data object')} updated")


def _split(sources: tuple[str, ...]) -> tuple[tuple[str, ...], int | None]:
    """The sources, and the number of the version that stands behind them."""
    found = re.fullmatch(r"v(\d{1,9})", sources[-1]) if sources else None
    return (sources[:-1], int(found[1])) if found else (sources, None)


def _version(number: int | None) -> tuple[str, ...]:
    return () if number is None else (f"v{number}",)
