"""Sizes in headers; the headers were made by Pillow 13, of images of 300 by 7 pixels."""

from __future__ import annotations

import base64
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.formats.boxes.imagesize import image_size

JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwc"
    "KDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
    "MjIyMjIyMjIyMjIyMjIyMjIyMjL/w{}gARCAAHASwDASIAAhEBAxEB"
)
HEADERS = {
    "jpeg": JPEG.replace("/w{}gARCAAH", "/wAARCAAH"),
    "progressive jpeg": JPEG.replace("/w{}gARCAAH", "/wgARCAAH"),
    "png": "iVBORw0KGgoAAAANSUhEUgAAASwAAAAHCAIAAAA9A+djAAAAMElEQQ==",
    "gif": "R0lGODdhLAEHAIEAAAECAwAAAAAAAAAAACwAAAAALAEHAAAITAABCA==",
    "bmp": "Qk3SGAAAAAAAADYAAAAoAAAALAEAAAcAAAABABgAAAAAAJwYAADEDg==",
    "webp": "UklGRjoAAABXRUJQVlA4IC4AAACwAwCdASosAQcAPm02mEkkIyKhIQ==",
    "lossless webp": "UklGRiYAAABXRUJQVlA4TBoAAAAvK4EBAAdQgVQIIAAKmv7HABLC/w==",
    "extended webp": "UklGRl4AAABXRUJQVlA4WAoAAAAIAAAAKwEABgAAVlA4IC4AAACwAw==",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_size(header: str) -> None:
    data = base64.b64decode(header)
    assert image_size(io.BytesIO(data)) == (300, 7)
    for cut in range(len(data)):
        assert image_size(io.BytesIO(data[:cut])) in (None, (300, 7))


@settings(max_examples=25)
@given(st.sampled_from([*HEADERS.values()]), st.integers(0, 60), st.binary(max_size=40))
def test_anything_has_a_size_or_none(header: str, at: int, junk: bytes) -> None:
    size = image_size(io.BytesIO(base64.b64decode(header)[:at] + junk))
    assert size is None or min(size) > 0


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8\xff\xd9", b"\xff\xd8" + b"\xff" * 99])
def test_what_is_no_image(data: bytes) -> None:
    assert image_size(io.BytesIO(data)) is None
