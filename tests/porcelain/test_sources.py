"""Sources are resolved and united; globs find what a shell would find."""

from __future__ import annotations

import glob
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.catalog import as_keys, key_bytes
from ldb.errors import BadInput, NotFound
from ldb.history import SourceUsed, head
from ldb.indexing.annotations import index_annotations
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.instance import Instance
from ldb.objects.codec import annotation_payload
from ldb.objects.model import BlobType, oid_of
from ldb.porcelain.commit import commit
from ldb.porcelain.draft import add
from ldb.porcelain.place import Place
from ldb.porcelain.sources import Known, absolute_source, read_sources, select, united
from ldb.porcelain.stage import stage
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec
from ldb.refs.name import INDEX, parse_version
from ldb.storage.globs import fits, parts_of

FILES = ["a", "b", "sub/a2", "sub/deep/c", "other/a3"]


@pytest.fixture
def place(instance: Instance, tmp_path: Path) -> Place:
    """Five indexed data objects, each annotated with its own name, in `data`."""
    for name in FILES:
        path = tmp_path / "data" / f"{name}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.with_suffix(".json").write_text(f'"{name}"')
    index(instance, targets_of([str(tmp_path / "data")]), IndexOptions(processes=1))
    return Place(instance, str(tmp_path / "data"), "Ann")


def id_of(name: str) -> bytes:
    return hashlib.md5(name.encode()).digest()


NAMES = {id_of(name): name for name in FILES}


def oid(text: str) -> bytes:
    return oid_of(BlobType.ANNOTATION, annotation_payload(text.encode(), ""))


def names_of(rows: Selected) -> list[str]:
    return [NAMES[raw] for raw in key_bytes(rows.ids)]


def rows(place: Place, *names: str, note: bytes = b"") -> Selected:
    """Rows with the annotation of that oid, or none."""
    ids = as_keys([id_of(name) for name in names], 16)
    notes = np.frombuffer((note or bytes(32)) * len(names), np.uint8).reshape(-1, 32)
    return Selected(ids, notes, np.zeros_like(notes))


def notes_of(found: Selected) -> dict[str, bytes]:
    return {
        name: note.tobytes() for name, note in zip(names_of(found), found.annotations, strict=True)
    }


# -- what a source was resolved to -----------------------------------------------------


def test_used_in_the_order_given(place: Place) -> None:
    newest = head(place.instance, INDEX)
    assert newest is not None
    texts = ["sub", f"id:{id_of('b').hex()}", "ds:root", f"id:{id_of('a').hex()[:8]}"]
    found, used, _ = read_sources(place, texts)
    assert used == tuple(
        SourceUsed(absolute_source(text, place.cwd), newest.oid if text == "ds:root" else None)
        for text in texts
    )
    assert sorted(names_of(found)) == sorted(FILES)
    assert key_bytes(found.ids) == sorted(map(id_of, FILES)), "by id"


def test_defaults(place: Place, tmp_path: Path) -> None:
    assert len(select(place, [], default="root").rows) == 5
    assert len(select(place, [], default="staged").rows) == 5, "there is no workspace here"
    with pytest.raises(BadInput, match="none given"):
        select(place, [], default="none")
    stage(place, parse_version("ds:some"), str(tmp_path / "work"))
    there = Place(place.instance, str(tmp_path / "work"))
    assert len(select(there, [], default="staged").rows) == 0
    assert len(select(there, [], default="root").rows) == 5


def test_catalog_is_that_of_the_version_asked_for_alone(place: Place) -> None:
    index_annotations(place.instance, {id_of("a"): annotation_payload(b"1", "")}, command=[])
    newest = head(place.instance, INDEX)
    place = place.refreshed()
    for texts, number in ((["ds:root.v1"], 1), (["ds:root"], 2), (["ds:root.v1", "sub"], 2)):
        catalog = select(place, texts, default="root").catalog
        assert catalog.version is not None
        assert catalog.version.number == number
    assert newest is not None
    assert newest.number == 2


def test_known_before(place: Place) -> None:
    known = Known(ids={"elsewhere/x.bin": [id_of("b"), id_of("a"), b"\0" * 16]})
    found, used, _ = read_sources(place, ["elsewhere/x.bin"], known)
    assert set(names_of(found)) == {"a", "b"}, "what the index does not know is left out"
    assert used == (SourceUsed(f"{place.cwd}/elsewhere/x.bin"),), "to be found from anywhere"


def test_first_bad_source_is_named(place: Place) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        read_sources(place, ["sub", "nowhere", "ds:none"])


# -- several annotations of one object -------------------------------------------------


@pytest.fixture
def thrice(place: Place) -> Place:
    """`a` was annotated "a", then 1, then 2."""
    for text in (b"1", b"2"):
        index_annotations(place.instance, {id_of("a"): annotation_payload(text, "")}, command=[])
    return place.refreshed()


@pytest.mark.parametrize(
    ("given_notes", "wins"),
    [
        (['"a"', "1"], "1"),
        (["1", '"a"'], "1"),
        (["2", "1", '"a"'], "2"),
        (['"a"', "2", "1"], "2"),
        (["1", "1"], "1"),
        ([None, '"a"'], '"a"'),
        (['"a"', None], '"a"'),
        ([None, None], None),
        (['"unknown"', '"a"'], '"a"'),
        (["1", '"unknown"', "1"], "1"),
        (['"unknown"', None], '"unknown"'),
    ],
)
def test_latest_wins(thrice: Place, given_notes: list[str | None], wins: str | None) -> None:
    parts = [
        rows(thrice, "a", "b", note=oid(text) if text is not None else b"") for text in given_notes
    ]
    found = united(thrice.catalog, parts)
    expected = oid(wins) if wins is not None else bytes(32)
    assert notes_of(found)["a"] == expected


