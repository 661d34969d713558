"""Loose blobs: one file each, a zstd frame of the very bytes the oid is the hash of.

For single writes; whatever makes many blobs writes packs. Rules: docs/formats/objects.md.
"""

from __future__ import annotations

import hashlib

from ldb.backends.base import Buffer
from ldb.errors import Corrupt
from ldb.ids import OID_BYTES, Oid, is_hex
from ldb.objects import frames
from ldb.objects.model import MAX_PAYLOAD, TYPE_OF_HEADER, Blob

OBJECTS = "objects/"
MAX_HEADER = 32
"""Most bytes of type, length and the zero byte."""
MAX_FILE = MAX_PAYLOAD + MAX_PAYLOAD // 128 + 1024
"""Bytes of a loose file that are read: a frame of the largest payload, that did not shrink."""


def loose_key(oid: Oid) -> str:
    """Where the loose blob of this name is."""
    digits = oid.hex()
    return f"{OBJECTS}{digits[:2]}/{digits[2:]}"


def oid_of_key(key: str) -> Oid | None:
    """The oid a key names, or None where the key is not a loose blob's."""
    digits = key.removeprefix(OBJECTS).replace("/", "", 1)
    if len(digits) != 2 * OID_BYTES or not is_hex(digits):
        return None
    oid = Oid.from_hex(digits)
    return oid if loose_key(oid) == key else None


def pack_loose(blob: Blob) -> bytes:
    """The file of a loose blob."""
    return frames.compress(b"%s%d\0" % (blob.type.header, len(blob.payload)) + blob.payload)


def parse_loose(data: Buffer, oid: Oid) -> Blob:
    """The blob in a loose file; `Corrupt` unless it is the one that `oid` names."""
    where = loose_key(oid)
    if len(data) > MAX_FILE:
        raise Corrupt(oid, f"{where}: more bytes than a blob can have")
    size = frames.content_size(data, oid, where)
    if size > MAX_PAYLOAD + MAX_HEADER:
        raise Corrupt(oid, f"{where}: {size} bytes, more than a blob can have")
    content = frames.decompress(data, size, oid, where)
    if hashlib.sha256(content).digest() != oid:
        raise Corrupt(oid, f"{where}: content has another hash")
    header, zero, payload = content.partition(b"\0")
    name, space, length = header.partition(b" ")
    kind = TYPE_OF_HEADER.get(name + space)
    if kind is None or not zero or length != b"%d" % len(payload):
        raise Corrupt(oid, f"{where}: header {header[:MAX_HEADER]!r} does not fit the payload")
    return Blob(kind, payload)
