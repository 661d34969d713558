"""`ldb cat-file`: type, size and content of blobs. docs/commands/cat-file.md."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

from ldb.cli.app import App, pass_app
from ldb.cli.opening import open_instance_of
from ldb.cli.options import output_options
from ldb.cli.output import Output
from ldb.cli.parsing import Command
from ldb.cli.plumbing.words import lines, names
from ldb.errors import Ambiguous, BadInput, NotFound
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.objects.model import Blob, BlobType
from ldb.porcelain.plumbing.blobs import value_of
from ldb.porcelain.plumbing.names import rev_parse

NOT_FOUND = 3


@click.command(cls=Command)
@click.argument("name", metavar="[OID]", required=False, shell_complete=names)
@click.option("-t", "mode", flag_value="type", help="Print its type.")
@click.option("-s", "mode", flag_value="size", help="Print the size of its payload in bytes.")
@click.option("-p", "mode", flag_value="value", help="Print what it holds, for people.")
@click.option("-e", "mode", flag_value="exists", help="Print nothing; exit code 3 if not there.")
@click.option("--raw", "mode", flag_value="raw", help="Write its payload, MessagePack, to stdout.")
@click.option("--batch", "mode", flag_value="batch", help="For names on stdin: header and payload.")
@click.option("--batch-check", "mode", flag_value="check", help="For names on stdin: header.")
@click.option("--all", "everything", is_flag=True, help="With --batch…: every blob, not stdin.")
@click.option("--buffer", is_flag=True, help="With --batch…: do not flush after each answer.")
@output_options(json=True)
@pass_app
def command(
    app: App,
    name: str | None,
    mode: str | None,
    everything: bool,
    buffer: bool,
    out: Output,
) -> int | None:
    """Print type, size or content of a blob, or of many.

    OID is anything `ldb rev-parse` takes.

    \b
    Examples:
      ldb cat-file -p ds:cats
      ldb cat-file -t 1f3a9c
      echo ds:cats.v3 | ldb cat-file --batch-check
    """
    batch = mode in ("batch", "check")
    if mode is None or batch == (name is not None) or (everything or buffer) > batch:
        raise click.UsageError("give one of -t -s -p -e --raw and an OID, or --batch…, no OID")
    instance = open_instance_of(app)
    if batch:
        asked = map(str, instance.objects.oids()) if everything else lines()
        _answer(instance, asked, mode == "batch", not (buffer or everything), out)
        return None
    assert name is not None
    if mode == "exists":
        return _exists(instance, name)
    _one(instance, name, mode, out)
    return None


def _exists(instance: Instance, name: str) -> int | None:
    try:
        instance.objects.get(rev_parse(instance, name))
    except NotFound:
        return NOT_FOUND
    return None


def _one(instance: Instance, name: str, mode: str | None, out: Output) -> None:
    oid = rev_parse(instance, name)
    blob = instance.objects.get(oid)
    if mode == "raw":
        out.raw(blob.payload)
    elif out.as_json:
        out.json(_record(oid, blob, with_value=mode == "value"))
    elif mode == "type":
        out.data(blob.type.value)
    elif mode == "size":
        out.data(str(len(blob.payload)))
    elif blob.type is BlobType.MAP:
        _show_node(instance, oid, out)
    else:
        out.data(json.dumps(value_of(blob), ensure_ascii=False, indent=2))


def _show_node(instance: Instance, oid: Oid, out: Output) -> None:
    from ldb.porcelain.plumbing.maps import node_lines  # numpy: only for map nodes

    for line in node_lines(instance, oid):
        out.raw(line + b"\n")


def _record(oid: Oid, blob: Blob, with_value: bool) -> dict[str, Any]:
    record: dict[str, Any] = {"oid": str(oid), "type": blob.type.value, "size": len(blob.payload)}
    if with_value:
        record["value"] = value_of(blob)
    return record


def _answer(
    instance: Instance, asked: Iterable[str], content: bool, flush: bool, out: Output
) -> None:
    """One answer a name, in the shape that git's `cat-file` has."""
    for name in asked:
        word = name.split()[0] if name.split() else name
        try:
            oid = rev_parse(instance, word)
            blob = instance.objects.get(oid)
        except (NotFound, BadInput) as error:
            why = "ambiguous" if isinstance(error, Ambiguous) else "missing"
            answer = _json_line({"name": word, "error": why}) if out.as_json else f"{word} {why}\n"
            out.raw(answer.encode(errors="surrogateescape"), flush=flush)
            continue
        if out.as_json:
            out.raw(_json_line(_record(oid, blob, content)).encode(), flush=flush)
            continue
        out.raw(f"{oid} {blob.type.value} {len(blob.payload)}\n".encode())
        if content:
            out.raw(blob.payload)
            out.raw(b"\n")
        out.raw(b"", flush=flush)


def _json_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
