"""Parameters and readings of stdin that plumbing commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import click

from ldb.cli.shells import dataset_names
from ldb.cli.sources import dataset_names_of
from ldb.errors import BadInput

MAX_LINE = 4096
"""Bytes of the longest line that a command reads a name from."""

names = dataset_names(dataset_names_of)
"""For `shell_complete=` of parameters that take a name or an oid."""

zero_option: Callable[[Any], Any] = click.option(
    "-z", "zero", is_flag=True, help="End records with a zero byte, and escape nothing."
)


def end_of(zero: bool) -> bytes:
    """What ends a record."""
    return b"\0" if zero else b"\n"


def stdin() -> BinaryIO:
    """Standard input as bytes."""
    found: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if found is None:
        raise BadInput("standard input", "is closed")
    return found


def lines() -> Iterator[str]:
    """The lines of stdin as they come, without their ends; empty ones are left out."""
    stream, number = stdin(), 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise BadInput(f"standard input, line {number}", f"longer than {MAX_LINE} bytes")
        text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
        if text:
            yield text
