"""Packs: what is written is found again, in the layout that the format page promises."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.errors import BadInput
from ldb.ids import Oid
from ldb.objects import packread
from ldb.objects.model import MAX_PAYLOAD, Blob, BlobType, oid_of
from ldb.objects.oidtable import as_oids, find, heads
from ldb.objects.pack import PackWriter
from ldb.objects.packcheck import entries, verify
from ldb.objects.packformat import MAX_BLOCK, block_target, pack_name
from ldb.objects.packread import PackReader
from tests.objects.samples import array_of, blobs, packed, stored


def found(pack: PackReader, oids: list[Oid]) -> list[int]:
    wanted = array_of(oids)
    ordinals: list[int] = find(pack.columns, wanted, heads(wanted)).tolist()
    return ordinals


def test_every_blob_is_found_and_nothing_else() -> None:
    some = blobs(3000)
    pack = stored(packed(some))
    by_ordinal = {entry.ordinal: entry for entry in entries(pack)}
    assert sorted(by_ordinal) == list(range(3000))
    for blob, ordinal in zip(some, found(pack, [blob.oid for blob in some])):
        entry = by_ordinal[ordinal]
        assert Blob(entry.type, entry.payload) == blob
        assert (entry.oid, entry.size) == (blob.oid, len(blob.payload))
        assert pack.find_one(blob.oid) == ordinal
    others = [blob.oid for blob in blobs(500, seed=2)]
    assert found(pack, others) == [-1] * 500
    assert [pack.find_one(oid) for oid in others] == [-1] * 500
    assert list(pack.oids()) == sorted(blob.oid for blob in some)
    assert verify(pack) == []


@pytest.mark.parametrize("count", [1, 2, 7])
def test_small_packs(count: int) -> None:
    some = blobs(count)
    pack = stored(packed(some))
    assert len(pack) == count
    assert [pack.find_one(blob.oid) >= 0 for blob in some] == [True] * count
    assert verify(pack) == []


def test_slices_of_the_table_are_enough_for_single_lookups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packread, "WHOLE_TABLE", 0)
    monkeypatch.setattr(packread, "OPENING_READ", 100)
    some = blobs(2000)
    pack = stored(packed(some))
    expected = found(stored(packed(some)), [blob.oid for blob in some])
    for blob, ordinal in zip(some[: packread.SLICES], expected):
        assert pack.find_one(blob.oid) == ordinal
        pack.check_slice(blob.oid[0])
    assert "table" not in pack.__dict__
    assert [pack.find_one(blob.oid) for blob in some] == expected
    assert "table" in pack.__dict__


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"\0" * 8, b"\xff" * 8, b"\x80" + b"\0" * 7]), st.integers(0, 9)
        ),
        min_size=1,
        unique=True,
    ),
    st.data(),
)
@settings(max_examples=50)
def test_oids_that_share_eight_bytes_are_told_apart(
    rows: list[tuple[bytes, int]], data: st.DataObject
) -> None:
    oids = [Oid(head + bytes(23) + bytes((last,))) for head, last in rows]
    inside = oids[: data.draw(st.integers(1, len(oids)))]
    writer = PackWriter()
    for number, oid in enumerate(inside):
        writer.add(BlobType.RECORD, b"%d" % number, oid)
    finished = writer.finish()
    assert finished is not None
    pack = stored(finished)
    expected = [*range(len(inside)), *[-1] * (len(oids) - len(inside))]
    assert found(pack, oids) == expected
    assert [pack.find_one(oid) for oid in oids] == expected
    assert list(pack.oids()) == sorted(inside)


@given(st.lists(st.binary(min_size=32, max_size=32), unique=True), st.data())
@settings(max_examples=50)
def test_vectorised_lookups_agree_with_a_dictionary(raw: list[bytes], data: st.DataObject) -> None:
    writer = PackWriter()
    inside = raw[: data.draw(st.integers(0, len(raw)))]
    for number, oid in enumerate(inside):
        writer.add(BlobType.MAP, b"%d" % number, Oid(oid))
    finished = writer.finish()
    if finished is None:
        assert inside == []
        return
    wanted = data.draw(st.permutations(raw))
    places = {oid: number for number, oid in enumerate(inside)}
    expected = [places.get(oid, -1) for oid in wanted]
    assert found(stored(finished), [Oid(oid) for oid in wanted]) == expected


def test_blocks_hold_one_type_and_keep_to_their_size() -> None:
    dice = random.Random(5)
    writer = PackWriter()
    for number in range(4000):
        kind = dice.choice([BlobType.ANNOTATION, BlobType.MAP])
        writer.add(kind, b"%d" % number + dice.randbytes(dice.randint(100, 400)))
    finished = writer.finish()
    assert finished is not None
    pack = stored(finished)
    blocks = list(pack.blocks())
    assert len(blocks) > 8
    assert {block.type for block in blocks} == {BlobType.ANNOTATION, BlobType.MAP}
    for block in blocks:
        assert block.raw <= block_target(block.type) + 500
        assert {entry.type for entry in entries(pack) if entry.block == block} == {block.type}
    assert [block.first for block in blocks] == np.cumsum(
        [0, *(block.count for block in blocks[:-1])]
    ).tolist()


def test_a_large_blob_is_alone_in_its_block() -> None:
    small, large = b"small", bytes(MAX_BLOCK + 1)
    writer = PackWriter()
    for payload in (small, large, b"another", bytes(MAX_BLOCK - 10), b"x" * 100):
        writer.add(BlobType.ANNOTATION, payload)
    finished = writer.finish()
    assert finished is not None
    pack = stored(finished)
    assert [block.count for block in pack.blocks()] == [1, 1, 1, 1, 1]
    assert all(block.raw <= MAX_BLOCK or block.count == 1 for block in pack.blocks())
    assert verify(pack) == []


def test_the_largest_payload_and_one_more() -> None:
    writer = PackWriter()
    writer.add(BlobType.ANNOTATION, bytes(MAX_PAYLOAD))
    with pytest.raises(BadInput, match="more than"):
        writer.add(BlobType.ANNOTATION, bytes(MAX_PAYLOAD + 1))
    finished = writer.finish()
    assert finished is not None
    assert verify(stored(finished)) == []


def test_a_blob_is_stored_once() -> None:
    some = blobs(100)
    once, often = packed(some), packed([*some, *some[::-1]])
    assert bytes(once.data) == bytes(often.data)
    assert once.blobs == 100


def test_bulk_and_single_adds_give_the_same_file() -> None:
    payloads = [b"%d" % number * 20 for number in range(5000)]
    single, bulk = PackWriter(), PackWriter()
    oids = [single.add(BlobType.RECORD, payload) for payload in payloads]
    assert bulk.add_many(BlobType.RECORD, payloads) == oids
    assert oids == [oid_of(BlobType.RECORD, payload) for payload in payloads]
    one, other = single.finish(), bulk.finish()
    assert one is not None
    assert other is not None
    assert (one.name, bytes(one.data)) == (other.name, bytes(other.data))


def test_the_name_is_the_hash_of_the_file() -> None:
    pack = packed(blobs(10))
    assert pack.name == hashlib.sha256(pack.data).hexdigest()
    assert pack_name(pack.key) == pack.name
    assert pack_name(pack.key + "x") is None
    assert pack_name("objects/pack/" + pack.name.upper() + ".pack") is None


def test_nothing_added_gives_nothing() -> None:
    assert PackWriter().finish() is None


def test_the_estimate_of_size_is_close() -> None:
    dice, writer = random.Random(6), PackWriter()
    for _ in range(3000):
        writer.add(dice.choice(list(BlobType)), dice.randbytes(1000))
    estimate = writer.size
    pack = writer.finish()
    assert pack is not None
    assert len(pack.data) * 0.8 < estimate < len(pack.data) * 1.2


def test_blobs_are_read_back_while_writing() -> None:
    some = blobs(5000)
    writer = PackWriter()
    for blob in some:
        writer.add(blob.type, blob.payload)
    for blob in some[::7]:
        assert writer.get(blob.oid) == blob
    assert writer.get(blobs(1, seed=9)[0].oid) is None


def test_equal_payloads_of_two_types_are_two_blobs() -> None:
    pack = stored(packed([Blob(BlobType.RECORD, b"x"), Blob(BlobType.COMMIT, b"x")]))
    assert len(pack) == 2


def test_tables_are_read_in_place() -> None:
    some = blobs(50)
    pack = stored(packed(some))
    assert sorted(map(bytes, pack.columns.oids())) == sorted(blob.oid for blob in some)
    assert as_oids(b"").shape == (0, 32)
