"""One object on its way into the folder, its record, and what the manifest says of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from ldb.instantiate.naming import Name


class _SeenAnywhere(TypedDict):
    mtime: int
    path: str


class SeenRow(_SeenAnywhere, total=False):
    """A place where an object was seen: what is needed of it here."""

    version: str


class RecordRow(TypedDict):
    """What is needed of a record: `ldb.catalog.Record` without the making of objects."""

    first_indexed: int
    paths: list[SeenRow]
    size: int
    type: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that LDB wrote, and with what."""

    object_id: bytes
    annotation: bytes = b""
    """Oid of the annotation in it; empty for a data file."""
    is_label: bool = False
    """It is a label file of a dataset, and `object_id` the SHA-256 of its bytes."""


class Item(NamedTuple):
    """One object to be written."""

    id: bytes
    size: int
    paths: list[SeenRow]
    """Where it was seen."""
    first_indexed: int
    """Nanoseconds since 1970: no place was hashed earlier."""
    name: Name
    payload: bytes | None
    """Its annotation; None without one."""
    annotation: bytes = b""
    """Oid of the annotation; empty without one."""
    had_data: Entry | None = None
    """What the manifest lists under the data file's name."""
    had_annotation: Entry | None = None
    type: str = ""
