"""Width and height of an image from the start of its file: JPEG, PNG, GIF, BMP and WebP.

Only the header is looked at, so nothing is unpacked; pillow would do it too, at the cost of
being needed by everybody for twenty bytes. A file that is none of these, or cut off, has no
size. Pixels as they are stored: a rotation that EXIF asks for is not applied.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from ldb.formats.boxes.shape import Size

_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""JPEG markers that start a frame, whose header holds the size."""
MOST_MARKERS = 4096
"""Segments of a JPEG that are passed over in search of the frame."""


def image_size(file: BinaryIO) -> Size | None:
    """Width and height of the image at the start of a seekable file; None where unknown."""
    head = file.read(32)
    try:
        size = _size(file, head)
    except (struct.error, IndexError):
        return None
    return size if size and min(size) > 0 else None


def _size(file: BinaryIO, head: bytes) -> Size | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return _two(">II", head, 16)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _two("<HH", head, 6)
    if head.startswith(b"BM"):
        if struct.unpack_from("<I", head, 14)[0] == 12:
            return _two("<HH", head, 18)
        width, height = _two("<ii", head, 18)
        return width, abs(height)  # below zero: rows from the top down
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(head)
    if head.startswith(b"\xff\xd8"):
        file.seek(2)
        return _jpeg(file)
    return None


def _two(layout: str, data: bytes, at: int) -> Size:
    width, height = struct.unpack_from(layout, data, at)
    return width, height


def _webp(head: bytes) -> Size | None:
    kind = head[12:16]
    if kind == b"VP8X" and len(head) >= 30:
        width = int.from_bytes(head[24:27], "little") + 1
        return width, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L" and len(head) >= 25 and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = _two("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(file: BinaryIO) -> Size | None:
    for _ in range(MOST_MARKERS):
        if file.read(1) != b"\xff":
            return None
        marker = file.read(1)
        while marker == b"\xff":  # any number of them may fill up
            marker = file.read(1)
        code = marker[0]
        if code in _FRAMES:
            height, width = _two(">HH", file.read(7), 3)
            return width, height
        if code == 1 or 0xD0 <= code <= 0xD8:  # these stand alone
            continue
        if code in (0xD9, 0xDA):  # end, or pixels: no frame came before
            return None
        length = struct.unpack(">H", file.read(2))[0]
        if length < 2:
            return None
        file.seek(length - 2, 1)
    return None
