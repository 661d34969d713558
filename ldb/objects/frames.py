"""zstd frames whose content size is known and bounded before anything is allocated.

Level 3: within a quarter of the time of level 1 and 7 % smaller on annotations, where
level 4 takes twice as long for 1 % (docs/design/001-codec.md). Contexts are kept per
thread: they are costly to make and must not be shared.
"""

from __future__ import annotations

import threading

import zstandard

from ldb.backends.base import Buffer
from ldb.errors import Corrupt
from ldb.objects.model import MAX_PAYLOAD

LEVEL = 3

FAST = -1
"""For what does not get smaller: oids and other hashes are most of a map. Takes a quarter of
the time (docs/design/002-maps.md)."""

MAX_WINDOW = 2 * MAX_PAYLOAD
"""Bytes a frame may ask the decoder to keep; more than any frame of ours needs."""


class _Contexts(threading.local):
    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.fast = zstandard.ZstdCompressor(level=FAST)
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)


_contexts = _Contexts()


def compress(data: bytes) -> bytes:
    """One frame that states its content size."""
    return _contexts.compressor.compress(data)


def compress_fast(data: bytes) -> bytes:
    """The same in less time; of most data it makes more bytes."""
    return _contexts.fast.compress(data)


def decompress(frame: Buffer, size: int, name: object, where: str) -> bytes:
    """The content of a frame that is known to hold exactly `size` bytes, or `Corrupt`."""
    if content_size(frame, name, where) != size:
        raise Corrupt(name, f"{where}: not {size} bytes once decompressed")
    try:
        data = _contexts.decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupt(name, f"{where}: {error}") from None
    if len(data) != size:
        raise Corrupt(name, f"{where}: not {size} bytes once decompressed")
    return data


def content_size(frame: Buffer, name: object, where: str) -> int:
    """How many bytes the frame says it holds; `Corrupt` where it does not say."""
    try:
        size = zstandard.frame_content_size(frame)
    except zstandard.ZstdError as error:
        raise Corrupt(name, f"{where}: {error}") from None
    if size < 0:
        raise Corrupt(name, f"{where}: frame without a content size")
    return size
