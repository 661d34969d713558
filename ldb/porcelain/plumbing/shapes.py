"""What values the types of blob hold, and their spelling as JSON.

JSON has no byte strings: oids are hex digits there. A shape is a type, `OID`, a list of one
shape, a dict of names to shapes, or one of the classes below. Formats: docs/formats/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

from ldb.errors import BadInput
from ldb.ids import Oid
from ldb.objects.codec import decode, encode
from ldb.objects.model import BlobType

_NAMES = {str: "a string", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True)
class MapOf:
    """A map with any keys, and values of one shape."""

    shape: Shape


@dataclass(frozen=True)
class Optional:
    """This shape, or null."""

    shape: Shape


@dataclass(frozen=True)
class Plain:
    """Any value without byte strings."""


@dataclass(frozen=True)
class Partial:
    """A map with these names, of which some may be left out."""

    names: dict[str, Any]
    left_out: frozenset[str]


Shape = Union[type, "list[Any]", "dict[str, Any]", MapOf, Optional, Plain, Partial]

OID = Oid
ROOT = {"count": int, "root": OID}
OPERATION = {
    "command": [str],
    "counts": MapOf(int),
    "filters": [Plain()],
    "result": Optional(ROOT),
    "sources": [{"commit": Optional(OID), "spec": str}],
    "time": int,
}
SEEN_PATH = Partial(
    {
        "gid": int,
        "mode": int,
        "mtime": int,
        "path": str,
        "token": str,
        "uid": int,
        "version": str,
    },
    frozenset({"token", "version"}),
)

SHAPES: dict[BlobType, Shape] = {
    BlobType.ANNOTATION: Plain(),
    BlobType.RECORD: {
        "annotations": [OID],
        "first_indexed": int,
        "last_indexed": int,
        "paths": [SEEN_PATH],
        "size": int,
        "tags": [str],
        "type": str,
    },
    BlobType.COMMIT: {
        "author": str,
        "maps": MapOf(ROOT),
        "message": str,
        "name": str,
        "number": int,
        "operations": [OPERATION],
        "parents": [OID],
        "time": int,
    },
    BlobType.TRANSFORM: Plain(),
    BlobType.SETTINGS: {"locations": [MapOf(Plain())]},
}
"""Shapes of the types that are one value; map nodes are rows and have none."""


def from_json(value: Any, shape: Shape, where: object) -> Any:
    """The value that this JSON value spells; raises `BadInput` naming the place."""
    return _fit(value, shape, where, "", text=True)


def check_payload(kind: BlobType, payload: bytes, where: object) -> None:
    """Raise `BadInput` unless this is a canonical payload of its type."""
    if kind is BlobType.MAP:
        _check_node(payload, where)
    else:
        _fit(decode(payload, where), SHAPES[kind], where, "", text=False)


def readable(value: Any) -> Any:
    """The value as JSON has it: byte strings as hex digits."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [readable(each) for each in value]
    if isinstance(value, dict):
        return {key: readable(each) for key, each in value.items()}
    return value


def _check_node(payload: bytes, where: object) -> None:
    from ldb.maps.decode import MAX_LEVEL, Parts  # numpy: only for map nodes
    from ldb.objects.codec import decode_as

    node = decode_as(payload, Parts, where)
    if not 0 <= node["level"] <= MAX_LEVEL:
        raise BadInput(where, f"map node of level {node['level']}")


def _fit(value: Any, shape: Shape, where: object, at: str, *, text: bool) -> Any:
    """`value` where it has the shape; `at` is its place inside, `text` says that it is JSON."""
    if isinstance(shape, Plain):
        return _plain(value, where, at)
    if isinstance(shape, Optional):
        return None if value is None else _fit(value, shape.shape, where, at, text=text)
    if isinstance(shape, MapOf):
        names = dict.fromkeys(_expect(value, dict, where, at), shape.shape)
        return {k: _fit(value[k], s, where, f"{at}.{k}", text=text) for k, s in names.items()}
    if isinstance(shape, Partial):
        there = _expect(value, dict, where, at)
        left = shape.left_out - there.keys()
        shape = {name: each for name, each in shape.names.items() if name not in left}
    if isinstance(shape, list):
        items = enumerate(_expect(value, list, where, at))
        return [_fit(each, shape[0], where, f"{at}[{n}]", text=text) for n, each in items]
    if isinstance(shape, dict):
        _check_names(_expect(value, dict, where, at), shape, where, at)
        return {k: _fit(value[k], s, where, f"{at}.{k}", text=text) for k, s in shape.items()}
    if shape is Oid:
        return _oid(value, where, at, text=text)
    if type(value) is not shape:
        raise _wrong(where, at, f"not {_NAMES[shape]}")
    return value


def _plain(value: Any, where: object, at: str) -> Any:
    if readable(value) != value:
        raise _wrong(where, at, "holds byte strings")
    return value


def _expect(value: Any, kind: type, where: object, at: str) -> Any:
    if type(value) is not kind:
        raise _wrong(where, at, "not an object" if kind is dict else "not an array")
    return value


def _check_names(value: dict[str, Any], shape: dict[str, Any], where: object, at: str) -> None:
    for name in shape:
        if name not in value:
            raise _wrong(where, at, f"{name} is missing")
    for name in value:
        if name not in shape:
            raise _wrong(where, at, f"{name!r} does not belong here")


def _oid(value: Any, where: object, at: str, *, text: bool) -> bytes:
    try:
        if text and isinstance(value, str):
            return bytes(Oid.from_hex(value))
        if not text and isinstance(value, bytes):
            return bytes(Oid(value))
    except BadInput as error:
        raise _wrong(where, at, error.why) from None
    raise _wrong(where, at, "not an oid")


def _wrong(where: object, at: str, why: str) -> BadInput:
    return BadInput(where, f"{at.lstrip('.')}: {why}" if at else why)


def payload_of(kind: BlobType, value: Any, where: object) -> bytes:
    """Payload of a JSON value as a blob of this type; raises `BadInput`."""
    return encode(from_json(value, SHAPES[kind], where), where)
