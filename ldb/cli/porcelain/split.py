"""`ldb split`: cut a dataset into parts. docs/commands/split.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import expression, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.shells import dataset_names
from ldb.cli.showing import plural
from ldb.cli.sources import dataset_names_of, warn
from ldb.porcelain.split import Part, SplitDone, SplitSpec, parse_shares, split
from ldb.refs.name import parse_version

SHOWN = 50
"""Classes that are shown."""


@click.command(cls=Command)
@click.argument("dataset", metavar="ds:NAME", shell_complete=dataset_names(dataset_names_of))
@click.argument("parts", nargs=-1, required=True, metavar="PART=SHARE...")
@click.option("--by", type=expression, metavar="E", help="Objects of one value of E stay together.")
@click.option("--stratify", type=expression, metavar="E", help="Divide each value of E alike.")
@click.option("--seed", type=int, metavar="S", default=0, help="Another seed, another split.")
@click.option("--dry-run", is_flag=True, help="Only tell how many objects would go where.")
@output_options(json=True)
@pass_app
def command(
    app: App,
    dataset: str,
    parts: tuple[str, ...],
    by: str | None,
    stratify: str | None,
    seed: int,
    dry_run: bool,
    out: Output,
) -> None:
    """Cut a dataset into parts, each a dataset of its own: ds:NAME-PART.

    Where an object goes depends on its id and the seed alone, so later objects change
    nobody's side. --by keeps objects together that must not be divided (frames of a video,
    pictures of a patient). --stratify keeps to the shares within every class; sides that
    objects have already stay. Shares of less than 1 together leave a rest in no part.

    \b
    Examples:
      ldb split ds:pets train=.8 val=.1 test=.1 --dry-run
      ldb split ds:pets train=.8 val=.1 test=.1
      ldb split ds:pets train=2/3 test=1/3 --stratify class
      ldb split ds:pets train=.9 test=.1 --by camera.id --seed 7
    """
    spec = SplitSpec(parse_shares(parts), by or "", stratify or "", seed)
    done = split(
        place_of(app), parse_version(dataset), spec, dry_run=dry_run, progress=out.progress()
    )
    warn(out, done.warnings)
    if out.as_json:
        out.json(_value(done, by is not None))
        return
    total = sum(part.objects for part in done.parts) + done.rest
    out.table(_row(part, total) for part in done.parts)
    if done.rest:
        out.say(f"{plural(done.rest, 'data object')} in no part")
    if by:
        out.say(f"{plural(done.groups, 'group')} of {plural(total, 'data object')}")
    if out.verbose and done.classes:
        names = [part.ref.name for part in done.parts] + (["in no part"] if done.rest else [])
        rows = list(done.classes.items())[:SHOWN]
        out.table(
            ([visible(label), *counts[: len(names)]] for label, counts in rows), ["class", *names]
        )


def _row(part: Part, total: int) -> tuple[str, str, str, str]:
    share = f"{part.objects / total:.1%}" if total else "-"
    wanted = f"of {float(part.share):.1%}"
    name = str(part.version or part.ref)
    return name, f"{part.objects:,}", f"{share} {wanted}", "" if part.new else "as before"


def _value(done: SplitDone, with_groups: bool) -> dict[str, object]:
    value: dict[str, object] = {
        "source": str(done.source),
        "parts": [
            {
                "dataset": str(part.ref),
                "version": str(part.version) if part.version else None,
                "new": part.new,
                "objects": part.objects,
                "share": float(part.share),
            }
            for part in done.parts
        ],
        "rest": done.rest,
    }
    if with_groups:
        value["groups"] = done.groups
    if done.classes:
        value["classes"] = {label: list(counts) for label, counts in done.classes.items()}
    return value
