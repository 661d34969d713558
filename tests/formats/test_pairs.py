"""Pairing the files of a folder by their names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ldb.formats.pairs import is_annotation, pair

NAMES = st.lists(
    st.builds(
        lambda stem, end: (stem + end).encode(),
        st.sampled_from(["a", "b", "a.b", "é", ".x", ""]),
        st.sampled_from([".jpg", ".png", ".json", ".JSON", "", ".tar.gz"]),
    ).filter(bool),
    unique=True,
).map(sorted)


def paired(names: list[bytes], strict: bool = False) -> dict[bytes, bytes | None]:
    found = pair(names, strict)
    return {names[at]: names[note] if note >= 0 else None for at, note in found.data}


def test_data_files_find_the_annotation_of_their_stem() -> None:
    names = [b"a.jpg", b"a.json", b"b.jpg", b"c.json"]
    assert paired(names) == {b"a.jpg": b"a.json", b"b.jpg": None}
    assert pair(names, False).lone == 1


def test_strict_leaves_out_what_has_none() -> None:
    names = [b"a.jpg", b"a.json", b"b.jpg", b"c.json"]
    assert paired(names, strict=True) == {b"a.jpg": b"a.json"}
    assert pair(names, True).lone == 2


def test_several_data_files_share_an_annotation() -> None:
    assert paired([b"a.jpg", b"a.json", b"a.png"]) == {b"a.jpg": b"a.json", b"a.png": b"a.json"}
    assert pair([b"a.jpg", b"a.json", b"a.png"], False).annotations == [1]


def test_an_annotation_is_never_a_data_file_whatever_its_case() -> None:
    assert paired([b"a.JSON", b"a.jpg", b"a.json"]) == {b"a.jpg": b"a.json"}
    assert paired([b"a.JSON", b"a.jpg"]) == {b"a.jpg": b"a.JSON"}


def test_a_data_file_without_an_extension_has_its_name_for_a_stem() -> None:
    assert paired([b"a", b"a.json"]) == {b"a": b"a.json"}
    assert paired([b"a.b.jpg", b"a.b.json", b"a.json"]) == {b"a.b.jpg": b"a.b.json"}


@given(NAMES, st.booleans())
def test_every_file_is_data_or_annotation_and_every_pair_fits(
    names: list[bytes], strict: bool
) -> None:
    found = pair(names, strict)
    assert not any(is_annotation(names[at]) for at, _ in found.data)
    assert all(is_annotation(names[at]) for at in found.annotations)
    assert found.annotations == sorted({note for _, note in found.data if note >= 0})
    assert not strict or all(note >= 0 for _, note in found.data)
    if not strict:
        assert len(found.data) + len(found.annotations) + found.lone == len(names)
