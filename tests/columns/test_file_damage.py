"""Damaged and hostile column files are refused, and never give other values or take memory."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any
from zlib import crc32

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ldb.columns import layout
from ldb.columns.build import from_values
from ldb.columns.model import Column, OpaqueValue
from ldb.columns.read import open_columns
from ldb.columns.write import encode_columns
from ldb.errors import Corrupt

VALUES: list[Any] = [
    {"a": 1, "t": "same", "u": "one", "l": [1, 2, 3], "m": 1, "f": True, "o": {"x": None}},
    {"a": 2, "t": "same", "u": "two!", "l": [], "m": "y", "f": False, "d": 0.5},
    {"t": "other", "u": "three", "l": [[]], "m": None, "f": True, "o": {}, "w": [7, 8]},
    {"a": 4, "t": "same", "u": "4", "l": ["q", "q"], "m": [2.5], "f": True, "d": -1e300},
] * 9
FILE = encode_columns(from_values(VALUES))


def opened(data: bytes) -> Column:
    return open_columns(lambda start, stop: data[start:stop], len(data), "some.arrow")


def test_every_flipped_byte_is_named_or_harmless() -> None:
    kept = ("t", "l", "m", "f")
    values = [{key: each[key] for key in kept if key in each} for each in VALUES[:20]]
    file = encode_columns(from_values(values))
    parts = [each for each in _parts(_directory(file)["root"]) if each[1]]
    stop = len(file) - 10 - struct.unpack("<i", file[-10:-6])[0]
    directory = 24 + struct.unpack("<I", file[stop - 16 : stop - 12])[0]
    vital = {*range(len(file) - 10, len(file)), *range(stop - directory, stop - 4)}
    for offset, stored, *_ in parts:
        vital.update(range(offset, offset + stored))
    assert {stored < raw for _, stored, raw, *_ in parts} == {True, False}
    # What only Arrow readers look at makes most of a small file, and is looked at in steps.
    for at in sorted(vital.union(range(0, len(file), 5), range(len(file) // 2))):
        damaged = bytearray(file)
        damaged[at] ^= 0x11
        try:
            same = opened(bytes(damaged)).values() == values
        except Corrupt:
            same = False
        else:
            assert same, at
            with pytest.raises(Corrupt):
                layout.check_rest(bytes(damaged), "some.arrow")
        assert at not in vital or not same, at


def test_every_truncation_is_refused() -> None:
    for size in range(len(FILE)):
        with pytest.raises(Corrupt):
            opened(FILE[:size])


def test_bytes_that_are_missing_when_a_part_is_read_are_missed() -> None:
    start = min(offset for offset, stored, *_ in _parts(_directory(FILE)["root"]) if stored)

    def short(first: int, last: int) -> bytes:
        return FILE[first:last] if last == len(FILE) else FILE[first : max(first, start)]

    column = open_columns(short, len(FILE), "some.arrow")
    with pytest.raises(Corrupt, match=r"some\.arrow"):
        column.values()


def _directory(data: bytes) -> Any:
    return layout.unpack(lambda start, stop: data[start:stop], len(data), "file")


def _parts(node: Any) -> Any:
    if isinstance(node, list) and len(node) == 5:
        yield node
    elif isinstance(node, dict):
        for below in node.values():
            yield from _parts(below)


def rebuilt(directory: Any, data: bytes = FILE) -> bytes:
    """A file with this directory instead, all checksums right."""
    footer = struct.unpack("<i", FILE[-10:-6])[0]
    packed = directory if isinstance(directory, bytes) else layout.pack(directory)
    return data + packed + FILE[len(FILE) - 10 - footer :]


def changed(change: Callable[[Any], None]) -> bytes:
    directory = _directory(FILE)
    change(directory)
    return rebuilt(directory)


def test_a_directory_put_in_again_works() -> None:
    assert opened(rebuilt(_directory(FILE))).values() == VALUES


HUGE = 1 << 40
ZEROS = zstandard.compress(bytes(1 << 26))
BOMB = [0, len(ZEROS), 1 << 26, "i1", crc32(ZEROS)]


def _key(directory: Any, name: str) -> Any:
    return directory["root"]["keys"][name]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("root"),
        lambda d: d.pop("rows"),
        lambda d: d.update(rows=-1),
        lambda d: d.update(rows=True),
        lambda d: d.update(rows=1.5),
        lambda d: d.update(rows=HUGE),
        lambda d: d.update(rows=len(VALUES) + 1),
        lambda d: d.update(root=[]),
        lambda d: d.update(root=None),
        lambda d: d["root"].update(kinds=[10]),
        lambda d: d["root"].update(kinds=[-1]),
        lambda d: d["root"].update(kinds=[8, 8]),
        lambda d: d["root"].update(kinds=[]),
        lambda d: d["root"].update(kinds="8"),
        lambda d: d["root"].update(keys=[]),
        lambda d: _key(d, "a").pop("valid"),
        lambda d: _key(d, "a").pop("int"),
        lambda d: _key(d, "a").update(kinds=[0, 1, 4]),
        lambda d: _key(d, "a").update(kinds=[0, 4, 5]),
        lambda d: _key(d, "a")["int"].pop(),
        lambda d: _key(d, "a")["int"].__setitem__(0, HUGE),
        lambda d: _key(d, "a")["int"].__setitem__(0, -8),
        lambda d: _key(d, "a")["int"].__setitem__(1, 1 << 20),
        lambda d: _key(d, "a")["int"].__setitem__(2, HUGE),
        lambda d: _key(d, "a")["int"].__setitem__(3, "f8"),
        lambda d: _key(d, "a")["int"].__setitem__(3, "O"),
        lambda d: _key(d, "a")["int"].__setitem__(3, "u1"),
        lambda d: _key(d, "a")["int"].__setitem__(4, 1),
        lambda d: _key(d, "a").update(int=BOMB),
        lambda d: _key(d, "t")["words"].update(count=0),
        lambda d: _key(d, "t")["words"].update(count=1),
        lambda d: _key(d, "t")["words"].update(count=HUGE),
        lambda d: _key(d, "u")["words"].update(count=HUGE, width=0),
        lambda d: _key(d, "t")["words"].pop("data"),
        lambda d: _key(d, "l").pop("ends"),
        lambda d: _key(d, "l").update(width=HUGE),
        lambda d: _key(d, "l")["items"].update(size=HUGE),
        lambda d: _key(d, "l")["items"].update(size=1),
        lambda d: _key(d, "l").update(ends=_key(d, "u")["words"]["ends"]),
        lambda d: _key(d, "m").update(kinds=[1, 4, 6, 7, 8], keys={}),
        lambda d: _key(d, "m").update(kinds=[4, 6, 7]),
    ],
)
def test_directories_that_contradict_themselves_are_refused(change: Any) -> None:
    with pytest.raises(Corrupt):
        opened(changed(change)).values()


def test_codes_that_point_outside_are_refused() -> None:
    def change(directory: Any) -> None:
        text = _key(directory, "t")
        text["words"].update(count=1, data=text["words"]["data"], width=text["words"]["data"][2])
        text["words"].pop("ends", None)

    with pytest.raises(Corrupt, match="codes"):
        opened(changed(change)).values()


@pytest.mark.parametrize(("data", "ends"), [(b"\xc3\xa9", 1), (b"\xc3a", 2), (b"a\xff", 2)])
def test_texts_that_are_not_utf8_are_refused(data: bytes, ends: int) -> None:
    offsets = struct.pack("<3i", 0, ends, 2)
    at = len(FILE)
    words = {
        "count": 2,
        "ends": [at, 12, 12, "i4", crc32(offsets)],
        "data": [at + 12, 2, 2, "u1", crc32(data)],
    }
    directory = {"rows": 2, "root": {"kinds": [6], "words": words}}
    column = opened(rebuilt(directory, FILE + offsets + data))
    with pytest.raises(Corrupt, match="texts"):
        column.values()


def test_a_frame_that_says_another_size_is_refused_before_it_is_unpacked() -> None:
    data = FILE[:8] + ZEROS + FILE[8:]
    directory = {
        "rows": 64,
        "root": {"kinds": [4], "int": [8, len(ZEROS), len(ZEROS) + 1, "i1", crc32(ZEROS)]},
    }
    directory["rows"] = len(ZEROS) + 1
    tracemalloc.start()
    with pytest.raises(Corrupt):
        opened(rebuilt(directory, data)).ints.sum()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_small_file_cannot_name_many_values() -> None:
    for rows in (HUGE, 1 << 28):
        with pytest.raises(Corrupt):
            opened(rebuilt({"rows": rows, "root": {"kinds": [3]}}))


def test_levels_are_bounded() -> None:
    for levels in (200, 5000):
        text = '{"kinds":[8],"keys":{"a":' * levels + '{"kinds":[1]}' + "}}" * levels
        raw = b'{"rows":1,"root":' + text.encode() + b"}"
        head = layout.MAGIC + struct.pack("<II", len(raw), len(raw))
        tail = head + struct.pack("<II", crc32(head, crc32(raw)), 0)
        with pytest.raises(Corrupt):
            opened(rebuilt(raw + tail))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b"1e999", b'{"rows":1}'])
def test_what_is_no_directory_is_refused(raw: bytes) -> None:
    head = layout.MAGIC + struct.pack("<II", len(raw), len(raw))
    tail = head + struct.pack("<II", crc32(head, crc32(raw)), 0)
    with pytest.raises(Corrupt):
        opened(rebuilt(raw + tail))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        opened(data)


NUMBERS = st.integers(-2, 40) | st.integers() | st.none() | st.just("i1") | st.floats()


@given(st.data())
def test_any_change_of_the_directory_is_refused_or_gives_values(data: Any) -> None:
    directory = json.loads(json.dumps(_directory(FILE)))
    key = data.draw(st.sampled_from(sorted(directory["root"]["keys"])))
    place = directory["root"]["keys"][key]
    while isinstance(place, (dict, list)) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        at = data.draw(st.sampled_from(keys))
        if not isinstance(place[at], (dict, list)) or not place[at]:
            place[at] = data.draw(NUMBERS)
            break
        place = place[at]
    try:
        column = opened(rebuilt(directory))
        assert len(column.values()) == column.size
    except (Corrupt, OpaqueValue):  # opaque sends the reader to the blob
        pass
