"""`ldb hash-object`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.catalog import Record, SeenPath, encode_record
from ldb.history import Commit, MapRoot, Operation, SourceUsed, encode_commit
from ldb.ids import Oid
from ldb.objects.codec import encode
from ldb.objects.model import Blob, BlobType, oid_of
from ldb.porcelain.plumbing.blobs import hash_object, value_of
from tests.cli.plumbing.conftest import Run, stored

OID = Oid(bytes(range(32)))
COMMIT = Commit(
    name="cats",
    number=3,
    maps={"dataset": MapRoot(OID, 7)},
    parents=(OID,),
    operations=(
        Operation(
            ("add",), (SourceUsed("ds:root", OID), SourceUsed("x")), (("limit", 3),), {"n": 1}
        ),
        Operation(("del",), result=MapRoot(OID, 6), time=12),
    ),
    author="Ann",
    message="möve",
    time=1,
)
RECORD = Record(5, "jpg", (SeenPath("file:///a", 2, 3, 4, 5),), (OID, OID), ("a", "b"), 8, 9)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab\x00é"), inner),
    max_leaves=10,
)


def test_spelling_does_not_matter(run: Run) -> None:
    one = run("hash-object", "--stdin", stdin='{"a": 1, "b": [2, null]}').text
    assert run("hash-object", "--stdin", stdin='\ufeff{"b":[2,null],\n"a":1}').text == one
    assert run("hash-object", "--stdin", stdin='{"a": 1.0, "b": [2, null]}').text != one
    assert one == str(oid_of(BlobType.ANNOTATION, encode({"a": 1, "b": [2, None]})))
    run("cat-file", "-e", one, code=3)


def test_write(run: Run, folder: Path) -> None:
    (folder / "a.json").write_text('{"a": 1}')
    (folder / "b.json").write_text("[]")
    oids = run("hash-object", "-w", "a.json", "b.json").lines
    assert [run("cat-file", "-p", oid).out for oid in oids] == ['{\n  "a": 1\n}\n', "[]\n"]
    assert run("hash-object", "--json", "b.json").values == [oids[1]]
    counts = run.instance.objects.counts()
    assert (counts.packs, counts.packed[BlobType.ANNOTATION], counts.loose) == (1, 2, 0)


def test_lines(run: Run) -> None:
    text = '{"a": 1}\n\n 3 \r\n"x"'
    oids = run("hash-object", "-w", "--lines", stdin=text).lines
    shown = [run("cat-file", "-p", "--json", oid).values[0]["value"] for oid in oids]
    assert shown == [{"a": 1}, 3, "x"]
    assert run("hash-object", "-w", "--lines").out == ""
    wrong = run("hash-object", "-w", "--lines", stdin='1\n{"a"\n', code=2)
    assert "line 2" in wrong.err
    assert wrong.out == ""


@given(VALUES)
def test_what_is_shown_hashes_to_the_same(value: object) -> None:
    blob = hash_object(BlobType.ANNOTATION, json.dumps(value).encode(), "x")
    shown = json.dumps(value_of(blob), ensure_ascii=False, indent=2)
    assert hash_object(BlobType.ANNOTATION, shown.encode(), "x") == blob


@pytest.mark.parametrize(
    "blob",
    [
        encode_commit(COMMIT),
        Blob(BlobType.RECORD, encode_record(RECORD)),
        Blob(BlobType.TRANSFORM, encode([["resize", "64"]])),
    ],
    ids=lambda blob: blob.type.value,
)
def test_every_type_as_json_and_raw(run: Run, blob: Blob) -> None:
    oid = stored(run, blob)
    shown = run("cat-file", "-p", oid).raw
    assert run("hash-object", "-t", blob.type.value, "--stdin", stdin=shown).text == oid
    raw = run("cat-file", "--raw", oid).raw
    assert raw == blob.payload
    assert run("hash-object", "-t", blob.type.value, "--raw", "--stdin", stdin=raw).text == oid


def test_settings(run: Run) -> None:
    text = '{"locations": [{"url": "file:///x", "read_add": true}]}'
    oid = run("hash-object", "-w", "-t", "settings", "--stdin", stdin=text).text
    assert run("cat-file", "-p", "--json", oid).values[0]["value"] == json.loads(text)


def test_map_nodes_have_no_json(run: Run) -> None:
    root = run("mk-map", "-t", "dataset").text
    raw = run("cat-file", "--raw", root).raw
    assert run("hash-object", "-t", "map", "--raw", "--stdin", stdin=raw).text == root
    assert "mk-map" in run("hash-object", "-t", "map", "--stdin", stdin="{}", code=2).err
    run("hash-object", "-t", "map", "--raw", "--stdin", stdin=encode({"a": 1}), code=2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("{", "line 1"),
        ('{"a": NaN}', "NaN"),
        ("1e999", "too large"),
        (str(2**64), "64"),
        ("[" * 300 + "]" * 300, "deeper"),
        (b"\xff\xfe1\x00", "UTF-8"),
        (b"\x00\x01\x02", "UTF-8"),
        (b'"\xff"', "UTF-8"),
        ('"\\ud800"', "surrogate"),
    ],
)
def test_bad_json(run: Run, text: bytes | str, says: str) -> None:
    assert says in run("hash-object", "-w", "--stdin", stdin=text, code=2).err
    assert run("cat-file", "--batch-check", "--all").out == ""


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("commit", "[]", "not an object"),
        ("commit", "{}", "author is missing"),
        ("record", '{"annotations": 3}', "is missing"),
        ("settings", '{"locations": {}}', "locations: not an array"),
        ("settings", '{"locations": [], "x": 1}', "'x' does not belong here"),
    ],
)
def test_wrong_shape(run: Run, kind: str, text: str, says: str) -> None:
    assert says in run("hash-object", "-t", kind, "--stdin", stdin=text, code=2).err


def test_wrong_inside(run: Run) -> None:
    value = value_of(encode_commit(COMMIT))
    value["parents"] = ["abc"]
    wrong = run("hash-object", "-t", "commit", "--stdin", stdin=json.dumps(value), code=2)
    assert "parents[0]: 3 hex digits" in wrong.err
    value["parents"] = []
    value["time"] = True
    wrong = run("hash-object", "-t", "commit", "--stdin", stdin=json.dumps(value), code=2)
    assert "time: not a whole number" in wrong.err


def test_raw_must_be_canonical(run: Run) -> None:
    for payload in (
        b"",
        b"\xff\xff",
        b"\xc4\x01a",
        encode({"b": 1, "a": 2}) + b"\0",
        b"\xcd\x00\x01",
    ):
        run("hash-object", "--raw", "-w", "--stdin", stdin=payload, code=2)
    assert run("hash-object", "--raw", "--stdin", stdin=encode(1)).text == run.note(1)


def test_too_large(run: Run) -> None:
    assert "more than" in run("hash-object", "--stdin", stdin=b" " * (16 << 20) + b"1", code=2).err


def test_usage(run: Run, folder: Path) -> None:
    run("hash-object", code=2)
    run("hash-object", "--stdin", "x", code=2)
    run("hash-object", "--lines", "--raw", code=2)
    run("hash-object", "-t", "tree", "--stdin", code=2)
    assert "missing.json" in run("hash-object", "missing.json", code=3).err
    assert "folder" in run("hash-object", str(folder), code=2).err
    run("hash-object", "a\0b", code=2)
