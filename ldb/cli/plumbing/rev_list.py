"""`ldb rev-list`: commits, and all that they need. docs/commands/rev-list.md."""

from __future__ import annotations

from itertools import islice

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import names
from ldb.history import Commit
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.objects.model import BlobType
from ldb.porcelain.plumbing.names import rev_parse
from ldb.porcelain.plumbing.refs import show_ref
from ldb.porcelain.plumbing.rev_list import oid_list, reachable, rev_list, settings_list


@click.command(cls=Command)
@click.argument("commits", metavar="[COMMIT]...", nargs=-1, shell_complete=names)
@click.option("--all", "everything", is_flag=True, help="From every version of every ref.")
@click.option("--objects", is_flag=True, help="With oid and type of every blob that they need.")
@click.option(
    "-n", "--max-count", "most", type=click.IntRange(min=0), metavar="N", help="At most N commits."
)
@output_options(json=True)
@pass_app
def command(
    app: App, commits: tuple[str, ...], everything: bool, objects: bool, most: int | None,
    out: Output,
) -> None:  # fmt: skip
    """Print the commits reachable from COMMITs, newest first.

    ^COMMIT leaves out what is reachable from that one. With --objects each line is oid and
    type: commits first, then map nodes, records, annotations and transform sets; with
    --all also settings.

    \b
    Examples:
      ldb rev-list ds:cats
      ldb rev-list --objects ds:cats ^ds:cats~1
      ldb rev-list --objects --all | wc -l
    """
    instance = open_instance_of(app)
    starts = [rev_parse(instance, text) for text in commits if not text.startswith("^")]
    without = [rev_parse(instance, text[1:]) for text in commits if text.startswith("^")]
    if everything:
        starts += [ref.target for ref in show_ref(instance, versions=True) if ref.target]
    elif not starts:
        raise click.UsageError("name a commit, or --all")
    found = list(islice(rev_list(instance, starts, without), most))
    for oid, _ in found:
        _line(out, oid, BlobType.COMMIT, objects)
    if objects:
        _objects(instance, found, without, out)
        for oid in settings_list(instance) if everything else ():
            _line(out, oid, BlobType.SETTINGS, typed=True)


def _objects(
    instance: Instance, found: list[tuple[Oid, Commit]], without: list[Oid], out: Output
) -> None:
    reached = reachable(instance, found, rev_list(instance, without))
    for kind in (BlobType.MAP, BlobType.RECORD, BlobType.ANNOTATION, BlobType.TRANSFORM):
        for oid in oid_list(reached[kind]):
            _line(out, oid, kind, typed=True)


def _line(out: Output, oid: Oid, kind: BlobType, typed: bool) -> None:
    if out.as_json:
        out.json({"oid": str(oid), "type": kind.value})
    else:
        out.data(f"{oid} {kind.value}" if typed else str(oid))
