"""`ldb commit-map`: a commit of maps, without a ref to it. docs/commands/commit-map.md."""

from __future__ import annotations

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import author_of, open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import names, stdin
from ldb.errors import BadInput
from ldb.history import Operation, now
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.objects.model import MAX_PAYLOAD
from ldb.porcelain.plumbing.blobs import read_file
from ldb.porcelain.plumbing.commit_map import commit_map, operations_of
from ldb.porcelain.plumbing.names import ref_named, rev_parse


@click.command(cls=Command)
@click.option("--name", metavar="NAME", required=True, help="Dataset it is a version of, or root.")
@click.option(
    "--map", "maps", metavar="MAP=OID", multiple=True, required=True, shell_complete=names,
    help="dataset=OID; for root objects=OID and paths=OID.",
)  # fmt: skip
@click.option("-p", "parents", metavar="PARENT", multiple=True, help="Commit it comes from.")
@click.option("-m", "--message", metavar="MSG", default="", help="What this version is.")
@click.option("--author", metavar="NAME", help="Who made it; default as for `ldb commit`.")
@click.option(
    "--time", type=click.IntRange(min=0), metavar="MS", help="Milliseconds since 1970, UTC."
)
@click.option(
    "--number", type=click.IntRange(min=1), metavar="N",
    help="Number of the version; default the next one of NAME.",
)  # fmt: skip
@click.option(
    "--operations", metavar="FILE", help="How it came to be: JSON as in `cat-file -p`; - is stdin."
)
@output_options(json=True)
@pass_app
def command(
    app: App,
    name: str,
    maps: tuple[str, ...],
    parents: tuple[str, ...],
    message: str,
    author: str | None,
    time: int | None,
    number: int | None,
    operations: str | None,
    out: Output,
) -> None:
    """Store a commit and print its oid; `ldb update-ref` makes it a version.

    The same name, number, maps, parents, operations, author, message and time give the
    same oid.

    \b
    Examples:
      ldb commit-map --name cats --map dataset=1f3a9c -m "first cats"
      ldb commit-map --name cats --map dataset=77b2d0 -p ds:cats --time 1767225600000
    """
    instance = open_instance_of(app)
    oid = commit_map(
        instance,
        ref_named(name if name.startswith("ds:") else f"ds:{name}"),
        _roots(instance, maps),
        parents=[rev_parse(instance, parent) for parent in parents],
        operations=_operations(operations),
        number=number,
        author=author if author is not None else author_of(app),
        message=message,
        time=time if time is not None else now(),
    )
    if out.as_json:
        out.json(str(oid))
    else:
        out.data(str(oid))


def _roots(instance: Instance, maps: tuple[str, ...]) -> dict[str, Oid]:
    roots: dict[str, Oid] = {}
    for text in maps:
        name, equals, oid = text.partition("=")
        if not equals:
            raise BadInput("--map", f"{text!r} is not MAP=OID")
        if name in roots:
            raise BadInput("--map", f"{name} is given twice")
        roots[name] = rev_parse(instance, oid)
    return roots


def _operations(path: str | None) -> tuple[Operation, ...]:
    if path is None:
        return ()
    if path == "-":
        return operations_of(stdin().read(MAX_PAYLOAD + 1), "standard input")
    return operations_of(read_file(path), path)
