"""Damaged and hostile nodes are refused; keys chosen to do harm do little."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ldb.maps.boundary
from ldb.errors import Corrupt, NotFound
from ldb.ids import Oid
from ldb.maps import Changes, Root, Schema, build, copy_nodes, diff, edit, lookup, nodes, scan
from ldb.maps.decode import unpack
from ldb.maps.rows import Keys
from ldb.objects.codec import decode, encode
from ldb.objects.model import BlobType
from tests.maps.memory import FIXED, STRINGS, Nodes, Table, built, table_of

Parts = dict[str, Any]
TABLE: Table = {b"%04d" % at: (b"12", b"3") for at in range(0, 2000, 2)}


def leaf() -> Parts:
    return {
        "fields": [b"1122", b"12"],
        "keys": b"aaaabbbb",
        "level": 0,
        "schema": "fixed",
    }


def string_leaf() -> Parts:
    return {
        "fields": [b"1122", b"12"],
        "keys": b"abbb",
        "lengths": b"\1\0\3\0",
        "level": 0,
        "schema": "strings",
    }


def readers(store: Nodes, schema: Schema, root: Oid) -> list[Callable[[], Any]]:
    """Every way to read a whole map."""
    every = [*TABLE, b"aaaa", b"zzzz"]
    many = Changes.upserts(schema.rows(dict.fromkeys(every, (b"xx", b"x"))))
    other = built(store, schema, {b"bbbb": (b"xx", b"x")}).oid
    return [
        lambda: list(scan(store, schema, root)),
        lambda: lookup(store, schema, root, schema.column(sorted(TABLE))),
        lambda: list(diff(store, schema, root, other)),
        lambda: list(diff(store, schema, other, root)),
        lambda: edit(store, store, schema, root, [many]),
    ]


def assert_refused(store: Nodes, schema: Schema, root: Oid) -> None:
    for read in readers(store, schema, root):
        with pytest.raises(Corrupt):
            read()


def test_the_leaves_that_are_spoilt_below_are_good() -> None:
    store = Nodes()
    assert len(table_of(store, FIXED, Root(store.add(BlobType.MAP, encode(leaf())), 2))) == 2
    oid = store.add(BlobType.MAP, encode(string_leaf()))
    assert len(table_of(store, STRINGS, Root(oid, 2))) == 2


@pytest.mark.parametrize(
    "spoilt",
    [
        {"keys": b"aaaabbb"},
        {"keys": b"bbbbaaaa"},
        {"keys": b"aaaaaaaa"},
        {"keys": b"aaaa"},
        {"keys": "aaaabbbb"},
        {"fields": [b"1122"]},
        {"fields": [b"1122", b"1"]},
        {"fields": [b"1122", b"12", b"12"]},
        {"fields": b"1122"},
        {"fields": [b"1122", None]},
        {"level": -1},
        {"level": 63},
        {"level": True},
        {"level": 0.0},
        {"level": 2**63},
        {"level": 1},
        {"schema": "other"},
        {"schema": None},
        {"lengths": b"\4\0\4\0"},
        {"more": 1},
        {"level": None},
        {"keys": b"".join(b"%04d" % at for at in range(40)), "fields": [b"12" * 40, b"1" * 40]},
    ],
)
def test_spoilt_leaves_are_refused(spoilt: Parts) -> None:
    store = Nodes()
    assert_refused(store, FIXED, store.add(BlobType.MAP, encode({**leaf(), **spoilt})))


@pytest.mark.parametrize(
    "spoilt",
    [
        {"lengths": b"\1\0\2\0"},
        {"lengths": b"\1\0\4\0"},
        {"lengths": b"\1\0\3"},
        {"lengths": b"\4\0"},
        {"lengths": b"\0\0\4\0"},
        {"lengths": b""},
        {"keys": b"a\0bb"},
        {"keys": b"baaa"},
        {"keys": b"", "lengths": b"", "fields": [b"1", b""]},
        {"keys": b"a" + b"b" * 4097, "lengths": b"\1\0\1\x10"},
    ],
)
def test_spoilt_string_keys_are_refused(spoilt: Parts) -> None:
    store = Nodes()
    assert_refused(store, STRINGS, store.add(BlobType.MAP, encode({**string_leaf(), **spoilt})))


@pytest.mark.parametrize("missing", ["fields", "keys", "level", "schema"])
def test_parts_that_are_missing_are_refused(missing: str) -> None:
    store, parts = Nodes(), leaf()
    del parts[missing]
    assert_refused(store, FIXED, store.add(BlobType.MAP, encode(parts)))


def test_blobs_of_other_types_are_refused() -> None:
    store = Nodes()
    assert_refused(store, FIXED, store.add(BlobType.RECORD, encode(leaf())))


@given(st.binary(max_size=200))
def test_junk_is_refused(junk: bytes) -> None:
    store = Nodes()
    with pytest.raises(Corrupt):
        list(scan(store, FIXED, store.add(BlobType.MAP, junk)))


@given(st.integers(0), st.integers(1, 255))
def test_flipped_bits_are_refused_or_give_another_map(at: int, flip: int) -> None:
    store = Nodes()
    payload = bytearray(store.blobs[built(store, FIXED, TABLE).oid].payload)
    payload[at % len(payload)] ^= flip
    root = store.add(BlobType.MAP, bytes(payload))
    for read in readers(store, FIXED, root):
        try:
            read()
        except (Corrupt, NotFound):  # not found: a child by another name
            pass


def spoil_root(change: Callable[[Parts], None]) -> tuple[Nodes, Oid]:
    """A map whose root node was changed, and is otherwise whole."""
    store = Nodes()
    root = built(store, FIXED, TABLE).oid
    parts = decode(store.blobs[root].payload)
    change(parts)
    return store, store.add(BlobType.MAP, encode(parts))


def one_level_up(parts: Parts) -> None:
    parts["level"] += 1


def one_level_down(parts: Parts) -> None:
    parts["level"] -= 1


def other_counts(parts: Parts) -> None:
    parts["fields"][1] = (7).to_bytes(8, "little") + parts["fields"][1][8:]


def no_counts(parts: Parts) -> None:
    parts["fields"][1] = bytes(len(parts["fields"][1]))


def huge_counts(parts: Parts) -> None:
    parts["fields"][1] = b"\xff" * len(parts["fields"][1])


def other_keys(parts: Parts) -> None:
    parts["keys"] = b"0001" + parts["keys"][4:]


def same_child_twice(parts: Parts) -> None:
    oids = parts["fields"][0]
    parts["fields"][0] = oids[:32] + oids[:32] + oids[64:]


def children_swapped(parts: Parts) -> None:
    oids = parts["fields"][0]
    parts["fields"][0] = oids[32:64] + oids[:32] + oids[64:]


def child_missing(parts: Parts) -> None:
    parts["fields"][0] = parts["fields"][0][32:]


def no_children(parts: Parts) -> None:
    parts.update(keys=b"", fields=[b"", b""])


def one_child(parts: Parts) -> None:
    oids, counts = parts["fields"]
    parts.update(keys=parts["keys"][:4], fields=[oids[:32], counts[:8]])


@pytest.mark.parametrize(
    "change",
    [
        one_level_up,
        one_level_down,
        other_counts,
        no_counts,
        huge_counts,
        other_keys,
        same_child_twice,
        children_swapped,
        child_missing,
        no_children,
        one_child,
    ],
)
def test_parents_that_lie_are_refused(change: Callable[[Parts], None]) -> None:
    store, root = spoil_root(change)
    assert_refused(store, FIXED, root)


def test_overlapping_children_are_refused() -> None:
    store = Nodes()
    leaves = [b"aaaacccc", b"bbbbdddd"]
    oids = [store.add(BlobType.MAP, encode({**leaf(), "keys": keys})) for keys in leaves]
    root = {
        "fields": [b"".join(oids), (2).to_bytes(8, "little") * 2],
        "keys": b"ccccdddd",
        "level": 1,
        "schema": "fixed",
    }
    with pytest.raises(Corrupt, match="overlaps"):
        list(scan(store, FIXED, store.add(BlobType.MAP, encode(root))))


@pytest.mark.parametrize("change", [one_level_up, child_missing])
def test_walking_and_copying_refuse_them_too(change: Callable[[Parts], None]) -> None:
    store, root = spoil_root(change)
    with pytest.raises(Corrupt):
        copy_nodes(store, Nodes(), [root], lambda oids: np.zeros(len(oids), np.bool_))
    with pytest.raises(Corrupt):
        list(nodes(store, root))


# Keys chosen to do harm. Their values are set outright: as bad as any key could be.


def values_are(monkeypatch: pytest.MonkeyPatch, value: Callable[[int], int]) -> None:
    def values(keys: Keys, level: int) -> np.typing.NDArray[np.uint64]:
        return np.array([value(int(key[:8])) for key in keys.tolist()], np.uint64)

    monkeypatch.setattr(ldb.maps.boundary, "boundary_values", values)


def sizes(store: Nodes, oid: Oid, schema: Schema) -> tuple[list[int], int]:
    """Rows of every node that is not the last of its level, and the levels."""
    found, last = [], oid
    top = unpack(oid, store.get(oid))["level"]
    for each in nodes(store, oid):
        parts = unpack(each, store.get(each))
        width = schema.key_width
        rows = len(parts["keys"]) // width if width else len(parts["lengths"]) // 2
        ends = parts["keys"][-8:] == unpack(last, store.get(last))["keys"][-8:]
        found += [] if ends else [rows]
    return found, top + 1


EVIL = [
    pytest.param(lambda number: 0, id="all boundaries"),
    pytest.param(lambda number: 2**32 - 1, id="no boundary, all values equal"),
    pytest.param(lambda number: 2**31 + number, id="no boundary, values ascending"),
    pytest.param(lambda number: 2**32 - 1 - number, id="no boundary, values descending"),
    pytest.param(lambda number: 2**31, id="one shared hash"),
]


@pytest.mark.parametrize("value", EVIL)
@pytest.mark.parametrize("key_bytes", [8, 0, 4096])
def test_evil_keys_cannot_unbalance_a_map(
    monkeypatch: pytest.MonkeyPatch, value: Callable[[int], int], key_bytes: int
) -> None:
    values_are(monkeypatch, value)
    schema = Schema("evil", 8 if key_bytes == 8 else 0, (("a", 1),), target=64)
    pad = max(0, key_bytes - 8)
    table: Table = {b"%08d" % at + b"x" * pad: (b"1",) for at in range(150 if pad else 3000)}
    store = Nodes()
    root = built(store, schema, table)
    found, levels = sizes(store, root.oid, schema)
    weight = 17 if pad else 1
    assert all(max(2, 64 // 4 // weight) <= rows <= 4 * 64 // weight + 1 for rows in found)
    assert levels <= 2 + np.log(len(table)) / np.log(max(2, 16 // weight))
    assert (
        max(len(store.blobs[oid].payload) for oid in store.blobs) < 64 * 4 * 256 + 40 * 256 + 4200
    )
    generator = random.Random(5)
    order = sorted(table)
    generator.shuffle(order)
    edited = built(store, schema, {})
    for at in range(0, len(order), len(order) // 3):
        batch = Changes.upserts(schema.rows(dict.fromkeys(order[at:][: len(order) // 3], (b"1",))))
        edited = edit(store, store, schema, edited.oid, [batch])
    assert edited == root
    removed = Changes.deletes(schema, schema.column(sorted(order[10:])))
    few = edit(store, store, schema, root.oid, [removed])
    assert few == built(Nodes(), schema, dict.fromkeys(order[:10], (b"1",)))


def test_leaving_out_the_boundaries_does_not_make_edits_dear() -> None:
    schema = Schema("evil", 8, (("a", 1),))
    keys = np.arange(60_000).astype(">u8").view("S8")
    values = ldb.maps.boundary.boundary_values(keys, 0)
    rows = schema.blank(keys[values >= 2**32 // 32])
    store = Nodes()
    root = build(store, schema, [rows])
    assert len(store.blobs) < len(rows) / 200
    for at in (0, 7, 5000):
        added = Nodes(store)
        edit(added, added, schema, root.oid, [Changes.deletes(schema, rows.keys[at : at + 1])])
        assert added.added < 40
