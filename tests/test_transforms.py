"""Transform sets: what they hold, and that nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.errors import BadInput, BadName, Corrupt
from ldb.objects.codec import encode
from ldb.objects.model import BlobType
from ldb.transforms import DEFAULT, changed, check_name, decode_set, encode_set

NAMES = st.sampled_from(["a", "blur", "9", "x-y_z", "selfie"])
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
ARGVS = st.tuples(WORDS.filter(bool), WORDS)
SETS = st.builds(
    lambda others, itself: {**others, **({"self": None} if itself or not others else {})},
    st.dictionaries(NAMES, ARGVS, max_size=4),
    st.booleans(),
)


@given(SETS)
@settings(max_examples=40)
def test_a_set_comes_back(made: dict[str, tuple[str, ...] | None]) -> None:
    blob = encode_set(made)
    if blob is None:
        assert made == dict(DEFAULT)
    else:
        assert blob.type is BlobType.TRANSFORM
        assert decode_set(blob.payload) == made


def test_the_worked_example() -> None:
    blob = encode_set({"self": None, "blur": ("convert", "{data}")})
    assert blob is not None
    text = "82 a4 626c7572 92 a7 636f6e76657274 a6 7b646174617d a4 73656c66 c0"
    assert blob.payload == bytes.fromhex(text)
    assert len(blob.payload) == 28


@pytest.mark.parametrize(
    "value",
    [
        {}, [], None, "self", {"self": ["x"]}, {"blur": None}, {"blur": []}, {"blur": [""]},
        {"blur": ["x", 1]}, {"blur": ["x\0"]}, {"blur": "x"}, {"../x": ["x"]}, {"A": ["x"]},
        {"": ["x"]}, {"x" * 65: ["x"]}, {"blur": ["x"] * 1001}, {str(n): ["x"] for n in range(65)},
        {"blur": [b"x"]},
    ],
)  # fmt: skip
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(Corrupt):
        decode_set(encode(value))


@pytest.mark.parametrize("junk", [b"", b"\x82", b"\xc1", b"\x80\x80"])
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_set(junk)


def test_the_empty_set_cannot_be_written() -> None:
    with pytest.raises(BadInput):
        encode_set({})


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "..", "-a", "é", "a" * 65])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(BadName):
        check_name(name)


def test_changes() -> None:
    assert changed(DEFAULT, {"a": ("x",)}, []) == {"self": None, "a": ("x",)}
    assert changed({"a": ("x",)}, {"a": ("y",)}, ["self"]) == {"a": ("y",)}
    assert changed({"self": None, "a": ("x",)}, {}, ["a"]) == dict(DEFAULT)
