"""Names: whatever a path holds, what is made of it stays inside and pairs up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.formats.pairs import pair
from ldb.instantiate.naming import (
    MAX_NAME,
    Name,
    clean,
    folded,
    id_in_name,
    name_as_seen,
    name_with_id,
)

ID = "0cc175b9c0f1b6a831c399e269772661"

ODD = st.text(
    st.one_of(
        st.sampled_from("./\\:\0\n -~*?\"'<>|_aA1éﬃ‮\u0300😀"),
        st.characters(),
    ),
    max_size=400,
)


def check(name: Name) -> None:
    parts = [*name.folder.split("/"), name.data] if name.folder else [name.data]
    for part in (*parts, name.annotation):
        assert part
        assert part not in (".", "..")
        assert not part.startswith(".")
        assert not set(part) & set('/\\:\0\n<>|?*"')
        assert part.isprintable()
        assert part == part.rstrip(". ")
        assert len(part.encode()) <= MAX_NAME
        assert part.split(".")[0].strip().upper() not in ("CON", "NUL", "COM1", "LPT9")
    names = sorted([name.data.encode(), name.annotation.encode()])
    pairing = pair(names, strict=True)
    assert [names[at] for at, _ in pairing.data] == [name.data.encode()]


@given(ODD)
def test_any_path_gives_plain_names_that_pair_up(path: str) -> None:
    check(name_as_seen(path, ID))
    named = name_with_id(path, ID)
    check(named)
    assert id_in_name(named.data) == id_in_name(named.annotation) == ID


@pytest.mark.parametrize("path", ["a.JSON", "a.b.json", "a.b.Json", "a.json.data"])
def test_the_id_is_read_from_names_of_data_that_is_json(path: str) -> None:
    named = name_with_id(path, ID)
    assert id_in_name(named.data) == id_in_name(named.annotation) == ID


@given(ODD)
def test_an_instantiated_name_keeps_its_name(path: str) -> None:
    named = name_with_id(path, ID)
    assert name_with_id(named.data, ID) == named
    assert name_as_seen(named.data, ID) == named


@given(ODD)
def test_cleaning_is_done_once(part: str) -> None:
    assert clean(clean(part)) == clean(part)


@pytest.mark.parametrize(
    ("path", "data", "annotation"),
    [
        ("file:///x/cat.jpg", f"cat-{ID}.jpg", f"cat-{ID}.json"),
        ("cat.tar.gz", f"cat.tar-{ID}.gz", f"cat.tar-{ID}.json"),
        ("README", f"README-{ID}", f"README-{ID}.json"),
        ("s3://b/a:b.jpg", f"a_b-{ID}.jpg", f"a_b-{ID}.json"),
        ("photo 1.jpg", f"photo 1-{ID}.jpg", f"photo 1-{ID}.json"),
        ("été.jpg", f"été-{ID}.jpg", f"été-{ID}.json"),
        ("..", f"__-{ID}", f"__-{ID}.json"),
        ("x/..\\..\\evil.exe", f"_._.._evil-{ID}.exe", f"_._.._evil-{ID}.json"),
        ("data.JSON", f"data-{ID}.JSON.data", f"data-{ID}.JSON.json"),
        ("é" * 300 + ".jpg", "é" * 108 + f"-{ID}.jpg", "é" * 108 + f"-{ID}.json"),
        (f"{ID}.jpg", f"{ID}.jpg", f"{ID}.json"),
        ("", f"{ID}", f"{ID}.json"),
    ],
)
def test_names_with_ids(path: str, data: str, annotation: str) -> None:
    assert name_with_id(path, ID) == Name("", data, annotation)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b/c.jpg", Name("a/b", "c.jpg", "c.json")),
        ("../../c.jpg", Name("__/__", "c.jpg", "c.json")),
        ("/etc/c.jpg", Name("etc", "c.jpg", "c.json")),
        ("C:/c.jpg", Name("C_", "c.jpg", "c.json")),
        (".git/hooks/post-merge", Name("_git/hooks", "post-merge", "post-merge.json")),
        ("aux/nul.jpg", Name("_aux", "_nul.jpg", "_nul.json")),
        ("x/" + "a" * 255, Name("x", "a" * 217 + f"-{ID}", "a" * 217 + f"-{ID}.json")),
    ],
)
def test_names_as_seen(path: str, name: Name) -> None:
    assert name_as_seen(path, ID) == name


def test_an_object_without_a_path_is_named_by_its_id_and_type() -> None:
    assert name_with_id("", ID, "jpg").data == f"{ID}.jpg"
    assert id_in_name(f"{ID}.jpg") == ID


@pytest.mark.parametrize(
    "name", ["cat.jpg", "cat.json", f"cat{ID}.json", f"{ID[1:]}.json", ".json"]
)
def test_names_without_an_id(name: str) -> None:
    assert id_in_name(name) is None


def test_folded_names_are_equal_where_a_file_system_takes_them_for_one() -> None:
    assert folded("A/É.jpg") == folded("a/e\u0301.JPG")
    assert folded("a.jpg") != folded("b.jpg")
