"""An annotation as the file that is written for it, and back."""

from __future__ import annotations

import os

from ldb.errors import BadInput
from ldb.formats.jsontext import json_text
from ldb.objects.codec import annotation_payload, decode
from ldb.objects.model import MAX_PAYLOAD
from ldb.system import read_at


def annotation_text(payload: bytes) -> bytes:
    """The JSON text: indented by two, keys as stored, a newline at the end; or `BadInput`.

    A text that this makes too large to be indexed again is not indented.
    """
    value = decode(payload, "annotation")
    text = json_text(value, indented=True)
    return text if len(text) <= MAX_PAYLOAD else json_text(value)


def payload_of(text: bytes) -> bytes | None:
    """The payload of a JSON text however it is laid out; None where it is not JSON."""
    try:
        return annotation_payload(text, "annotation")
    except BadInput:
        return None


def read_text(fd: int) -> bytes:
    """The content of an open file from its start; empty where it is too large to be one."""
    size = os.fstat(fd).st_size
    return read_at(fd, size + 1, 0) if size <= 8 * MAX_PAYLOAD else b""
