"""`ldb cache`: the cache of data objects. docs/commands/cache.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.caching import cache_folder, cache_options, parse_size, size_text
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Group
from ldb.cli.showing import plural
from ldb.storage.cache import clean, usage


@click.group(cls=Group)
def command() -> None:
    """Show and clean the cache of data objects that came from object stores.

    \b
    Examples:
      ldb cache show
      ldb cache clean --to 20GB
    """


@command.command()
@output_options(json=True)
@pass_app
def show(app: App, out: Output) -> None:
    """Print where the cache is and how much is in it."""
    options = cache_options(app)
    found = usage(options.folder)
    if out.as_json:
        out.json(
            {
                "folder": options.folder,
                "files": found.files,
                "size": found.size,
                "limit": options.limit,
            }
        )
        return
    limit = "" if options.limit is None else f" of {size_text(options.limit)}"
    out.data(f"{options.folder}: {plural(found.files, 'file')}, {size_text(found.size)}{limit}")


@command.command("clean")
@click.option(
    "--to", "limit", metavar="SIZE", default="0", help="Keep so much of what was used last."
)
@output_options()
@pass_app
def clean_(app: App, limit: str, out: Output) -> None:
    """Remove files that were not used for longest, by default all.

    Only from a cache that LDB made: one that is shared with DVC may hold what is nowhere else.
    """
    gone = clean(cache_folder(app), parse_size(limit, "--to"))
    out.say(f"{plural(gone.files, 'file')} removed, {size_text(gone.size)}")
