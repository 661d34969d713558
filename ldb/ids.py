"""Identifiers, as types rather than bare strings.

`Oid` names a blob of the object store (SHA-256, 32 bytes); `ObjectId` names a data
object by the hash of its bytes (MD5, 16 bytes, or SHA-256, 32 bytes). Both are
`bytes`, so columns of them are plain byte arrays. See docs/formats/objects.md.
"""

from __future__ import annotations

from typing import TypeVar

from ldb.errors import BadInput

OID_BYTES = 32
MIN_PREFIX = 6
"""Fewest hex digits with which an id may be abbreviated."""

HASH_BYTES = {"md5": 16, "sha256": 32}
"""Width in bytes of a data object id, per hash an instance may use."""

_HEX = frozenset("0123456789abcdef")

_Id = TypeVar("_Id", bound="_HexId")


class _HexId(bytes):
    """Bytes shown and parsed as lowercase hex."""

    __slots__ = ()
    widths: tuple[int, ...] = ()

    def __new__(cls: type[_Id], raw: bytes) -> _Id:
        if len(raw) not in cls.widths:
            raise BadInput(raw.hex(), f"{cls.__name__} of {len(raw)} bytes, not {cls.widths}")
        return super().__new__(cls, raw)

    @classmethod
    def from_hex(cls: type[_Id], text: str) -> _Id:
        """Parse full-length hex digits (either case); raises `BadInput`."""
        if not is_hex(text):
            raise BadInput(text, "not hex digits")
        if len(text) // 2 not in cls.widths or len(text) % 2:
            wanted = " or ".join(str(2 * width) for width in cls.widths)
            raise BadInput(text, f"{len(text)} hex digits where {wanted} are needed")
        return cls(bytes.fromhex(text))

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.hex()})"


class Oid(_HexId):
    """Name of a blob: SHA-256 of its type, length and payload."""

    __slots__ = ()
    widths = (OID_BYTES,)


class ObjectId(_HexId):
    """Name of a data object: hash of its bytes (MD5 or SHA-256)."""

    __slots__ = ()
    widths = (16, 32)


def is_hex(text: str) -> bool:
    """Whether `text` is one or more hex digits."""
    return bool(text) and _HEX.issuperset(text.lower())


NO_OID = bytes(OID_BYTES)
"""Thirty-two zero bytes: "no blob" in a map row."""
