"""What a blob is: a type and a payload, named by the hash of both.

Rules: docs/formats/objects.md. Nothing here reads or writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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

    code: int
    """One byte for this type in pack tables, from 1 on."""
    header: bytes
    """What is hashed before a payload, up to and without its length: `b"record "`."""


for _code, _kind in enumerate(BlobType, start=1):
    # Plain attributes: a property, or a dict keyed by a member, costs 0.2 us a blob.
    _kind.code = _code
    _kind.header = _kind.value.encode() + b" "

_new = bytes.__new__
"""Makes an `Oid` of a digest without asking again how long it is."""

TYPE_OF_CODE = {kind.code: kind for kind in BlobType}
TYPE_OF_HEADER = {kind.header: kind for kind in BlobType}


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
    digest = hashlib.sha256(b"%s%d\0" % (kind.header, len(payload)))
    digest.update(payload)
    return _new(Oid, digest.digest())


def hash_many(kind: BlobType, payloads: Sequence[bytes]) -> list[Oid]:
    """Oids of many payloads of one type."""
    sha256, header, new = hashlib.sha256, kind.header, _new
    return [
        new(Oid, sha256(b"%s%d\0%s" % (header, len(payload), payload)).digest())
        for payload in payloads
    ]
