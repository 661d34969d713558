"""What goes from one instance to another: each block of the packs is read once, however many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.backends.base import Buffer, Outcome
from ldb.backends.memory import MemoryBackend
from ldb.dataset import dataset_schema
from ldb.ids import Oid
from ldb.instance import Instance, create, open_instance
from ldb.maps import Rows, build, nodes
from ldb.maps.copy import children_of
from ldb.maps.decode import unpack
from ldb.objects.codec import encode
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.porcelain.export import copy_blobs
from ldb.porcelain.plumbing.rev_list import Oids, oid_array, oid_list, oid_set
from ldb.progress import SILENT

BLOBS = 70_000
"""More than were copied at a time when each such part read nearly all blocks."""


class Counted(MemoryBackend):
    """Remembers which bytes of packs were read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[str, int, int]] = []

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        data = super().read(key, start, stop)
        if key.endswith(".pack"):
            self.reads.append((key, start, start + len(data)))
        return data

    def times_read(self, instance: Instance) -> list[int]:
        """How often each block was, of all packs."""
        return [
            sum(
                key == pack.key and start < block.stop and block.offset < stop
                for key, start, stop in self.reads
            )
            for pack in instance.objects.packs()
            for block in pack.blocks()
        ]


def stored(instance: Instance) -> set[tuple[int, int, int]]:
    """Blocks as they are stored."""
    packs = instance.objects.packs()
    return {(each.count, each.raw, each.crc) for pack in packs for each in pack.blocks()}


@pytest.fixture(scope="module")
def ours() -> tuple[Counted, Instance, Oids]:
    """An instance with many annotations in several packs, which are open, and their oids."""
    backend = Counted()
    instance = create(backend)
    payloads = [encode({"n": n, "text": f"{n * 7919 % 1000:040}"}) for n in range(BLOBS)]
    with instance.objects.writer(max_bytes=1_000_000) as writer:
        oids = writer.add_many(BlobType.ANNOTATION, payloads[: BLOBS // 2])
        oids += writer.add_many(BlobType.ANNOTATION, payloads[BLOBS // 2 :])
    column = oid_set([np.frombuffer(b"".join(oids), "S32")])
    assert instance.objects.contains(oid_array(column)).all()
    assert len(instance.objects.packs()) > 1
    return backend, instance, column


def test_each_block_is_read_once_and_taken_as_it_is(ours: tuple[Counted, Instance, Oids]) -> None:
    backend, source, oids = ours
    target, needed = create(MemoryBackend()), {BlobType.ANNOTATION: oids}
    backend.reads.clear()
    copy_blobs(source, target, needed, SILENT)
    times = backend.times_read(source)
    assert len(times) > 10
    assert set(times) == {1}
    assert target.objects.contains(oid_array(oids)).all()
    assert stored(target) == stored(source), "none was compressed anew"
    backend.reads.clear()
    copy_blobs(source, target, needed, SILENT)
    assert not any(backend.times_read(source)), "all of it is there already"


def test_what_is_there_in_part_is_not_written_again(ours: tuple[Counted, Instance, Oids]) -> None:
    backend, source, oids = ours
    target = create(MemoryBackend())
    copy_blobs(source, target, {BlobType.ANNOTATION: oids[::3]}, SILENT)
    backend.reads.clear()
    copy_blobs(source, target, {BlobType.ANNOTATION: oids}, SILENT)
    assert set(backend.times_read(source)) == {1}
    assert sum(map(len, target.objects.packs())) == len(oids)
    some = oid_list(oids[:100])
    assert target.objects.get_many(some) == source.objects.get_many(some)


EQUAL_HEADS = st.tuples(
    st.sampled_from([bytes(8), b"headhead"]), st.binary(min_size=24, max_size=24)
)


OIDS = st.one_of(st.just(bytes(32)), EQUAL_HEADS.map(b"".join))


WANTED: list[Oid] = []


class Proven(MemoryBackend):
    """Whenever a pack appears, all that lies below its map nodes is there."""

    packs = 0

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        outcome = super().create(key, data, unconditional=unconditional)
        if key.endswith(".pack"):
            self.packs += 1
            store = open_instance(self).objects
            for oid in WANTED:
                if store.contains(np.frombuffer(oid, np.uint8).reshape(1, -1)).all():
                    below = children_of(oid, unpack(oid, store.get(oid, BlobType.MAP)))
                    assert not len(below) or store.contains(below).all()
        return outcome


def test_nodes_come_after_what_is_below_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what an import that was killed has left is whole, as far as it goes."""
    source = create(MemoryBackend())
    schema = dataset_schema(source)
    keys = np.sort(
        np.random.default_rng(1).integers(0, 256, (60_000, 16), np.uint8).view("S16")[:, 0]
    )
    fields = tuple(np.zeros((len(keys), width), np.uint8) for width in schema.widths)
    with source.objects.writer(max_bytes=200_000) as writer:
        root = build(writer, schema, [Rows(keys, fields)]).oid
    WANTED[:] = nodes(source.objects, root)
    needed = {BlobType.MAP: oid_set([np.array(WANTED, "S32")])}
    backend = Proven()
    target = create(backend)
    whole = ObjectStore.writer
    monkeypatch.setattr(ObjectStore, "writer", lambda self: whole(self, 50_000))
    copy_blobs(source, target, needed, SILENT, [root])
    assert backend.packs > 2
    assert target.objects.contains(oid_array(needed[BlobType.MAP])).all()


@given(st.lists(st.lists(OIDS, max_size=5), max_size=3))
def test_oids_of_several_columns(columns: list[list[bytes]]) -> None:
    """Sorted, each once, without the one that is none; even where the first 8 bytes are equal."""
    found = oid_set([np.frombuffer(b"".join(each), "S32") for each in columns])
    wanted = sorted({oid for each in columns for oid in each} - {bytes(32)})
    assert found.tobytes() == b"".join(wanted)
