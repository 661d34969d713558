"""Targets that are values: MessagePack, JSON, queries, names."""

from __future__ import annotations

import json
from typing import Any

from ldb.columns.shred import Shredder
from ldb.errors import BadInput
from ldb.formats.pairs import pair
from ldb.instantiate.annotation import annotation_text, payload_of
from ldb.instantiate.naming import MAX_NAME, Name, name_as_seen, name_with_id
from ldb.instantiate.target import plain
from ldb.objects.codec import (
    annotation_payload,
    annotation_payloads,
    decode,
    encode,
)
from ldb.query.parse import parse
from ldb.query.rowwise import compile_query
from ldb.query.values import QueryFailed
from ldb.storage.listing import name_objection
from tests.fuzz.tape import Tape, spoilt_bytes
from tests.fuzz.target import Target, byte_cases, value_cases

VALUES: list[Any] = [
    {"label": "cat", "box": [1, 2.5, -3, 2**40], "tags": [], "deep": {"a": {"b": [None, True]}}},
    [[[[]]], {"": ""}, "é\U0001f600", 0.1, 1e300, -1],
    "text",
    {str(at): at * 0.5 for at in range(40)},
    [1, 1.0, True, None, "1"],
]


def _msgpack(data: bytes) -> None:
    try:
        value = decode(data)
    except BadInput:
        _shred(data)
        raise
    assert encode(value) == data
    assert _shred(data), "canonical, yet refused"


def _shred(data: bytes) -> bool:
    """Column files are made from payloads by code of its own."""
    shredder = Shredder()
    try:
        shredder.add([data, b"\xc0"])
        assert shredder.finish().size == 2
    except ValueError:
        return False
    return True


def _json(data: bytes) -> None:
    together = annotation_payloads([data, b"1"])
    try:
        payload = annotation_payload(data, "x.json")
    except BadInput:
        assert together == [None, b"\1"]
        raise
    assert together[0] in (None, payload)
    assert encode(decode(payload)) == payload
    text = annotation_text(payload)
    assert payload_of(text) == payload


TEXTS = [json.dumps(each, indent=at).encode() for at, each in enumerate(VALUES)] + [
    b'\xef\xbb\xbf{"a": "\\ud83d\\ude00", "b": -0, "c": 1E+3, "d": [1, 2, {}]}',
    b'{"a": 1, "a": 2, "\\u0000": "\\u001f"}\n',
]


# -- names -----------------------------------------------------------------------------

NAMES = [
    b"cat.jpg\0cat.json\0dog.png\0dog.tar.gz\0CON.txt\0nul\0.hidden",
    "кот.jpg\0é.png\0é.png\0ﬀ.png\0a.JSON\0../x\0/etc/passwd\0C:\\x.jpg".encode(),
    b"\xff\xfe.jpg\0a\nb.jpg\0" + b"n" * 300 + b".jpg\0x." + b"e" * 300,
    b"s3://bucket/a/../../b.jpg\0file:///x/./y.json\0a//b\0 .jpg\0a. \0aux.jpg.png",
]
ID = "0123456789abcdef" * 2


def _names(data: bytes) -> None:
    names = sorted(set(data.split(b"\0")))
    for strict in (False, True):
        found = pair(names, strict)
        assert all(0 <= at < len(names) and note < len(names) for at, note in found.data)
    for raw in names:
        name_objection(raw)
        text = raw.decode("utf-8", "replace")
        _stays_inside(name_with_id(text, ID, text[-9:]))
        _stays_inside(name_as_seen(text, ID))


def _stays_inside(name: Name) -> None:
    for path in (name.data_path, name.annotation_path):
        for part in path.split("/"):
            assert plain(part) == part
            assert len(part.encode()) <= MAX_NAME
            assert not part.startswith(".")
            assert not part.endswith((" ", "."))
            assert part.isprintable()
            assert not set(part) & set('<>:"\\|?*')


# -- queries ---------------------------------------------------------------------------

QUERIES = [
    b"label == 'cat' && box[0] < `3`",
    b"deep.a.b[?@ == `null`] | [0]",
    b'sort_by(items, &n)[-1:0:-2].{a: n, "b c": not_null(x, `[]`)}',
    b"length(tags) || contains(label, 'c') && !(`1.0` >= n)",
    b"regex(label, '^c[a-z]+$') || get(@, 'deep.\"a\"', `{}`).a",
    b"map(&add(n, `1`), items[]) | unique(@) | max(@)",
    b"has_keys(@, 'deep.a') && dotproduct(box, box) > div(`1`, `0`)",
    b"to_number(to_string(box)) == join('', keys(@)) && *.a[*][]",
    b"merge(@, {x: reverse(label)}).x[::-1]",
]
ROWS: list[Any] = [
    *VALUES,
    {"items": [{"n": at % 3, "x": None} for at in range(20)], "n": 3, "label": "c\u0301at"},
]


def _query(data: bytes) -> None:
    expression = parse(data.decode("utf-8", "surrogateescape"))
    assert expression.keys is not None
    assert isinstance(expression.bare_words, tuple)
    for missing in ("skip", "null"):
        query = compile_query(expression, missing)
        for row in ROWS:
            try:
                query(row)
            except QueryFailed:
                pass
            query.matches(row)


def _text_case(tape: Tape) -> bytes:
    """Queries are spoilt by words of other queries rather than by bits."""
    if tape.number(4) == 0:
        return spoilt_bytes(tape, QUERIES)
    words = tape.choice(QUERIES).split(b" ")
    for _ in range(1 + tape.number(5)):
        other = tape.choice(QUERIES).split(b" ")
        at = tape.number(len(words) + 1)
        words[at : at + tape.number(3)] = other[tape.number(len(other)) :][: tape.number(4)]
    return b" ".join(words) or b"@"


TARGETS = (
    Target("msgpack", value_cases(lambda: VALUES), _msgpack, 3),
    Target("json", byte_cases(lambda: TEXTS), _json, 3),
    Target("names", byte_cases(lambda: NAMES), _names, 2),
    Target("query", _text_case, _query, 3),
)
