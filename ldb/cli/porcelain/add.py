"""`ldb add`: add data objects to the draft. docs/commands/add.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.caching import cache_options
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, label_version_option, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.showing import joined, plural
from ldb.cli.sources import argv_of, sources_argument, warn
from ldb.cli.writing import tell as tell_written
from ldb.instantiate.options import InstantiateOptions
from ldb.porcelain.draft import Changed, add
from ldb.porcelain.get import get
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@sources_argument
@click.option(
    "--physical/--logical",
    default=False,
    help="Whether to write it into the workspace at once, as `ldb get` does.",
)
@label_version_option
@filter_options
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    physical: bool,
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    out: Output,
) -> int | None:
    """Add data objects to the draft of the workspace.

    SOURCES are any of id:…, ds:NAME, ds:NAME.vN, ds:root (the index), ws:DIR, paths, folders
    and globs; with filters alone, the index. Filters apply in the order given. An object
    that is in the draft already takes the annotation that the source gives it. Files of the
    workspace stand for the objects they were instantiated from; edited annotations are read.

    \b
    Examples:
      ldb add ds:root --query "class == 'cat'"
      ldb add data/cats/ data/more/*.png
      ldb add --physical ds:dogs         # and write their files here
      ldb add .                          # annotations edited in the workspace
      ldb add ds:dogs --sample 0.1 --seed 1
    """
    if not sources and not filters:
        raise click.UsageError("name what to add: sources, filters or both (all: ds:root)")
    place = place_of(app, quick_start=True)
    argv = argv_of("add", sources, filters, seed)
    if not physical:
        done = add(place, sources, filters, seed=seed, command=argv, progress=out.progress())
        _tell(done, out)
        return None
    options = InstantiateOptions(place.need_workspace().folder, cache=cache_options(app))
    got = get(place, sources, filters, options, seed=seed, command=argv, progress=out.progress())
    if not out.as_json:
        _tell(got.added, out)
    return tell_written(got.report, options, out, before=_value(got.added))


def _tell(done: Changed, out: Output) -> None:
    warn(out, done.warnings)
    total = done.workspace.state.root.count
    if out.as_json:
        out.json(_value(done))
        return
    if done.edited:
        out.say(f"read {plural(done.edited, 'edited annotation')}")
    out.say(
        joined([
            f"added {plural(done.added, 'data object')}",
            f"updated {done.updated:,}" if done.updated else "",
            f"{done.selected - done.added - done.updated:,} there already"
            if done.selected > done.added + done.updated
            else "",
        ])
        + f"; the draft has {total:,}"
    )  # fmt: skip


def _value(done: Changed) -> dict[str, int]:
    return {
        "selected": done.selected,
        "added": done.added,
        "updated": done.updated,
        "edited": done.edited,
        "objects": done.workspace.state.root.count,
    }
