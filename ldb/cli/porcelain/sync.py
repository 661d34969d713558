"""`ldb sync`: make the draft equal to the workspace's files. docs/commands/sync.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, label_version_option, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.showing import joined, plural
from ldb.cli.sources import argv_of, sources_argument, warn
from ldb.porcelain.sync import sync
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@sources_argument
@label_version_option
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
    """Make the draft equal to the files in the workspace, or to SOURCES.

    Without SOURCES: objects whose files were removed by hand leave the draft, those that
    were never instantiated here stay, edited annotations become new versions, and new
    files are indexed and added where core.auto_index is true. With SOURCES the draft holds
    what these give, and nothing else.

    \b
    Examples:
      ldb sync
      ldb sync ds:cats.v1
      ldb sync ds:root --query "class == 'cat'"
    """
    done = sync(
        place_of(app),
        sources,
        filters,
        seed=seed,
        command=argv_of("sync", sources, filters, seed),
        progress=out.progress(),
    )
    warn(out, done.warnings)
    total = done.workspace.state.root.count
    if out.as_json:
        out.json({
            "added": done.added, "removed": done.removed, "updated": done.updated,
            "edited": done.edited, "kept": done.kept, "objects": total,
        })  # fmt: skip
        return
    if done.edited:
        out.say(f"read {plural(done.edited, 'edited annotation')}")
    changes = joined([
        f"added {done.added:,}" if done.added else "",
        f"removed {done.removed:,}" if done.removed else "",
        f"updated {done.updated:,}" if done.updated else "",
    ])  # fmt: skip
    if done.kept:
        stay = "stays" if done.kept == 1 else "stay"
        out.say(
            f"{plural(done.kept, 'data object')} of the draft that no file here ever stood for "
            f"{stay}: `ldb instantiate` writes, `ldb del` removes"
        )
    out.say(f"{changes or 'nothing to change'}; the draft has {plural(total, 'data object')}")
