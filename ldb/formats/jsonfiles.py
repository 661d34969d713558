"""Files of JSON values, one by one: a list, or a value a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from ldb.errors import LdbError
from ldb.formats.base import Trouble, why_of
from ldb.objects.codec import json_parts, parse_json
from ldb.objects.model import MAX_PAYLOAD

LARGEST = 1 << 32
"""Bytes of a JSON file that is read at once: its text is held in memory."""


def json_values(name: str, file: BinaryIO) -> Iterator[tuple[str, Any] | Trouble]:
    """The values in a file's list one by one, `[3]` with each; of no list, the one value."""
    raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        yield Trouble(name, f"is more than {LARGEST} bytes")
        return
    parts = json_parts(raw, "file")
    if parts is None:
        yield "", parse_json(raw, "file")
        return
    del raw
    for at, part in enumerate(parts):
        yield _parsed(name, f"[{at}]", part)


def json_lines(name: str, file: BinaryIO) -> Iterator[tuple[str, Any] | Trouble]:
    """The values of a file with one a line, `line 3` with each; empty lines are passed over."""
    number = 0
    while line := file.readline(MAX_PAYLOAD + 2):
        number += 1
        if len(line) > MAX_PAYLOAD and not line.endswith(b"\n"):
            yield Trouble(
                name, f"more than {MAX_PAYLOAD} bytes; the rest is left out", f"line {number}"
            )
            return
        if line.strip():
            yield _parsed(name, f"line {number}", line)


def _parsed(name: str, record: str, text: Any) -> tuple[str, Any] | Trouble:
    try:
        return record, parse_json(text, "record")
    except LdbError as error:
        return Trouble(name, why_of(error), record)
