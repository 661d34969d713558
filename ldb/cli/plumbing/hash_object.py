"""`ldb hash-object`: the oid of a blob, and storing it. docs/commands/hash-object.md."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import PathOrUrl, output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import stdin
from ldb.ids import Oid
from ldb.objects.model import MAX_PAYLOAD, Blob, BlobType
from ldb.porcelain.plumbing.blobs import hash_object, read_file, write_blobs

STDIN = "standard input"


@click.command(cls=Command)
@click.argument("files", metavar="[FILE]...", nargs=-1, type=PathOrUrl())
@click.option(
    "-t",
    "kind",
    type=click.Choice([kind.value for kind in BlobType]),
    default=BlobType.ANNOTATION.value,
    show_default=True,
    metavar="TYPE",
    help="Type of the blob: annotation, record, map, commit, transform, settings.",
)
@click.option("-w", "--write", is_flag=True, help="Store it; several go into one pack.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from standard input.")
@click.option("--lines", "by_line", is_flag=True, help="Each line of standard input is one.")
@click.option("--raw", is_flag=True, help="What is read is the payload, MessagePack, not JSON.")
@output_options(json=True)
@pass_app
def command(
    app: App,
    files: tuple[str, ...],
    kind: str,
    write: bool,
    from_stdin: bool,
    by_line: bool,
    raw: bool,
    out: Output,
) -> None:
    """Print the oid that a blob has, one a line; with -w store it.

    FILE holds JSON as `ldb cat-file -p` prints it. Spacing and the order of keys do not
    matter to the oid; 1 and 1.0 are different.

    \b
    Examples:
      ldb hash-object cat.json
      echo '{"class": "cat"}' | ldb hash-object -w --stdin
      jq -c '.[]' many.json | ldb hash-object -w --lines
    """
    if from_stdin + by_line + bool(files) != 1:
        raise click.UsageError("give one of FILE, --stdin, --lines")
    if by_line and raw:
        raise click.UsageError("--raw payloads may hold line ends: not with --lines")
    inputs = _lines() if by_line else [_stdin()] if from_stdin else map(_file, files)
    blobs = (hash_object(BlobType(kind), data, where, raw) for data, where in inputs)
    oids = write_blobs(open_instance_of(app), blobs) if write else _named(blobs)
    for oid in oids:
        if out.as_json:
            out.json(str(oid))
        else:
            out.data(str(oid))


def _named(blobs: Iterator[Blob]) -> Iterator[Oid]:
    return (blob.oid for blob in blobs)


def _file(path: str) -> tuple[bytes, str]:
    return read_file(path), path


def _stdin() -> tuple[bytes, str]:
    return stdin().read(MAX_PAYLOAD + 1), STDIN


def _lines() -> Iterator[tuple[bytes, str]]:
    stream, number = stdin(), 0
    while line := stream.readline(MAX_PAYLOAD + 2):
        number += 1
        if line.strip():
            yield line.rstrip(b"\r\n"), f"{STDIN}, line {number}"
