"""Canonical MessagePack: one spelling a value, and no crash or bomb whatever the bytes."""

from __future__ import annotations

import math
import random
import tracemalloc
from typing import Any, TypedDict

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import BadInput, LdbError
from ldb.objects import codec
from ldb.objects.codec import (
    MAX_CONTAINERS,
    MAX_DEPTH,
    decode,
    decode_as,
    encode,
    encode_sorted,
    fields_of,
)
from ldb.objects.model import MAX_PAYLOAD

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.binary(max_size=40)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=30,
)


def same(one: Any, other: Any) -> bool:
    """Equal, of equal types, and with the same sign of zero."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def sorted_deep(value: Any) -> Any:
    """The value with every map's keys in bytewise order."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode())
        return {key: sorted_deep(value[key]) for key in keys}
    return [sorted_deep(one) for one in value] if isinstance(value, list) else value


def shuffled(value: Any, seed: int) -> Any:
    """The value with every map's keys in another order."""
    if isinstance(value, dict):
        rows = [(key, shuffled(inner, seed)) for key, inner in value.items()]
        random.Random(seed).shuffle(rows)
        return dict(rows)
    return [shuffled(one, seed) for one in value] if isinstance(value, list) else value


@given(VALUES)
def test_what_was_encoded_comes_back(value: Any) -> None:
    assert same(decode(encode(value)), value)


@given(VALUES)
def test_agrees_with_the_reference_implementation(value: Any) -> None:
    payload = encode(value)
    assert payload == msgpack.packb(sorted_deep(value))
    assert payload == encode_sorted(sorted_deep(value))
    assert same(msgpack.unpackb(payload), value)


@given(VALUES, st.integers())
def test_order_of_insertion_does_not_matter(value: Any, seed: int) -> None:
    assert encode(shuffled(value, seed)) == encode(value)


@given(st.sets(st.text(alphabet="aZ\x00~ß\ue000\uffff\U00010000\U0010ffff", max_size=4)))
def test_keys_are_sorted_as_utf8_bytes(keys: set[str]) -> None:
    got = msgpack.unpackb(encode(dict.fromkeys(keys, 1)))
    assert [key.encode() for key in got] == sorted(key.encode() for key in keys)


@given(st.binary(max_size=200))
def test_junk_is_refused_or_is_canonical(junk: bytes) -> None:
    try:
        value = decode(junk)
    except LdbError:
        return
    assert encode(value) == junk


