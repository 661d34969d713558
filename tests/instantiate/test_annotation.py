"""What is written for an annotation reads back as the same annotation."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import BadInput
from ldb.instantiate.annotation import annotation_text, payload_of
from ldb.objects.codec import MAX_DEPTH, encode
from ldb.objects.model import MAX_PAYLOAD

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("aé😀\n"), inner),
    max_leaves=20,
)


@given(JSON)
def test_text_reads_back_as_the_same_payload(value: object) -> None:
    payload = encode(value)
    text = annotation_text(payload)
    assert payload_of(text) == payload
    assert text.endswith(b"\n")
    assert json.loads(text) == value


@pytest.mark.parametrize("depth", [1, 250, 253, 254, 255, MAX_DEPTH])
def test_the_deepest_annotation_can_be_written(depth: int) -> None:
    value: object = 1
    for _ in range(depth):
        value = [value]
    payload = encode(value)
    assert payload_of(annotation_text(payload)) == payload


def test_an_annotation_that_indenting_would_make_too_large_stays_readable() -> None:
    payload = encode([7] * 4_000_000)
    text = annotation_text(payload)
    assert len(text) < MAX_PAYLOAD
    assert text.startswith(b"[7,7,")


def test_bytes_are_no_annotation() -> None:
    with pytest.raises(BadInput):
        annotation_text(encode({"a": b"raw"}))
