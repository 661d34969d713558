"""`ldb tag`: change the tags of data objects. docs/commands/tag.md."""

from __future__ import annotations

from typing import Any

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import TagList, filter_options, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
from ldb.cli.sources import argv_of, sources_argument, warn
from ldb.indexing.tagging import TagEdit
from ldb.porcelain.tag import tag
from ldb.query.selection import FilterSpec

Tags = tuple[str, ...]


class _TagsOrNone(TagList):
    """The same, and '' for no tags."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Tags:
        return super().convert(value, param, ctx) if value else ()


@click.command(cls=Command)
@sources_argument
@click.option("-a", "--add", type=TagList(), metavar="A,B", help="Give these tags.")
@click.option("-r", "--remove", type=TagList(), metavar="A,B", help="Take these tags away.")
@click.option(
    "-s", "--set", "only", type=_TagsOrNone(), metavar="A,B",
    help="Give these in place of all others; '' takes all away.",
)  # fmt: skip
@click.option("--message", default="", metavar="TEXT", help="Why, for `ldb log ds:root`.")
@filter_options
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    add: Tags | None,
    remove: Tags | None,
    only: Tags | None,
    message: str,
    out: Output,
) -> None:
    """Change the tags of data objects.

    Tags belong to the object: every dataset that holds it sees them, and each change is a
    new version of the index, ds:root. Without SOURCES: the draft of the workspace or, where
    there is none, the index with filters. --add and --remove may be given together.

    \b
    Examples:
      ldb tag -a blurred id:3f2a91
      ldb tag -a checked -r todo ds:cats --query "class == 'cat'"
      ldb tag -s train,winter data/winter/
      ldb tag -r todo --tag todo ds:root
    """
    if only is None and not add and not remove:
        raise click.UsageError("say which tags: --add, --remove or --set")
    if only is not None and (add or remove):
        raise click.UsageError("--set names all tags there will be: no --add or --remove with it")
    change = TagEdit(frozenset(add or only or ()), frozenset(remove or ()), only is not None)
    done = tag(
        place_of(app),
        sources,
        filters,
        change,
        seed=seed,
        command=("tag", *_typed(add, remove, only), *argv_of("", sources, filters, seed)[1:]),
        message=message,
        progress=out.progress(),
    )
    warn(out, done.warnings)
    if out.as_json:
        version = str(done.version) if done.version else None
        out.json({"selected": done.selected, "changed": done.changed, "version": version})
        return
    selected = plural(done.selected, "data object")
    if done.version is None:
        out.say(f"{selected} selected, no tag to change")
    elif done.changed == done.selected:
        out.say(f"{done.version}: other tags for {selected}")
    else:
        out.say(f"{done.version}: other tags for {done.changed:,} of {selected}")


def _typed(add: Tags | None, remove: Tags | None, only: Tags | None) -> list[str]:
    given = (("--add", add), ("--remove", remove), ("--set", only))
    return [word for name, tags in given if tags is not None for word in (name, ",".join(tags))]