@given(VALUES, st.data())
def test_a_changed_payload_is_refused_or_another_value(value: Any, data: st.DataObject) -> None:
    payload = bytearray(encode(value))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(bytes(payload))
    except LdbError:
        return
    assert not same(other, value)
    assert encode(other) == bytes(payload)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("", "truncated"),
        ("c1", "malformed"),
        ("0102", "trailing"),
        ("a2c3", "truncated"),
        ("a1ff", "not UTF-8"),
        ("a3eda080", "not UTF-8"),
        ("cc01", "not canonical"),
        ("d0ff", "not canonical"),
        ("cf0000000000000001", "not canonical"),
        ("ca00000000", "not canonical"),
        ("d90161", "not canonical"),
        ("dc000101", "not canonical"),
        ("82a16201a16102", "not canonical"),
        ("82a16101a16102", "not canonical"),
        ("810102", "map key"),
        ("81c4016102", "map key"),
        ("81c002", "map key"),
        ("818002", "map key"),
        ("cb7ff8000000000000", "NaN"),
        ("91cb7ff0000000000000", "NaN"),
        ("cbfff0000000000000", "NaN"),
        ("d405ff", "extension"),
        ("d6ff00000000", "datetime"),
        ("d7ff0000000400000000", "datetime|not canonical"),
        ("c70cff00000000000000ff00000000", "datetime|range|canonical"),
        ("c7050001020304ff", "extension"),
        ("df00ffffff", "truncated"),
    ],
)
def test_other_spellings_are_refused(payload: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        decode(bytes.fromhex(payload))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (math.nan, "NaN"),
        ([math.inf], "NaN"),
        ({"a": -math.inf}, "NaN"),
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ({1: 2}, "map key"),
        ({None: 2}, "map key"),
        ({b"a": 2}, "map key"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({1, 2}, "set"),
        ([object()], "object"),
        ([1j], "complex"),
    ],
)
def test_values_without_a_spelling_are_refused(value: object, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        encode(value, "here")


def test_dates_are_no_values() -> None:
    import datetime

    for moment in (
        datetime.datetime(2024, 1, 1),  # noqa: DTZ001 - the naive one is what is tested
        datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
    ):
        with pytest.raises(BadInput, match="datetime"):
            encode({"at": moment})


def test_tuples_are_arrays() -> None:
    assert encode((1, ("a",))) == encode([1, ["a"]])


def test_integers_and_floats_differ() -> None:
    assert encode(1) == b"\x01"
    assert encode(1.0) == bytes.fromhex("cb3ff0000000000000")
    assert encode(-0.0) != encode(0.0)
    assert encode(True) != encode(1)


def test_depth_is_bounded_both_ways() -> None:
    value: Any = []
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert decode(encode(value)) == value
    with pytest.raises(BadInput, match="deeper"):
        encode([value])
    with pytest.raises(BadInput, match="deeper"):
        encode({"a": value})
    for depth in (MAX_DEPTH, 1_000, 100_000, MAX_PAYLOAD // 16):
        with pytest.raises(BadInput, match=r"deeper|more than \d+ arrays"):
            decode(b"\x91" * depth + b"\x90")
    with pytest.raises(BadInput, match=r"truncated|deeper"):
        decode(b"\x81\xa1a" * 300)


def test_size_is_bounded_both_ways() -> None:
    with pytest.raises(BadInput, match="more than"):
        encode(b"x" * MAX_PAYLOAD)
    with pytest.raises(BadInput, match="more than"):
        decode(bytes(MAX_PAYLOAD + 1))


def test_declared_lengths_take_no_memory() -> None:
    class Lists(TypedDict):
        a: list[bytes]

    bombs = [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xdd\x00\x0f\xff\xff" * 200 + b"\xc0" * 1_000_000,
    ]
    tracemalloc.start()
    for bomb in bombs:
        with pytest.raises(BadInput):
            decode(bomb)
        with pytest.raises(BadInput):
            decode_as(b"\x81\xa1a" + bomb, Lists)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_only_the_fields_that_are_named() -> None:
    class Size(TypedDict):
        size: int

    value = {"paths": [{"mode": 1, "path": "x"}], "size": 7, "tags": ["a"]}
    assert fields_of(encode(value), Size) == {"size": 7}
    wrongs: list[object] = [{"size": "7"}, {"paths": []}, [7], 7]
    for wrong in wrongs:
        with pytest.raises(BadInput):
            fields_of(encode(wrong), Size)
    for junk in (b"", b"\xc1", encode(value)[:-1], b"\xdf\xff\xff\xff\xff"):
        with pytest.raises(BadInput):
            fields_of(junk, Size)


def test_containers_are_bounded() -> None:
    many = b"\xdd" + (MAX_CONTAINERS).to_bytes(4, "big") + b"\x90" * MAX_CONTAINERS
    with pytest.raises(BadInput, match=f"more than {MAX_CONTAINERS} arrays"):
        decode(many)
    # Text whose bytes look like containers is no container.
    text = "\u4e2d\u5b57\u7684" * (MAX_CONTAINERS // 2)
    assert decode(encode(text)) == text


@given(VALUES)
def test_containers_are_counted_exactly(value: Any) -> None:
    def count(one: Any) -> int:
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else None
        return 0 if inner is None else 1 + sum(map(count, inner))

    assert codec._containers(encode(value)) == count(value)


def test_memoryviews_are_decoded() -> None:
    assert decode(memoryview(encode({"a": b"x"}))) == {"a": b"x"}
