"""What the index stores of a data object, as plain types.

`catalog.py` makes more of it; what is below it (`garbage/`) and needs single fields reads it as it
is. Format: docs/formats/catalog.md.
"""

from __future__ import annotations

from typing import TypedDict

KIND_DATA = 1
KIND_ANNOTATION = 2
KIND_LABELS = 3
"""The last field of a row of `paths`: what the file is."""


class _SeenAnywhere(TypedDict):
    gid: int
    mode: int
    mtime: int
    path: str
    uid: int


class SeenRow(_SeenAnywhere, total=False):
    """A place where a data object was seen."""

    token: str
    version: str


class RecordRow(TypedDict):
    """An object record; in half the time of `catalog.decode_record`."""

    annotations: list[bytes]
    first_indexed: int
    last_indexed: int
    paths: list[SeenRow]
    size: int
    tags: list[str]
    type: str
