"""`ldb dedup`: one data object for each value of an expression. docs/commands/dedup.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import expression, file_expression, filter_options, output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.showing import plural
from ldb.cli.sources import argv_of, sources_argument, warn
from ldb.porcelain.dedup import Copies, DedupSpec, Keep, copies, dedup
from ldb.query.selection import FilterSpec


@click.command(cls=Command)
@sources_argument
@filter_options
@click.option("--by", type=expression, metavar="E", help="What of the annotation must be equal.")
@click.option(
    "--file-by",
    type=file_expression,
    metavar="E",
    help="What of the object's attributes must be equal.",
)
@click.option(
    "--keep", type=click.Choice(["first", "last"]), default="first", show_default=True,
    help="Which stays: the one that was indexed first or last.",
)  # fmt: skip
@click.option(
    "--copies", "list_copies", is_flag=True, help="List files that are copies; no change."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@output_options(json=True)
@pass_app
def command(
    app: App,
    sources: tuple[str, ...],
    filters: tuple[FilterSpec, ...],
    seed: int | None,
    by: str | None,
    file_by: str | None,
    keep: Keep,
    list_copies: bool,
    dry_run: bool,
    out: Output,
) -> None:
    """Keep one data object of the draft for each value of an expression.

    Files of equal bytes are one data object already; --copies lists those that lie in more
    than one place. Objects without a value stay. With SOURCES or filters, only what they give
    is looked at. Nothing is deleted from storage or from saved versions.

    \b
    Examples:
      ldb dedup --by film --dry-run
      ldb dedup --by film
      ldb dedup --by "[class, score]" --keep last
      ldb dedup --file-by "[fs.size, type]" --query "class == 'cat'"
      ldb dedup ds:root --copies
    """
    if list_copies:
        if by or file_by or dry_run:
            raise click.UsageError("--copies goes by the bytes: no --by, --file-by, --dry-run")
        found = copies(place_of(app), sources, filters, seed=seed, progress=out.progress())
        for each in found:
            _print(each, out)
        return
    spec = DedupSpec(by or "", file_by or "", keep)
    words = [*argv_of("dedup", sources, filters, seed)]
    for name, text in spec.filters():
        words += [f"--{name}", str(text)]
    done = dedup(
        place_of(app), sources, filters, spec,
        seed=seed, command=words, dry_run=dry_run, progress=out.progress(),
    )  # fmt: skip
    warn(out, done.warnings)
    if out.as_json:
        out.json({
            "looked_at": done.looked_at, "groups": done.groups, "removed": done.removed,
            "objects": done.objects,
            "twins": [{"removed": str(gone), "stays": str(stays)} for gone, stays in done.twins],
        })  # fmt: skip
        return
    if dry_run or out.verbose:
        out.lines(f"id:{gone}  like id:{stays}" for gone, stays in done.twins)
    done_or_not = "would remove" if dry_run else "removed"
    left = "would have" if dry_run else "has"
    out.say(
        f"{done_or_not} {plural(done.removed, 'data object')} "
        f"({plural(done.groups, 'value')} more than once); the draft {left} {done.objects:,}"
    )


def _print(found: Copies, out: Output) -> None:
    if out.as_json:
        out.json({"id": str(found.id), "size": found.size, "paths": list(found.paths)})
        return
    out.data(f"id:{found.id}  {len(found.paths)} files of {plural(found.size, 'byte')}")
    out.lines(f"    {visible(path)}" for path in found.paths)
