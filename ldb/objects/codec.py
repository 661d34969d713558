"""Canonical MessagePack: the one spelling in which values are stored.

Map keys sorted bytewise, shortest integers, 64-bit floats, no NaN or infinity, no
extension types; so one value has one payload and one oid. The only importer of msgspec;
why it and what it costs: docs/design/001-codec.md. Rules: docs/formats/objects.md.

Everything raised on purpose is `BadInput`; memory and depth are bounded whatever the bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, TypeVar, cast

import msgspec

from ldb.backends.base import Buffer
from ldb.errors import BadInput
from ldb.objects.model import MAX_PAYLOAD

MAX_DEPTH = 256
"""Most containers inside one another."""

MAX_CONTAINERS = 1024 * 1024
"""Most arrays and maps in one value: an empty one is a byte stored and 64 in memory."""


def _refuse_extension(code: int, data: memoryview) -> Any:
    raise ValueError(f"extension type {code}")


_sorted = msgspec.msgpack.Encoder(order="sorted").encode
_as_given = msgspec.msgpack.Encoder().encode
encode_sorted: Callable[[object], bytes] = _as_given
"""`encode` for a record known to be plain, with its keys in order: nothing is checked."""

_unpack = msgspec.msgpack.Decoder(ext_hook=_refuse_extension).decode
_skip = msgspec.msgpack.Decoder(msgspec.Raw).decode
_from_json = msgspec.json.Decoder().decode
_members: Callable[[Buffer], Any] = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items: Callable[[Buffer], Any] = msgspec.json.Decoder(list[msgspec.Raw]).decode

_NESTING = frozenset((list, tuple, dict))
_REFUSALS = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
"""What msgspec raises; its own errors are ValueErrors only from version 0.22 on."""

_PLAIN = frozenset((type(None), bool, int, float, str, bytes)) | _NESTING

_CONTAINER_BYTES = frozenset((*range(0x80, 0xA0), *range(0xDC, 0xE0)))
SMALL_TEXT = 1024 * 1024
"""JSON texts up to this many bytes cannot have a payload that is too large."""

_ODD_BYTES = frozenset((0x7F, 0xFF))
_OTHER_BYTES = bytes(sorted({*range(256)} - _CONTAINER_BYTES - _ODD_BYTES))

_WIDTHS = [(1, 0)] * 256
"""For each first byte: bytes up to the next value or content, of them bytes of a length."""
_WIDTHS[0xA0:0xC0] = [(1 + length, 0) for length in range(32)]
for _bytes, _widths in {
    (0xCC, 0xD0): (2, 0),
    (0xCD, 0xD1, 0xDC, 0xDE): (3, 0),
    (0xCA, 0xCE, 0xD2, 0xDD, 0xDF): (5, 0),
    (0xCB, 0xCF, 0xD3): (9, 0),
    (0xC4, 0xD9): (2, 1),
    (0xC5, 0xDA): (3, 2),
    (0xC6, 0xDB): (5, 4),
}.items():
    for _byte in _bytes:
        _WIDTHS[_byte] = _widths

_BOM = b"\xef\xbb\xbf"

_Shape = TypeVar("_Shape")
_shaped: dict[object, Callable[[bytes], Any]] = {}
_json_shaped: dict[object, Callable[[Buffer], Any]] = {}


def encode(value: object, where: object = "value") -> bytes:
    """Canonical payload of a value made of None, bool, int, float, str, bytes, list, dict."""
    try:
        data = _bounded(_sorted(value), where)
        # Reading it back is quicker than looking at every part, and tells nearly as much.
        suspects = _suspects(data)
        if _unpack(data) != value or _may_be_odd(data, suspects):
            _check(value, where)
    except _REFUSALS as error:
        _check(value, where)
        raise BadInput(where, _reason(error)) from None
    _check_depth(value, len(suspects), where)
    return data


def decode(payload: Buffer, where: object = "payload") -> Any:
    """The value of a canonical payload; any other spelling, and any junk, is `BadInput`."""
    data = _bounded(payload if type(payload) is bytes else bytes(payload), where)
    suspects = _suspects(data)
    try:
        _skip(data)  # proves every declared length before anything is allocated for it
        if len(suspects) > MAX_CONTAINERS and _containers(data) > MAX_CONTAINERS:
            raise BadInput(where, f"more than {MAX_CONTAINERS} arrays and maps")
        value = _unpack(data)
        same = _sorted(value) == data
    except _REFUSALS as error:
        raise BadInput(where, f"not canonical MessagePack: {_reason(error)}") from None
    if not same:
        raise BadInput(where, "MessagePack, but not canonical")
    if _may_be_odd(data, suspects):
        _check(value, where)
    _check_depth(value, len(suspects), where)
    return value


def decode_as(payload: Buffer, shape: type[_Shape], where: object = "payload") -> _Shape:
    """The value of a canonical payload that must fit `shape`, at a tenth of the time.

    `shape` is a `TypedDict` of str, bytes, int, bool and lists of them, at most two levels
    deep: so nothing odd fits, and bytes need not be searched for it.
    """
    data = _bounded(payload if type(payload) is bytes else bytes(payload), where)
    try:
        value = (_shaped.get(shape) or _learn(shape))(data)
        same = _sorted(value) == data
    except _REFUSALS as error:
        raise BadInput(where, f"not canonical MessagePack: {_reason(error)}") from None
    if not same:
        raise BadInput(where, "MessagePack, but not canonical")
    return cast(_Shape, value)


def fields_of(payload: bytes, shape: type[_Shape], where: object = "payload") -> _Shape:
    """Only the fields that `shape` names, of a blob that was hashed: for who reads and no more.

    As `decode_as`, but other fields are passed over, and that the spelling is canonical is not
    proven: with the proof it takes three times as long.
    """
    try:
        return cast(_Shape, (_shaped.get(shape) or _learn(shape))(payload))
    except _REFUSALS as error:
        raise BadInput(where, f"not canonical MessagePack: {_reason(error)}") from None


def fitting(value: object, shape: type[_Shape], where: object = "value") -> _Shape:
    """A decoded value that must fit `shape`, a `TypedDict` of anything that payloads hold.

    Other keys are left out: formats may grow. For records that are read one at a time and are
    nested, or hold values of any kind; `decode_as` is for the others.
    """
    try:
        return msgspec.convert(value, shape, builtin_types=(bytes,))
    except _REFUSALS as error:
        raise BadInput(where, str(error)) from None


def _learn(shape: object) -> Callable[[bytes], Any]:
    return _shaped.setdefault(shape, msgspec.msgpack.Decoder(shape).decode)


def annotation_payload(raw: Buffer, where: object) -> bytes:
    """Canonical payload of a JSON text (UTF-8, any value); `where` names it in errors."""
    value = parse_json(raw, where)
    try:
        return _bounded(_sorted(value), where)
    except OverflowError:
        raise _big_number(_body(raw), where) from None


def annotation_payloads(raws: Sequence[bytes]) -> list[bytes | None]:
    """The same for many small texts; None for each that `annotation_payload` must judge."""
    from ldb.objects.brackets import opening  # numpy: only where there are many

    payloads: list[bytes | None] = []
    for raw, nested in zip(raws, opening(raws, MAX_DEPTH), strict=True):
        payload = None
        if nested <= MAX_DEPTH and len(raw) <= SMALL_TEXT:
            try:
                payload = _sorted(_from_json(raw))
            except _REFUSALS:
                pass  # contextlib.suppress would cost a fifth of the whole
        payloads.append(payload)
    return payloads


def parse_json(raw: Buffer, where: object) -> Any:
    """The value of a JSON text, bounded in size and depth; integers of any size up to that."""
    body = _bounded(_body(raw), where)
    nested = body.count(b"[") + body.count(b"{")
    if nested > MAX_CONTAINERS and len(_BRACKETS.findall(_STRINGS.sub(b"", body))) > MAX_CONTAINERS:
        raise BadInput(where, f"more than {MAX_CONTAINERS} arrays and objects")
    try:
        value = _from_json(body)
    except RecursionError:
        raise _too_deep(where) from None
    except (ValueError, msgspec.MsgspecError) as error:
        raise _bad_json(body, where, error) from None
    _check_depth(value, nested, where)
    return value


def json_parts(raw: Buffer, where: object) -> list[Buffer] | None:
    """`json_items`; None where it is no array."""
    start = bytes(memoryview(raw)[:64]).removeprefix(_BOM).lstrip()
    return json_items(raw, where) if start[:1] == b"[" else None


def json_members(raw: Buffer, where: object) -> dict[str, Buffer]:
    """The values of a JSON object as the texts that they are, unparsed; any size.

    Views of `raw`, which must not change: with `json_items` and `parse_json` a large file is
    gone through a value at a time, at a few dozen bytes each beside the text.
    """
    return cast(dict[str, Buffer], _split(_members, raw, where, "an object"))


def json_items(raw: Buffer, where: object) -> list[Buffer]:
    """The same for the items of a JSON array."""
    return cast(list[Buffer], _split(_items, raw, where, "an array"))


def json_fields(raw: Buffer, shape: type[_Shape], where: object) -> _Shape:
    """Only the fields that `shape` names, of a JSON object; others are passed over."""
    try:
        return cast(_Shape, (_json_shaped.get(shape) or _learn_json(shape))(raw))
    except _REFUSALS as error:
        raise BadInput(where, str(error)) from None


def _split(split: Callable[[Buffer], Any], raw: Buffer, where: object, what: str) -> Any:
    if bytes(memoryview(raw)[:3]) == _BOM:
        raw = memoryview(raw)[3:]
    try:
        return split(raw)
    except msgspec.ValidationError:
        raise BadInput(where, f"not {what}") from None
    except RecursionError:
        raise _too_deep(where) from None
    except _REFUSALS as error:
        if memoryview(raw).nbytes > MAX_PAYLOAD:  # naming the place takes 100 bytes a value
            raise BadInput(where, f"bad JSON: {error}") from None
        raise _bad_json(bytes(raw), where, error) from None


def _learn_json(shape: object) -> Callable[[Buffer], Any]:
    return _json_shaped.setdefault(shape, msgspec.json.Decoder(shape).decode)


def _bounded(data: bytes, where: object) -> bytes:
    if len(data) > MAX_PAYLOAD:
        raise BadInput(where, f"{len(data)} bytes, more than {MAX_PAYLOAD}")
    return data


def _containers(data: bytes) -> int:
    """How many arrays and maps there are, up to one more than allowed; lengths are proven.

    Slow, and only asked of megabytes of text or numbers that look like containers.
    """
    found = at = 0
    while at < len(data) and found <= MAX_CONTAINERS:
        byte = data[at]
        found += byte in _CONTAINER_BYTES
        width, of_length = _WIDTHS[byte]
        at += width + int.from_bytes(data[at + 1 : at + 1 + of_length], "big")
    return found


def _suspects(data: bytes) -> bytes:
    """The bytes that could start an array or a map, or be part of something odd.

    So their number is no fewer than that of arrays and maps.
    """
    return data.translate(None, _OTHER_BYTES)


def _may_be_odd(data: bytes, suspects: bytes) -> bool:
    """Whether a payload could hold NaN, infinity or a timestamp (rarely: then look)."""
    return (b"\x7f" in suspects and b"\xcb\x7f" in data) or (
        b"\xff" in suspects
        and (
            b"\xcb\xff" in data
            or b"\xd6\xff" in data
            or b"\xd7\xff" in data
            or b"\xc7\x0c\xff" in data
        )
    )


def _check_depth(value: object, containers: int, where: object) -> None:
    """Refuse a plain value that is nested too deep; `containers` is no fewer than it has."""
    if containers <= MAX_DEPTH:
        return
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) in _NESTING
        ]
        if not level:
            return
    raise _too_deep(where)


def _check(value: object, where: object) -> None:
    """Walk level by level: plain types, string keys, finite floats, bounded depth."""
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for container in level:
            children = container.values() if type(container) is dict else container
            if type(container) is dict and not {*map(type, container)} <= {str}:
                raise BadInput(where, "a map key that is not a string")
            kinds = {*map(type, children)}
            if not kinds <= _PLAIN:
                names = ", ".join(sorted(kind.__name__ for kind in kinds - _PLAIN))
                raise BadInput(where, f"cannot be stored: {names}")
            if float in kinds and not all(isfinite(c) for c in children if type(c) is float):
                raise BadInput(where, "NaN and infinity cannot be stored")
            if not kinds.isdisjoint(_NESTING):
                below += [child for child in children if type(child) in _NESTING]
        if not below:
            return
        level = below
    raise _too_deep(where)


def _too_deep(where: object) -> BadInput:
    return BadInput(where, f"nested deeper than {MAX_DEPTH} levels")


def _reason(error: Exception) -> str:
    """What went wrong, in the words of the format rather than the library's."""
    if isinstance(error, OverflowError):
        return "integer beyond 64 bits"
    if isinstance(error, RecursionError):
        return f"nested deeper than {MAX_DEPTH} levels"
    if isinstance(error, TypeError) or "hashable" in str(error):
        # Of a key that is an array or a map, msgspec says so itself from 0.22 on.
        return "a map key that is not a string"
    if isinstance(error, UnicodeDecodeError):
        return "text that is not UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return "text with half of a surrogate pair"
    return str(error)


