"""`ldb transform`: what is made of data objects when they are written out.

docs/commands/transform.md.
"""

from __future__ import annotations

import json

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import filter_options, output_options, tag_list
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
from ldb.cli.sources import argv_of, sources_argument, warn
from ldb.porcelain.place import Place
from ldb.porcelain.transform import TransformEdit, transform, used
from ldb.query.selection import FilterSpec

Names = tuple[str, ...]


@click.command(cls=Command)
@sources_argument
@click.option("-a", "--add", type=tag_list, metavar="A,B", help="Give these transforms.")
@click.option("-r", "--remove", type=tag_list, metavar="A,B", help="Take these away.")
@click.option(
    "-s", "--set", "only", type=tag_list, metavar="A,B", help="Give these in place of all others."
)
@filter_options
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    add: Names | None,
    remove: Names | None,
    only: Names | None,
    out: Output,
) -> None:
    """Say what is made of data objects of the draft when they are written out.

    A transform is a program named in your settings, transform.NAME.run; `self` is the data
    object itself, which is all that an object has at first. Without SOURCES: all of the
    draft. Without --add, --remove and --set: print the transforms of the draft.

    \b
    Examples:
      ldb config set transform.small.run '["convert", "{data}", "-resize", "50%", "{output}/x.png"]'
      ldb transform -a small
      ldb transform -s small --query "class == 'cat'"
      ldb transform -s self,small id:3f2a91
      ldb transform -r small id:3f2a91
      ldb transform
    """
    place = place_of(app)
    if only is None and not add and not remove:
        if sources or filters:
            raise click.UsageError("say which transforms: --add, --remove or --set")
        _show(place, out)
        return
    if only is not None and (add or remove):
        raise click.UsageError("--set names all there will be: no --add or --remove with it")
    done = transform(
        place,
        sources,
        filters,
        TransformEdit(add or (), remove or (), only),
        seed=seed,
        command=("transform", *_typed(add, remove, only), *argv_of("", sources, filters, seed)[1:]),
        progress=out.progress(),
    )
    warn(out, done.warnings)
    if out.as_json:
        out.json({"selected": done.selected, "changed": done.updated, "absent": done.absent})
        return
    more = f"; {done.absent:,} selected are not in it" if done.absent else ""
    selected = plural(done.selected, "data object")
    out.say(f"other transforms for {done.updated:,} of {selected} in the draft{more}")


def _typed(add: Names | None, remove: Names | None, only: Names | None) -> list[str]:
    given = (("--add", add), ("--remove", remove), ("--set", only))
    return [word for name, names in given if names for word in (name, ",".join(names))]


def _show(place: Place, out: Output) -> None:
    found = used(place)
    if out.as_json:
        for each in found:
            run = None if each.argv is None else list(each.argv)
            out.json({"name": each.name, "run": run, "objects": each.objects})
    elif found:
        out.table(
            (each.name, f"{each.objects:,}", json.dumps(list(each.argv)) if each.argv else "")
            for each in found
        )
