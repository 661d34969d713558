"""Annotations for tests of conversion, and what must be the same of them after it."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from hypothesis import strategies as st

WIDTH, HEIGHT = 640, 480


def png(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A real image of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(width)) * height, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def image(*objects: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An annotation in pixels."""
    size = {"width": WIDTH, "height": HEIGHT}
    return {"unit": "pixel", "image": size, "objects": [*objects], **more}


def box(label: str, *sides: float, **more: Any) -> dict[str, Any]:
    return {"label": label, "bbox": [*sides], **more}


@st.composite
def boxes(draw: st.DrawFn) -> dict[str, Any]:
    """A box inside the image, in quarters of a pixel."""
    left, top = draw(st.integers(0, 4 * WIDTH - 4)), draw(st.integers(0, 4 * HEIGHT - 4))
    width = draw(st.integers(1, 4 * WIDTH - left))
    height = draw(st.integers(1, 4 * HEIGHT - top))
    label = draw(st.sampled_from(["cat", "dog", "traffic light", "<&> \"é'", "no", "1"]))
    return box(label, left / 4, top / 4, width / 4, height / 4)


images = st.builds(
    lambda objects, subset: image(*objects, subset=subset),
    st.lists(boxes(), max_size=4),
    st.sampled_from(["train", "val"]),
)

Boxes = list[tuple[str, list[float]]]


def pixels(annotation: dict[str, Any]) -> Boxes:
    """Labels and boxes in pixels."""
    by = [WIDTH, HEIGHT] * 2 if annotation["unit"] == "relative" else [1] * 4
    return [
        (each["label"], [round(v * factor, 3) for v, factor in zip(each["bbox"], by, strict=True)])
        for each in annotation["objects"]
    ]
