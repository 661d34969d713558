"""JSON texts become payloads: every oddity has one stated outcome, errors say where."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import BadInput, LdbError
from ldb.objects.codec import (
    MAX_DEPTH,
    annotation_payload,
    annotation_payloads,
    decode,
    encode,
)
from ldb.objects.model import MAX_PAYLOAD, BlobType, oid_of

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


def oid(text: str) -> bytes:
    return oid_of(BlobType.ANNOTATION, annotation_payload(text.encode(), "test"))


@given(JSON)
def test_the_value_is_what_python_reads(value: Any) -> None:
    text = json.dumps(value)
    assert annotation_payload(text.encode(), "test") == encode(value)
    assert decode(annotation_payload(text.encode(), "test")) == json.loads(text)


@given(JSON, st.booleans(), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_spelling_does_not_change_the_oid(
    value: Any, escaped: bool, indent: int | str | None, spaced: bool
) -> None:
    separators = (" , ", " : ") if spaced else (",", ":")
    other = json.dumps(value, ensure_ascii=escaped, indent=indent, separators=separators)
    assert oid("\n " + other + "\r\n") == oid(json.dumps(value))


@given(st.binary(max_size=100) | st.text(alphabet='{}[]":,0123456789.eE+-\\u dtrf', max_size=60))
def test_junk_is_refused_or_read_as_python_does(junk: bytes | str) -> None:
    raw = junk if isinstance(junk, bytes) else junk.encode()
    try:
        payload = annotation_payload(raw, "test")
    except LdbError:
        return
    assert decode(payload) == json.loads(raw.decode("utf-8-sig"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("-0", 0),
        ("-0.0", -0.0),
        ("1e5", 100000.0),
        ("1E+2", 100.0),
        ("1e-400", 0.0),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("5e-324", 5e-324),
        ("0." + "1" * 10_000, 0.1111111111111111),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ('"a\\u0000b"', "a\0b"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("\ufeff[1]", [1]),
        ("null", None),
        ('""', ""),
        ("{}\n\n", {}),
        (" [ ] ", []),
        ('{"": {"\\u00e9": "\u00e9"}}', {"": {"\u00e9": "\u00e9"}}),
    ],
)
def test_oddities_that_have_a_value(text: str, value: Any) -> None:
    assert annotation_payload(text.encode(), "test") == encode(value)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "empty, not JSON"),
        (b" \n", "empty, not JSON"),
        (b"\xef\xbb\xbf", "empty, not JSON"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-be"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-32"), "not UTF-8"),
        (b'["\xff"]', r"not UTF-8 \(line 1, column 3\)"),
        (b'["\xed\xa0\x80"]', r"not UTF-8 \(line 1, column 3\)"),
        (b'{"a": 1', r"bad JSON: .* \(line 1, column 8\)"),
        (b'{"a":\n [1, 2,\n  ]}', r"bad JSON: .* \((line 3, column 3|line 2, column [67])\)"),
        ("[\n\u00e9]".encode(), r"bad JSON: .* \(line 2, column 1\)"),
        (b"[1 2]", r"\(line 1, column 4\)"),
        (b'{"a" 1}', r"\(line 1, column 6\)"),
        (b"{'a': 1}", r"property name .* \(line 1, column 2\)"),
        (b"NaN", r"NaN and Infinity are not JSON \(line 1, column 1\)"),
        (b'["NaN", -Infinity]', r"not JSON \(line 1, column 9\)"),
        (b'{"a":\nNaN}', r"NaN and Infinity are not JSON \(line 2, column 1\)"),
        (b"[1,\n 1e400]", r"too large for a 64-bit float \(line 2, column 2\)"),
        (b'["9e999", -1e309]', r"too large for a 64-bit float \(line 1, column 11\)"),
        (b"18446744073709551616", r"beyond 64 bits \(line 1, column 1\)"),
        (b'["99999999999999999999",\n -9223372036854775809]', r"64 bits \(line 2, column 2\)"),
        (b"9" * 5000, "beyond 64 bits"),
        (b'"\\ud800"', r"surrogate pair \(line 1, column 2\)"),
        (b'["\\\\ud800", "\\udc00"]', r"surrogate pair \(line 1, column 14\)"),
        (b'"\\ud83d\\u0041"', r"surrogate pair \(line 1, column 2\)"),
        (b'"a\0b"', r"control character .*\(line 1, column 3\)"),
        (b'"a\tb"', r"control character .*\(line 1, column 3\)"),
        (b"{}\0", r"extra data \(line 1, column 3\)"),
        (b"{} {}", r"extra data \(line 1, column 4\)"),
        (b"01", r"bad JSON: .* \(line 1, column 2\)"),
        (b"1.", r"bad JSON: .* \(line 1, column 2\)"),
        (b".5", r"bad JSON: .* \(line 1, column 1\)"),
        (b"+1", r"bad JSON: .* \(line 1, column 1\)"),
        (b"// no\n{}", r"bad JSON: .* \(line 1, column 1\)"),
        (b'"\\x41"', r"escape.* \(line 1, column 2\)"),
        (b'{"caf\xc3\xa9": tru}', r"bad JSON: .* \(line 1, column 10\)"),
        (b"\0\1\2binary", "not UTF-8"),
    ],
)
def test_what_is_not_json_is_named_and_placed(raw: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        annotation_payload(raw, "dir/a.json")
    assert caught.value.where == "dir/a.json"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    allowed = opening * (MAX_DEPTH - 1) + b"[]" + closing * (MAX_DEPTH - 1)
    assert len(annotation_payload(allowed, "test")) >= MAX_DEPTH
    for depth in (MAX_DEPTH, 900, 100_000):
        with pytest.raises(BadInput, match=r"deeper|arrays and objects"):
            annotation_payload(opening * depth + b"[]" + closing * depth, "test")
        with pytest.raises(BadInput, match=r"deeper|arrays and objects|bad JSON"):
            annotation_payload(opening * depth, "test")


def test_many_brackets_are_not_depth() -> None:
    wide = json.dumps({"rows": [[index, "[" * 300] for index in range(1000)]})
    assert len(decode(annotation_payload(wide.encode(), "test"))["rows"]) == 1000
    text = json.dumps("[" * 2_000_000)
    assert decode(annotation_payload(text.encode(), "test")) == "[" * 2_000_000


def test_huge_texts() -> None:
    text = "x" * (MAX_PAYLOAD - 100)
    assert decode(annotation_payload(json.dumps(text).encode(), "test")) == text
    with pytest.raises(BadInput, match="more than"):
        annotation_payload(b'"' + b"x" * MAX_PAYLOAD + b'"', "test")
    with pytest.raises(BadInput, match=r"more than .* arrays"):
        annotation_payload(b"[" + b"[]," * 2_000_000 + b"[]]", "test")


def test_memoryviews_are_read() -> None:
    assert annotation_payload(memoryview(b'{"a": 1}'), "test") == encode({"a": 1})


SOME_TEXTS = [
    b'{"a": 1}',
    b"[" * 256 + b"]" * 256,
    b"[" * 257 + b"]" * 257,
    b"",
    b"nonsense",
    b"{}",
]


@given(st.lists(st.sampled_from([*SOME_TEXTS, b"\xef\xbb\xbf1", b'"[[[["', b"1e400", b"2e19"])))
def test_many_texts_are_as_each_by_itself(raws: list[bytes]) -> None:
    for raw, payload in zip(raws, annotation_payloads(raws), strict=True):
        if payload is not None:
            assert payload == annotation_payload(raw, "test")
        elif raw.startswith((b"{", b'"', b"[" * 256 + b"]")):
            raise AssertionError("left to be judged by itself, which is slow")
