"""Building and editing: one set of rows, one root, whatever the way there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import BadInput
from ldb.maps import Changes, Root, Rows, Schema, build, count, edit, empty
from ldb.maps.decode import unpack
from tests.maps import strategies as maps
from tests.maps.memory import (
    DATASET,
    FIXED,
    STRINGS,
    BatchNodes,
    Nodes,
    Table,
    Values,
    applied,
    built,
    in_chunks,
    table_of,
)


@given(st.data(), maps.SCHEMAS, maps.CUTS)
def test_build_gives_back_its_rows_in_any_chunks(
    data: st.DataObject, schema: Schema, cuts: list[int]
) -> None:
    table = data.draw(maps.tables(schema, 300))
    nodes, changes = Nodes(), Changes.upserts(schema.rows(table))
    root = build(nodes, schema, [chunk.rows for chunk in in_chunks(changes, cuts)])
    assert root == built(Nodes(), schema, table)
    assert root.count == len(table) == count(nodes, schema, root.oid)
    assert table_of(nodes, schema, root) == table


@given(st.data(), maps.SCHEMAS)
def test_any_batches_in_any_order_give_one_root(data: st.DataObject, schema: Schema) -> None:
    table: dict[bytes, Values] = {}
    nodes = Nodes()
    root = empty(nodes, schema)
    for _ in range(data.draw(st.integers(1, 4))):
        batch = data.draw(maps.changes(schema, 120))
        chunks = in_chunks(Changes.of(schema, batch), data.draw(maps.CUTS))
        root = edit(nodes, nodes, schema, root.oid, iter(chunks))
        table = applied(table, batch)
        assert root == built(Nodes(), schema, table)
        assert table_of(nodes, schema, root) == table


@given(st.data(), maps.SCHEMAS)
def test_an_edit_that_changes_nothing_writes_nothing(data: st.DataObject, schema: Schema) -> None:
    table = data.draw(maps.tables(schema))
    nodes = BatchNodes()
    root = built(nodes, schema, table)
    absent = data.draw(st.lists(maps.keys(schema), max_size=5))
    same: dict[bytes, Values | None] = {key: None for key in absent if key not in table}
    same.update({key: table[key] for key in table if data.draw(st.booleans())})
    before = nodes.added
    assert edit(nodes, nodes, schema, root.oid, [Changes.of(schema, same)]) == root
    assert nodes.added == before


@given(st.data(), maps.SCHEMAS)
def test_deleting_everything_gives_the_empty_map(data: st.DataObject, schema: Schema) -> None:
    rows = schema.rows(data.draw(maps.tables(schema)))
    nodes = Nodes()
    root = build(nodes, schema, [rows])
    emptied = edit(nodes, nodes, schema, root.oid, [Changes.deletes(schema, rows.keys)])
    assert emptied == empty(Nodes(), schema) == Root(emptied.oid, 0)


def numbered(schema: Schema, numbers: range, value: bytes = b"v") -> Rows:
    keys = [b"%08d" % number for number in numbers]
    width = schema.key_width or 8
    column = np.array([key.rjust(width, b".") for key in keys], f"S{width}")
    filled = tuple(np.full((len(keys), each), value[0], np.uint8) for each in schema.widths)
    return Rows(column, filled)


@pytest.mark.parametrize("schema", [DATASET, Schema("paths", 0, (("content", 32),))])
def test_an_edit_writes_no_more_nodes_than_it_touches(schema: Schema) -> None:
    nodes = BatchNodes()
    root = build(nodes, schema, [numbered(schema, range(60_000))])
    leaves = len(nodes.blobs)
    changed = Changes.upserts(numbered(schema, range(0, 60_000, 3000), b"w"))
    added = Nodes(nodes)
    once = edit(added, added, schema, root.oid, [changed])
    assert len(changed) <= added.added <= 2.2 * len(changed) + 6 < leaves / 8
    assert added.read < 6 * len(changed)
    one = Nodes(added)
    edit(one, one, schema, once.oid, [Changes.deletes(schema, changed.rows.keys[7:8])])
    assert 2 <= one.added <= 7


def test_an_edit_writes_only_what_its_new_root_needs() -> None:
    nodes = Nodes()
    root = build(nodes, FIXED, [FIXED.rows({b"%04d" % at: (b"12", b"3") for at in range(3000)})])
    batch: dict[bytes, Values | None] = {b"%04d" % at: None for at in range(20, 3000)}
    added = Nodes(nodes)
    new = edit(added, added, FIXED, root.oid, [Changes.of(FIXED, batch)])
    fresh = Nodes()
    assert new == built(fresh, FIXED, {b"%04d" % at: (b"12", b"3") for at in range(20)})
    assert added.blobs.keys() <= fresh.blobs.keys()


def test_edit_pulls_changes_as_it_goes() -> None:
    nodes = Nodes()
    root = build(nodes, DATASET, [numbered(DATASET, range(50_000))])
    seen: list[int] = []
    inner: list[int] = []

    def slowly() -> Iterator[Changes]:
        for start in range(0, 50_000, 1000):
            seen.append(added.added)
            levels = [unpack(oid, blob)["level"] for oid, blob in added.blobs.items()]
            inner.append(sum(level > 0 for level in levels))
            yield Changes.upserts(numbered(DATASET, range(start, start + 1000), b"w"))

    added = Nodes(nodes)
    new = edit(added, added, DATASET, root.oid, slowly())
    assert new == build(Nodes(), DATASET, [numbered(DATASET, range(50_000), b"w")])
    assert seen == sorted(seen)
    assert seen[40] > added.added / 2
    assert inner[45] > 0


def test_many_insertions_into_one_leaf_stream_too() -> None:
    nodes = Nodes()
    few = numbered(DATASET, range(0, 50_001, 50_000))
    root = build(nodes, DATASET, [few])
    chunks = [
        Changes.upserts(numbered(DATASET, range(a, min(a + 777, 50_000))))
        for a in range(1, 50_000, 777)
    ]
    assert edit(nodes, nodes, DATASET, root.oid, iter(chunks)) == build(
        Nodes(), DATASET, [numbered(DATASET, range(50_001))]
    )


@pytest.mark.parametrize("schema", [FIXED, STRINGS])
def test_appending_and_cutting_off_at_the_end(schema: Schema) -> None:
    rows = schema.rows({b"%04d" % at: (b"12", b"3") for at in range(700)})
    nodes = Nodes()
    root = empty(nodes, schema)
    sizes = [*range(7, 700, 7), *range(696, 0, -6)]
    for before, size in pairwise([0, *sizes]):
        if size > before:
            change = Changes.upserts(rows.slice(before, size))
        else:
            change = Changes.deletes(schema, rows.keys[size:before])
        root = edit(nodes, nodes, schema, root.oid, [change])
        assert root == build(Nodes(), schema, [rows.slice(0, size)])


@pytest.mark.parametrize("seed", range(3))
def test_large_mixed_edits_give_what_a_rebuild_gives(seed: int) -> None:
    generator = random.Random(seed)
    table: Table = {b"%05d" % at: (b"12", b"3") for at in range(0, 20_000, 3)}
    nodes = BatchNodes()
    root = built(nodes, STRINGS, table)
    batch: dict[bytes, Values | None] = {}
    for at in range(20_000):
        if generator.random() < 0.3:
            batch[b"%05d" % at] = (b"34", b"5") if generator.random() < 0.5 else None
    chunks = in_chunks(Changes.of(STRINGS, batch), range(0, len(batch), 997))
    new = edit(nodes, nodes, STRINGS, root.oid, chunks)
    assert new == built(Nodes(), STRINGS, applied(table, batch))


def test_edits_of_all_rows_of_many_sizes() -> None:
    old = FIXED.rows({b"%04d" % at: (b"12", b"3") for at in range(800)})
    new = FIXED.rows({b"%04d" % at: (b"34", b"5") for at in range(800)})
    for size in range(500, 800, 5):
        nodes = Nodes()
        root = build(nodes, FIXED, [old.slice(0, size)])
        changed = edit(nodes, nodes, FIXED, root.oid, [Changes.upserts(new.slice(0, size))])
        assert changed == build(Nodes(), FIXED, [new.slice(0, size)])


def test_rows_that_stay_the_same_are_not_written_again() -> None:
    nodes = Nodes()
    rows = numbered(DATASET, range(20_000))
    root = build(nodes, DATASET, [rows])
    fields = tuple(field.copy() for field in rows.fields)
    fields[0][12_345] = 1
    added = Nodes(nodes)
    edit(added, added, DATASET, root.oid, [Changes.upserts(Rows(rows.keys, fields))])
    assert 2 <= added.added <= 4


def test_rows_out_of_order_are_refused() -> None:
    rows = FIXED.rows({b"aaaa": (b"12", b"3"), b"bbbb": (b"12", b"3")})
    backwards = Rows(rows.keys[::-1], tuple(field[::-1] for field in rows.fields))
    nodes = Nodes()
    root = empty(nodes, FIXED)
    with pytest.raises(BadInput, match="ascending"):
        build(nodes, FIXED, [backwards])
    with pytest.raises(BadInput, match="across chunks"):
        build(nodes, FIXED, [rows, rows])
    with pytest.raises(BadInput, match="ascending"):
        edit(nodes, nodes, FIXED, root.oid, [Changes.upserts(backwards)])


@pytest.mark.parametrize(
    "keys",
    [
        np.array([b""], "S1"),
        np.array([b"a\0b"], "S3"),
        np.array([b"x" * 4097], "S4097"),
        np.array(["text"]),
    ],
)
def test_keys_that_cannot_be_are_refused(keys: np.typing.NDArray[np.bytes_]) -> None:
    with pytest.raises(BadInput):
        build(Nodes(), STRINGS, [STRINGS.blank(keys)])


def test_fields_and_keys_of_other_widths_are_refused() -> None:
    rows = FIXED.rows({b"aaaa": (b"12", b"3")})
    with pytest.raises(BadInput):
        build(Nodes(), DATASET, [rows])
    with pytest.raises(BadInput):
        build(Nodes(), FIXED, [Rows(rows.keys, rows.fields[::-1])])
    with pytest.raises(BadInput):
        FIXED.column([b"aaaaa"])


@pytest.mark.parametrize(
    ("width", "fields", "target"),
    [(256, (("a", 1),), 128), (16, (), 128), (16, (("a", 0),), 128), (16, (("a", 1),), 7)],
)
def test_schemas_that_cannot_be_are_refused(
    width: int, fields: tuple[tuple[str, int], ...], target: int
) -> None:
    with pytest.raises(BadInput):
        Schema("name", width, fields, target)
