"""Loose blobs: the file is what the oid is the hash of, and nothing else is accepted."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import Corrupt
from ldb.ids import Oid
from ldb.objects.loose import loose_key, oid_of_key, pack_loose, parse_loose
from ldb.objects.model import MAX_PAYLOAD, Blob, BlobType


@given(st.sampled_from(BlobType), st.binary(max_size=300))
def test_what_was_written_is_read(kind: BlobType, payload: bytes) -> None:
    blob = Blob(kind, payload)
    assert parse_loose(pack_loose(blob), blob.oid) == blob
    content = zstandard.decompress(pack_loose(blob))
    assert content == f"{kind.value} {len(payload)}\0".encode() + payload
    assert hashlib.sha256(content).digest() == blob.oid


def test_every_flipped_bit_is_found() -> None:
    blob = Blob(BlobType.COMMIT, b"some commit" * 3)
    good = pack_loose(blob)
    named = set()
    for at in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[at] ^= 1 << bit
            try:
                assert parse_loose(bytes(bad), blob.oid) == blob
            except Corrupt as error:
                named.add(error.oid)
    assert named == {blob.oid}
    for size in range(len(good)):
        with pytest.raises(Corrupt):
            parse_loose(good[:size], blob.oid)
    with pytest.raises(Corrupt):
        parse_loose(good + b"\0", blob.oid)


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"record 3", b"record 3\0ab", b"record 03\0abc", b"Record 3\0abc", b"record3\0abc"],
)
def test_a_right_hash_of_a_wrong_header_is_corrupt(content: bytes) -> None:
    oid = Oid(hashlib.sha256(content).digest())
    with pytest.raises(Corrupt, match="header"):
        parse_loose(zstandard.compress(content), oid)


def test_bombs_are_bounded() -> None:
    oid = Oid(bytes(32))
    endless = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(8 * MAX_PAYLOAD))
    bombs = [zstandard.compress(bytes(8 * MAX_PAYLOAD)), endless]
    tracemalloc.start()
    for bomb in bombs:
        with pytest.raises(Corrupt):
            parse_loose(bomb, oid)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MAX_PAYLOAD


def test_the_largest_blob() -> None:
    blob = Blob(BlobType.ANNOTATION, bytes(MAX_PAYLOAD))
    assert parse_loose(pack_loose(blob), blob.oid) == blob


def test_keys_name_oids() -> None:
    oid = Blob(BlobType.MAP, b"").oid
    key = loose_key(oid)
    assert key == f"objects/{oid.hex()[:2]}/{oid.hex()[2:]}"
    assert oid_of_key(key) == oid
    for other in (
        key[:-1],
        key.upper(),
        key.replace("/", "", 1),
        f"objects/{oid.hex()}",
        f"objects/{oid.hex()[:3]}/{oid.hex()[3:]}",
        f"objects/pack/{oid.hex()}.pack",
        "instance",
    ):
        assert oid_of_key(other) is None