# What is wrong with a JSON text, and where. Slow and only for errors.

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_STRINGS = re.compile(_STRING, re.DOTALL)
_BRACKETS = re.compile(rb"[\[{]")
_CONSTANTS = re.compile(_STRING + rb"|(NaN|-?Infinity)", re.DOTALL)
_NUMBERS = re.compile(_STRING + rb"|(-?\d+)(\.\d+)?([eE][+-]?\d+)?", re.DOTALL)
_ESCAPES = re.compile(rb"\\(?:u([0-9a-fA-F]{4})(?:\\u([0-9a-fA-F]{4}))?|.)", re.DOTALL)
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\0")


def _body(raw: Buffer) -> bytes:
    data = raw if type(raw) is bytes else bytes(raw)
    return data[len(_BOM) :] if data.startswith(_BOM) else data


def _at(body: bytes, position: int, where: object, why: str) -> BadInput:
    """The error with line and column (in characters, from 1) of a byte position."""
    line_start = body.rfind(b"\n", 0, position) + 1
    line = body.count(b"\n", 0, position) + 1
    column = len(body[line_start:position].decode(errors="replace")) + 1
    return BadInput(where, f"{why} (line {line}, column {column})")


def _bad_json(body: bytes, where: object, error: Exception) -> BadInput:
    if not body.strip():
        return BadInput(where, "empty, not JSON")
    if body.startswith(_WIDE) or body[1:2] == b"\0":
        return BadInput(where, "not UTF-8 (UTF-16 or binary?)", "save the file as UTF-8")
    if isinstance(error, UnicodeDecodeError):
        return _at(body, _first_bad_byte(body), where, "not UTF-8")
    if "out of range" in str(error):
        return _big_number(body, where)
    try:
        json.loads(body)  # names the place exactly where msgspec is sometimes off by one
    except json.JSONDecodeError as exact:
        why = exact.msg[:1].lower() + exact.msg[1:]
        place = f"(line {exact.lineno}, column {exact.colno})"
        return BadInput(where, f"bad JSON: {why} {place}")
    except (ValueError, RecursionError):
        return BadInput(where, f"bad JSON: {error}")
    half = _half_surrogate(body)
    if half is not None:
        return _at(body, half, where, "half of a surrogate pair")
    for found in _CONSTANTS.finditer(body):
        if found[1]:
            return _at(body, found.start(), where, "bad JSON: NaN and Infinity are not JSON")
    return BadInput(where, f"bad JSON: {error}")


