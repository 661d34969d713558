"""How hard blocks are compressed: by what it saves, and always the same way."""

from __future__ import annotations

import random

from ldb.backends.memory import MemoryBackend
from ldb.objects import frames
from ldb.objects.model import BlobType
from ldb.objects.pack import Pack, PackWriter
from ldb.objects.packread import PackReader


def packed(payloads: list[bytes]) -> Pack:
    writer = PackWriter()
    writer.add_many(BlobType.MAP, payloads)
    pack = writer.finish()
    assert pack is not None
    return pack


def frames_of(pack: Pack) -> list[tuple[bytes, bytes]]:
    """Each block's frame, and what it holds."""
    backend = MemoryBackend()
    backend.create(pack.key, pack.data)
    reader = PackReader(backend, pack.key, len(pack.data))
    return [(bytes(frame), block.raw) for block, frame in reader.read_stored(reader.blocks())]


def test_hashes_are_compressed_fast_but_for_one_block_in_32() -> None:
    dice = random.Random(1)
    payloads = [dice.randbytes(9000) for _ in range(320)]
    pack = packed(payloads)
    assert packed(payloads).data == pack.data
    found = frames_of(pack)
    assert len(found) > 33
    for at, (frame, raw) in enumerate(found):
        assert frame == (frames.compress(raw) if at % 32 == 0 else frames.compress_fast(raw))


def test_what_gets_smaller_is_compressed_well() -> None:
    dice = random.Random(1)
    kinds = ("a cat", "a dog that runs", "a bird")
    notes = [
        b'{"class":"%s","confidence":%.3f,"reviewed":%s,"path":"images/set-%d/%06d.png"}'
        % (dice.choice(kinds).encode(), dice.random(), dice.choice((b"true", b"false")), at % 7, at)
        for at in range(32_000)
    ]
    found = frames_of(packed([b"".join(notes[at : at + 100]) for at in range(0, 32_000, 100)]))
    assert len(found) > 33
    assert all(frame == frames.compress(raw) for frame, raw in found)
