"""Listing a map's nodes, and copying to another store what it lacks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ldb.backends.memory import MemoryBackend
from ldb.errors import Corrupt
from ldb.ids import Oid
from ldb.maps import Changes, Root, Rows, Schema, build, copy_nodes, edit, new_nodes, nodes, scan
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from tests.maps import strategies as maps
from tests.maps.memory import DATASET, BatchNodes, Nodes, built, table_of
from tests.maps.test_edit import numbered


class Target(Nodes):
    """A store that insists on children before parents, and says what it has."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def contains(self, oids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        self.asked += len(oids)
        return np.array([Oid(oid.tobytes()) in self.blobs for oid in oids], np.bool_)

    def add(self, kind: BlobType, payload: bytes, oid: Oid | None = None) -> Oid:
        named = super().add(kind, payload, oid)
        assert all(each in self.blobs for each in nodes(self, named))
        return named


@given(st.data(), maps.SCHEMAS)
def test_a_copy_is_whole_and_children_come_first(data: st.DataObject, schema: Schema) -> None:
    table = data.draw(maps.tables(schema, 200))
    source, target = BatchNodes(), Target()
    root = built(source, schema, table)
    assert copy_nodes(source, target, [root.oid], target.contains) == len(source.blobs)
    assert target.blobs == source.blobs
    assert target.added == len(source.blobs)
    assert copy_nodes(source, target, [root.oid], target.contains) == 0


def test_a_copy_stops_where_the_target_has_the_node() -> None:
    source, target = Nodes(), Target()
    old = build(source, DATASET, [numbered(DATASET, range(30_000))])
    for oid, blob in source.blobs.items():
        target.blobs[oid] = blob
    added = Nodes(source)
    few = Changes.upserts(numbered(DATASET, range(100, 30_000, 10_000), b"w"))
    new = edit(added, added, DATASET, old.oid, [few])
    added.read = 0
    assert copy_nodes(added, target, [new.oid], target.contains) == added.added
    assert added.read == added.added
    assert table_of(target, DATASET, new) == table_of(added, DATASET, new)


@given(st.data(), maps.SCHEMAS)
def test_nodes_names_each_once_and_new_nodes_the_difference(
    data: st.DataObject, schema: Schema
) -> None:
    store = Nodes()
    old = built(store, schema, data.draw(maps.tables(schema, 150)))
    listed = list(nodes(store, old.oid))
    assert sorted(listed) == sorted(store.blobs)
    changes = Changes.of(schema, data.draw(maps.changes(schema, 20)))
    new = edit(store, store, schema, old.oid, [changes])
    fresh = list(new_nodes(store, new.oid, [old.oid]))
    assert sorted(fresh) == sorted(set(nodes(store, new.oid)) - set(listed))
    assert list(nodes(store, new.oid, set(listed))) == fresh


def test_leaves_are_listed_without_being_read() -> None:
    store = Nodes()
    root = build(store, DATASET, [numbered(DATASET, range(30_000))])
    store.read = 0
    assert len(list(nodes(store, root.oid))) == len(store.blobs)
    assert store.read < len(store.blobs) / 20


def stored(backend: MemoryBackend, rows: Rows) -> tuple[ObjectStore, Root]:
    """A map in packs of a store."""
    store = ObjectStore(backend)
    with store.writer(max_bytes=200_000) as writer:
        return store, build(writer, DATASET, [rows])


def whole(store: ObjectStore, root: Root) -> list[Rows]:
    return list(scan(store, DATASET, root.oid))


def test_a_copy_from_store_to_store_takes_blocks_as_they_are() -> None:
    source, root = stored(MemoryBackend(), numbered(DATASET, range(30_000)))
    target = ObjectStore(MemoryBackend())
    with target.writer() as writer:
        assert copy_nodes(source, writer, [root.oid, root.oid], target.contains) == len(
            [*nodes(source, root.oid)]
        )
    again = ObjectStore(target.backend)
    assert sorted(again.oids()) == sorted(nodes(source, root.oid))
    assert Rows.concat(whole(again, root)).keys.tolist() == (
        Rows.concat(whole(source, root)).keys.tolist()
    )
    frames = {
        bytes(frame) for pack in source.packs() for _, frame in pack.read_stored(pack.blocks())
    }
    taken = [bytes(frame) for pack in again.packs() for _, frame in pack.read_stored(pack.blocks())]
    assert sum(frame in frames for frame in taken) > len(taken) * 3 // 4


def test_a_copy_from_store_to_store_leaves_out_what_is_there() -> None:
    backend = MemoryBackend()
    source, root = stored(backend, numbered(DATASET, range(30_000)))
    few = Changes.upserts(numbered(DATASET, range(100, 30_000, 3_000), b"w"))
    with source.writer() as writer:
        new = edit(source, writer, DATASET, root.oid, [few])
    target = ObjectStore(MemoryBackend())
    with target.writer() as writer:
        copy_nodes(source, writer, [new.oid], target.contains)
    assert sorted(target.oids()) == sorted(nodes(source, new.oid))
    with target.writer() as writer:
        copied = copy_nodes(source, writer, [root.oid], target.contains)
    assert copied == len([*new_nodes(source, root.oid, [new.oid])])
    assert [*nodes(target, root.oid)] == [*nodes(source, root.oid)]
    assert len([*target.oids()]) == len({*nodes(source, root.oid), *nodes(source, new.oid)})


def test_a_writer_copies_nothing_twice() -> None:
    source, root = stored(MemoryBackend(), numbered(DATASET, range(5_000)))
    target = ObjectStore(MemoryBackend())
    oids = np.frombuffer(b"".join(nodes(source, root.oid)), np.uint8).reshape(-1, 32)
    with target.writer() as writer:
        writer.copy(source, oids[:20])
        writer.copy(source, oids)
        writer.copy(source, oids)
    assert sum(len(pack) for pack in target.packs()) == len(oids)


def test_a_damaged_block_is_not_copied() -> None:
    backend = MemoryBackend()
    source, root = stored(backend, numbered(DATASET, range(5_000)))
    pack = source.packs()[0]
    data = bytearray(bytes(backend.read(pack.key)))
    data[pack.block(1).offset + 50] ^= 1
    backend.delete([pack.key])
    backend.create(pack.key, bytes(data))
    target = ObjectStore(MemoryBackend())
    fresh = ObjectStore(backend)
    with pytest.raises(Corrupt), target.writer() as writer:
        copy_nodes(fresh, writer, [root.oid], target.contains)
    assert not target.packs()