def _first_bad_byte(body: bytes) -> int:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _half_surrogate(body: bytes) -> int | None:
    """Where an escaped surrogate stands without its other half."""
    position = 0
    while found := _ESCAPES.search(body, position):
        first, second = (int(part, 16) if part else 0 for part in found.groups())
        if first >> 10 == 0x37 or (first >> 10 == 0x36 and second >> 10 != 0x37):
            return found.start()
        # A second escape that is no low half is looked at again by itself.
        paired = first >> 10 == 0x36 or not second
        position = found.end() if paired else found.start() + 6
    return None


def _big_number(body: bytes, where: object) -> BadInput:
    """Names the first number that neither 64 bits nor a finite float can hold."""
    for found in _NUMBERS.finditer(body):
        whole, fraction, exponent = found.groups()
        if whole is None:
            continue
        if fraction or exponent:
            if not isfinite(float(found[0])):
                return _at(body, found.start(), where, "number too large for a 64-bit float")
        elif _beyond_64_bits(whole):
            hint = "write it as a string, or as a float if digits may be lost"
            error = _at(body, found.start(), where, "integer beyond 64 bits")
            return BadInput(where, error.why, hint)
    return BadInput(where, "number out of range")


def _beyond_64_bits(digits: bytes) -> bool:
    return len(digits) > 20 or not -(1 << 63) <= int(digits) < (1 << 64)
