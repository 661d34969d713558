"""What a blob is: a type and a payload, named by the hash of both.

Rules: docs/formats/objects.md. Nothing here reads or writes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

from ldb.ids import Oid

MAX_PAYLOAD = 16 * 1024 * 1024
"""Largest payload in bytes that is stored or accepted; decoded it can take thirty times that."""


class BlobType(str, Enum):
    """The kinds of blob; the order of `code` is the order of types in a pack."""

    ANNOTATION = "annotation"
    RECORD = "record"
    MAP = "map"
    COMMIT = "commit"
    TRANSFORM = "transform"
    SETTINGS = "settings"

    @property
    def code(self) -> int:
        """One byte for this type in pack tables, from 1 on."""
        return _CODES[self]

    @property
    def header(self) -> bytes:
        """What is hashed before a payload, up to and without its length: `b"record "`."""
        return _HEADERS[self]


_CODES = {kind: number for number, kind in enumerate(BlobType, start=1)}
_HEADERS = {kind: kind.value.encode() + b" " for kind in BlobType}
TYPE_OF_CODE = {number: kind for kind, number in _CODES.items()}
TYPE_OF_HEADER = {header: kind for kind, header in _HEADERS.items()}


@dataclass(frozen=True, slots=True)
class Blob:
    """One immutable record of the object store."""

    type: BlobType
    payload: bytes

    @property
    def oid(self) -> Oid:
        return oid_of(self.type, self.payload)


def oid_of(kind: BlobType, payload: bytes | memoryview) -> Oid:
    """SHA-256 of `"<type> <length>\\0"` and the payload."""
    digest = hashlib.sha256(b"%s%d\0" % (_HEADERS[kind], len(payload)))
    digest.update(payload)
    return Oid(digest.digest())
