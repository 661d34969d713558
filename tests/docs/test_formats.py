"""The worked examples and tables of docs/formats/catalog.md and commit.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ldb import instance
from ldb.backends.memory import MemoryBackend
from ldb.catalog import (
    PATHS,
    Record,
    SeenPath,
    decode_record,
    encode_record,
    key_path,
    objects_schema,
    path_key,
)
from ldb.dataset import dataset_schema
from ldb.history import Commit, MapRoot, Operation, SourceUsed, decode_commit, encode_commit
from ldb.ids import Oid
from ldb.maps import Schema
from ldb.objects.codec import decode
from ldb.objects.model import BlobType, oid_of

FORMATS = Path(__file__).resolve().parents[2] / "docs" / "formats"
CATALOG = (FORMATS / "catalog.md").read_text("utf-8")
COMMIT = (FORMATS / "commit.md").read_text("utf-8")
RECORD = Record(
    size=7,
    type="jpg",
    paths=(SeenPath("file:///data/tom.jpg", 1767323045678901234, 0o100644, 1000, 1000),),
    annotations=(Oid.from_hex("ccc2bb3457cfbdacc6ad0c3e6754d5202cbf148192b05cbccab19468246330ef"),),
    tags=("new",),
    first_indexed=1767323050000,
    last_indexed=1767323050000,
)
CATS = Commit(
    name="cats",
    number=1,
    maps={"dataset": MapRoot(Oid(b"\x11" * 32), 2)},
    operations=(
        Operation(
            command=("add", "ds:root", "--limit", "2"),
            sources=(SourceUsed("ds:root", Oid(b"\x22" * 32)),),
            filters=(("limit", 2),),
            counts={"added": 2},
            time=1767323050000,
        ),
    ),
    author="Ann",
    message="two",
    time=1767323060000,
)


def example(page: str) -> tuple[bytes, Oid]:
    """Payload and oid of a page's worked example."""
    text = page.split("## Worked example")[1]
    rows = re.findall(r"^    ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  .*)?$", text, re.MULTILINE)
    found = re.search(r"^    ([0-9a-f]{64})$", text, re.MULTILINE)
    assert found
    return bytes.fromhex("".join(rows)), Oid.from_hex(found[1])


def test_record() -> None:
    payload, oid = example(CATALOG)
    assert encode_record(RECORD) == payload
    assert decode_record(payload) == RECORD
    assert oid_of(BlobType.RECORD, payload) == oid
    assert f"{len(payload)} bytes:" in CATALOG


def test_commit() -> None:
    payload, oid = example(COMMIT)
    blob = encode_commit(CATS)
    assert (blob.payload, blob.oid) == (payload, oid)
    assert decode_commit(payload, oid) == CATS
    assert f"{len(payload)} bytes:" in COMMIT


@pytest.mark.parametrize(("page", "payload"), [(CATALOG, 0), (COMMIT, 1)], ids=["record", "commit"])
def test_tables_name_every_key(page: str, payload: int) -> None:
    value = decode([encode_record(RECORD), encode_commit(CATS).payload][payload])
    inner = value.get("paths") or value["operations"]
    named = set(re.findall(r"`(\w+)`", page))
    assert {*value, *inner[0]} <= named


def described(page: str, name: str) -> dict[str, int]:
    """Fields and widths of a map, from its table."""
    section = page.split(f"## The map `{name}`")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", section, re.MULTILINE)
    return {field: int(width) for field, width in rows}


@pytest.mark.parametrize(("kind", "width"), [("md5", 16), ("sha256", 32)])
def test_schemas(kind: str, width: int) -> None:
    place = instance.create(MemoryBackend(), kind)
    schemas: list[tuple[Schema, int]] = [
        (dataset_schema(place), width), (objects_schema(place), width), (PATHS, 0),
    ]  # fmt: skip
    for schema, key_width in schemas:
        assert schema.key_width == key_width
        assert dict(schema.fields) == described(CATALOG, schema.name)


def test_key_of_a_path() -> None:
    found = re.search(r"^    (\S+)   →   (\S+)$", CATALOG, re.MULTILINE)
    assert found
    uri, key = found[1].encode(), found[2].replace("\\x01", "\x01").encode()
    assert path_key(uri) == key
    assert key_path(key) == uri
