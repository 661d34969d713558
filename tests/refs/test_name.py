"""What a dataset may be called, how names become keys, and what `ds:…` asks for."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ldb.backends.base import check_key
from ldb.errors import BadName
from ldb.refs.name import (
    INDEX,
    MAX_NUMBER,
    RefKind,
    RefName,
    VersionSpec,
    check_dataset_name,
    dataset_ref,
    parse_version,
    quote,
    unquote,
)

NAMES = st.text(
    st.characters(categories=("L", "N", "M"), include_characters="_-.+"), min_size=1, max_size=30
)


def is_good(name: str) -> bool:
    try:
        check_dataset_name(name)
    except BadName:
        return False
    return True


@pytest.mark.parametrize(
    "name",
    ["cats", "Cats", "c", "_", "_hidden", "9lives", "a.b-c_d+e", "cats.v", "cats.vx", "v1",
     "кошки", "猫", "बिल्ली", "cafe\u0301".replace("e\u0301", "é"), "rooted", "x" * 100],
)  # fmt: skip
def test_good_names(name: str) -> None:
    check_dataset_name(name)
    assert unquote(quote(name)) == name
    assert dataset_ref(name) == RefName(RefKind.DATASET, name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("root", "is the name of the index"),
        ("a/b", "contains '/'"),
        ("/", "starts with '/'"),
        ("..", "starts with '.'"),
        ("../x", "starts with '.'"),
        (".x", "starts with '.'"),
        ("-x", "starts with '-'"),
        ("+x", "starts with"),
        ("\u0301x", "starts with"),
        ("a b", "contains ' '"),
        ("a\nb", r"contains '\\n'"),
        ("a\n", r"contains '\\n'"),
        ("a\0", r"contains '\\x00'"),
        ("a\\b", "contains"),
        ("a:b", "contains ':'"),
        ("a~1", "contains '~'"),
        ("a%41", "contains '%'"),
        ("a*", "contains"),
        ("a\u202eb", "contains"),
        ("a\u00adb", "contains"),
        ("a\ud800", "contains"),
        ("a😀", "contains"),
        ("cafe\u0301", "normal form C"),
        ("a.", "ends with a dot"),
        ("cats.v1", "ends like a version"),
        ("cats.v007", "ends like a version"),
        ("cats.v٣", "ends like a version"),
        (".v1", "starts with '.'"),
        ("x" * 101, "longer than"),
        ("猫" * 23, "longer than"),
    ],
)
def test_bad_names(name: str, why: str) -> None:
    with pytest.raises(BadName, match=why) as caught:
        check_dataset_name(name)
    assert "\n" not in str(caught.value), "the message stays on one line"
    if name != "root":
        with pytest.raises(BadName):
            dataset_ref(name)


@given(NAMES)
@example("ſ")
@example("İ")
@example("_a_")
def test_quoted_names_are_keys_of_any_store(name: str) -> None:
    assume(is_good(name))
    folder = quote(name)
    assert unquote(folder) == name
    check_key(RefName(RefKind.DATASET, name).key(1))
    assert folder.isascii()
    assert re.fullmatch(r"(?:[a-z0-9._-]|%[0-9A-F]{2})+", folder)
    assert not folder.startswith(("_", "."))


@given(NAMES, NAMES)
@example("Cats", "cats")
@example("K", "\u212a")
def test_names_that_some_file_system_takes_for_one_stay_apart(one: str, other: str) -> None:
    assume(one != other and is_good(one) and is_good(other))

    def folded(name: str) -> str:
        return unicodedata.normalize("NFC", quote(name)).casefold()

    assert folded(one) != folded(other)


@given(st.text(max_size=40))
@example("%")
@example("%4")
@example("%41%")
@example("%ff")
@example("%C3")
@example("_x")
@example("A")
def test_unquote_takes_what_quote_gives_and_nothing_else(folder: str) -> None:
    try:
        name = unquote(folder)
    except BadName:
        return
    assert quote(name) == folder


@given(st.text(max_size=20))
def test_quote_is_total_and_reversible(name: str) -> None:
    assume(not any("\ud800" <= char <= "\udfff" for char in name))
    assert unquote(quote(name)) == name


def test_newest_version_sorts_first() -> None:
    ref = RefName(RefKind.DATASET, "cats")
    keys = [ref.key(number) for number in (MAX_NUMBER, 1000, 999, 10, 9, 2, 1)]
    assert keys == sorted(keys)
    assert ref.key(1) == "refs/datasets/cats/9999999998"
    assert INDEX.key(3) == "refs/index/root/9999999996"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("ds:cats", ("cats", None, 0)),
        ("cats", ("cats", None, 0)),
        ("ds:cats.v3", ("cats", 3, 0)),
        ("ds:cats.v03", ("cats", 3, 0)),
        ("ds:cats~", ("cats", None, 1)),
        ("ds:cats~2", ("cats", None, 2)),
        ("ds:cats~~", ("cats", None, 2)),
        ("ds:cats.v3~2~", ("cats", 3, 3)),
        ("ds:a.b.v9", ("a.b", 9, 0)),
        ("ds:v1", ("v1", None, 0)),
        ("ds:cats.v1.5", ("cats.v1.5", None, 0)),
        ("ds:cats.v-1", ("cats.v-1", None, 0)),
        ("ds:root.v12", ("root", 12, 0)),
        ("ds:кот.v1", ("кот", 1, 0)),
        (f"ds:cats.v{MAX_NUMBER}", ("cats", MAX_NUMBER, 0)),
    ],
)
def test_versions(text: str, spec: tuple[str, int | None, int]) -> None:
    name, number, back = spec
    assert parse_version(text) == VersionSpec(dataset_ref(name), number, back)


@pytest.mark.parametrize(
    "text",
    ["ds:", "ds:.v1", "ds:~1", "ds:cats.v0", "ds:cats.v00", "ds:cats.v1.v2", "ds:cats.v1x~1~x",
     "ds:ds:cats", "ds:a/b.v1", "ds:a\nb", "ds:cats.v1\n", "ds: cats", "ds:cats.v99999999999",
     "ds:cats~-1"],
)  # fmt: skip
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(BadName):
        parse_version(text)


@given(NAMES, st.none() | st.integers(1, MAX_NUMBER), st.integers(0, 99))
def test_specs_are_spelt_as_they_are_read(name: str, number: int | None, back: int) -> None:
    assume(is_good(name))
    spec = VersionSpec(dataset_ref(name), number, back)
    assert parse_version(str(spec)) == spec


@given(st.text(max_size=60))
def test_any_text_is_a_version_or_refused(text: str) -> None:
    try:
        spec = parse_version(text)
    except BadName:
        return
    assert spec.ref == INDEX or is_good(spec.ref.name)