def test_many_objects_in_severalparts_of(thrice: Place) -> None:
    parts = [
        rows(thrice, "b", "a", note=oid("1")),
        rows(thrice, "sub/a2"),
        rows(thrice, "a", note=oid("2")),
        rows(thrice, "other/a3", "b", note=oid("1")),
        Selected.empty(16),
    ]
    found = united(thrice.catalog, parts)
    assert notes_of(found) == {
        "a": oid("2"), "b": oid("1"), "sub/a2": bytes(32), "other/a3": oid("1"),
    }  # fmt: skip
    assert key_bytes(found.ids) == sorted(key_bytes(found.ids))
    assert len(united(thrice.catalog, [])) == 0


def test_object_that_the_index_does_not_know(thrice: Place) -> None:
    odd = as_keys([b"\1" * 16] * 2, 16)
    notes = np.frombuffer(oid("1") + oid("2"), np.uint8).reshape(-1, 32)
    found = united(thrice.catalog, [Selected(odd, notes, np.zeros_like(notes))])
    assert found.annotations.tolist() == notes[:1].tolist(), "the first, for want of an order"


@settings(max_examples=30)
@given(st.data())
def test_union_is_that_of_a_dictionary(data: st.DataObject) -> None:
    """Objects without a record: any order of parts gives each object once."""
    from ldb import instance as instances
    from ldb.backends.memory import MemoryBackend
    from ldb.catalog import open_catalog

    catalog = open_catalog(instances.create(MemoryBackend()))
    drawn = data.draw(st.lists(st.lists(st.integers(0, 255), unique=True), max_size=5))
    parts = []
    for numbers in drawn:
        ids = as_keys([bytes([number]) + bytes(15) for number in numbers], 16)
        notes = np.array(numbers, np.uint8).repeat(32).reshape(-1, 32)
        parts.append(Selected(ids, notes, np.zeros_like(notes)))
    found = united(catalog, parts)
    assert [raw[0] for raw in key_bytes(found.ids)] == sorted({n for part in drawn for n in part})
    assert found.annotations[:, 0].tolist() == [raw[0] for raw in key_bytes(found.ids)]


# -- a draft, a version and the index --------------------------------------------------


def test_dataset_keeps_its_annotation(place: Place, tmp_path: Path) -> None:
    stage(place, parse_version("ds:some"), str(tmp_path / "work"))
    there = Place(place.instance, str(tmp_path / "work"), "Ann")
    add(there, [str(tmp_path / "data" / "sub")])
    commit(there)
    index_annotations(
        place.instance, {id_of("sub/a2"): annotation_payload(b"5", "")}, command=["test"]
    )
    place = place.refreshed()
    assert notes_of(read_sources(place, ["ds:some"])[0])["sub/a2"] == oid('"sub/a2"')
    assert notes_of(read_sources(place, ["sub"])[0])["sub/a2"] == oid("5")
    assert notes_of(read_sources(place, ["ds:some", "sub"])[0])["sub/a2"] == oid("5")
    assert notes_of(read_sources(place, [f"ws:{there.cwd}"])[0])["sub/a2"] == oid('"sub/a2"')
    limited = select(place, ["ds:some"], [FilterSpec("limit", 1)], default="none")
    assert len(limited.rows) == 1


# -- globs -----------------------------------------------------------------------------

TREE = ["a.x", "b.y", "ab.x", "d/a.x", "d/e/a.x", "d/e/f/b.y", "ee/ab.x", "[a]/a.x", "a*/b.y"]
PARTS = st.sampled_from(
    ["*", "**", "?", "a", "d", "e", "e*", "*e", "a.x", "*.x", "[ab].?", "[!a]*", "[a]", "a*", "??*",
     "[[]a]", "[", "[]", "[z-a]", "*.*", "a[*]", "f"]
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    return root


@settings(max_examples=300)
@given(st.lists(PARTS, min_size=1, max_size=5).map("/".join))
def test_globs_find_what_python_finds(tree: Path, pattern: str) -> None:
    matched = glob.glob(pattern, root_dir=tree, recursive=True)
    # Up to some version Python finds the file `a` as `a/` for the pattern `a/**`.
    files = {name for name in matched if name[-1:] != "/" and os.path.isfile(tree / name)}
    folders = [name.rstrip("/") for name in matched if os.path.isdir(tree / name)]
    below = {
        name for name in TREE for folder in folders if name.startswith(folder + "/") or not folder
    }
    parts = parts_of(pattern)
    assert {name for name in TREE if fits(parts, name.split("/"), below=False)} == files
    assert {name for name in TREE if fits(parts, name.split("/"), below=True)} == files | below


def test_many_stars_take_no_time() -> None:
    parts = parts_of("/".join(["**", "a"] * 30))
    assert not fits(parts, ["a"] * 29, below=True)
    assert fits(parts, ["a"] * 30, below=True)
    assert not fits(parts_of("*a" * 20 + "b"), ["a" * 200], below=False)
