"""Blobs and stores for the tests of this folder."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ldb.backends.base import Backend, Buffer
from ldb.backends.memory import MemoryBackend
from ldb.ids import Oid
from ldb.objects.codec import encode
from ldb.objects.model import Blob, BlobType
from ldb.objects.pack import Pack, PackWriter
from ldb.objects.packread import PackReader


def blobs(count: int, seed: int = 1) -> list[Blob]:
    """Different small blobs of all types in mixed order."""
    dice = random.Random(seed)
    kinds = list(BlobType)
    return [
        Blob(
            dice.choice(kinds),
            encode({"id": index, "seed": seed, "text": "x" * dice.randint(0, 99)}),
        )
        for index in range(count)
    ]


def packed(some: Sequence[Blob]) -> Pack:
    """A finished pack of these blobs."""
    writer = PackWriter()
    for blob in some:
        writer.add(blob.type, blob.payload)
    pack = writer.finish()
    assert pack is not None
    return pack


def stored(pack: Pack, backend: Backend | None = None) -> PackReader:
    """A reader of a pack, put where packs are."""
    backend = backend or MemoryBackend()
    backend.create(pack.key, pack.data)
    return PackReader(backend, pack.key, len(pack.data))


def reader_of(data: Buffer, key: str) -> PackReader:
    """A reader of whatever bytes."""
    backend = MemoryBackend()
    backend.create(key, data)
    return PackReader(backend, key, len(data))


def array_of(oids: Sequence[Oid]) -> NDArray[np.uint8]:
    """Oids as an (n, 32) array."""
    return np.frombuffer(b"".join(oids), np.uint8).reshape(-1, 32)
