"""`ldb diff`: what differs between two datasets or drafts. docs/commands/diff.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import place_of
from ldb.cli.options import output_options
from ldb.cli.output import Output, visible
from ldb.cli.parsing import Command
from ldb.cli.shells import dataset_names
from ldb.cli.showing import changes_json
from ldb.cli.sources import dataset_names_of
from ldb.porcelain import diff


@click.command(cls=Command)
@click.argument(
    "versions", nargs=-1, metavar="[A] [B]", shell_complete=dataset_names(dataset_names_of)
)
@click.option("-s", "--summary", is_flag=True, help="Print the numbers only.")
@output_options(json=True)
@pass_app
def command(app: App, versions: tuple[str, ...], summary: bool, out: Output) -> None:
    """Show what was added (+), removed (-) and annotated anew (~) from A to B.

    Without B: from A to the workspace's draft. Without both: from the version that the
    draft was staged from. -v shows the changed keys of annotations, and transforms.

    \b
    Examples:
      ldb diff
      ldb diff -v ds:cats.v1 ds:cats.v2
      ldb diff -s ds:root.v1 ds:root
    """
    if len(versions) > 2:
        raise click.UsageError("at most two versions can be compared")
    place = place_of(app)
    old, new = diff.sides(place, versions)
    if summary:
        counts = diff.summary(old, new)
        if out.as_json:
            out.json(changes_json(counts))
        else:
            out.data(f"{counts.added} added, {counts.removed} removed, {counts.changed} changed")
        return
    for line in out.printing(diff.lines(place, old, new), size=lambda _: 1):
        told = out.verbose and line.sign == "~"
        keys = diff.changed_keys(place, line) if told else []
        _print(line, keys, diff.changed_transforms(old, new, line) if told else [], out)


def _print(line: diff.Line, keys: list[str], transforms: list[str], out: Output) -> None:
    if out.as_json:
        out.json({
            "change": {"+": "added", "-": "removed", "~": "changed"}[line.sign],
            "id": str(line.id), "path": line.path,
            "old": str(line.old_annotation) if line.old_annotation else None,
            "new": str(line.new_annotation) if line.new_annotation else None,
            **({"keys": keys, "transforms": transforms} if out.verbose else {}),
        })  # fmt: skip
        return
    out.data(f"{line.sign} id:{line.id}  {visible(line.path)}".rstrip())
    for change in (*keys, *transforms):
        out.data(f"    {visible(change)}")
