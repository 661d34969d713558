"""Indexing what the user names: locations, copies, restoring."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ldb.errors import BadInput, NotFound
from ldb.history import resolve
from ldb.porcelain.index import index, restore_index
from ldb.porcelain.place import Place
from ldb.porcelain.sources import select
from ldb.porcelain.storage import add_storage
from ldb.porcelain.unindex import unindex
from ldb.refs.name import parse_version
from tests.porcelain.conftest import save, write


def count(place: Place, source: str = "ds:root") -> int:
    return len(select(place.refreshed(), [source], default="none").rows)


def test_paths_are_the_users(place: Place, data: Path) -> None:
    write(data, "a/x.jpg")
    report = index(replace(place, cwd=str(data)), ["a"]).report
    assert report.new_objects == 1
    assert count(place, str(data / "a")) == 1
    assert count(place, f"file://{data}/a/x.jpg") == 1


def test_ids_of_copies(place: Place, data: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    add_storage(place, str(store), read_add=True)
    write(data, "known.jpg")
    write(tmp_path / "else", "x.jpg", {"k": 1})
    write(tmp_path / "else", "y.png")
    done = index(place, [str(data), "else", "else/*.png"])
    assert (done.report.new_objects, done.imported) == (3, 2 + 1)
    assert {name: len(ids) for name, ids in done.ids.items()} == {"else": 2, "else/*.png": 1}


def test_nothing_to_copy(place: Place, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    add_storage(place, str(store), read_add=True)
    write(store, "unrelated.jpg")
    (tmp_path / "empty").mkdir()
    done = index(place, ["empty"])
    assert (done.report.found_objects, done.imported) == (0, 0)


def test_problem_while_copying(place: Place, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    add_storage(place, str(store), read_add=True)
    write(tmp_path / "else", "x.jpg")
    os.symlink("nowhere", tmp_path / "else" / "broken.jpg")
    done = index(place, ["else"])
    assert done.report.new_objects == 1
    assert [os.path.basename(each.path) for each in done.report.problems] == ["broken.jpg"]


def test_bad_paths(place: Place, tmp_path: Path) -> None:
    for path, error in (("no", NotFound), ("a\x01b", BadInput), ("\udcff", BadInput)):
        with pytest.raises(error):
            index(place, [path])
    with pytest.raises(BadInput):
        index(place, [])


def test_restore(place: Place, data: Path) -> None:
    write(data, "a.jpg", 1)
    index(place, [str(data)])
    write(data, "b.jpg", 2)
    index(place, [str(data)])
    restored = restore_index(place, parse_version("ds:root.v1"))
    first = resolve(place.instance, parse_version("ds:root.v1"))
    assert restored.number == 3
    assert restored.commit.maps == first.commit.maps
    assert restored.commit.operations[0].sources[0].commit == first.oid
    assert (count(place), count(place, "ds:root.v2")) == (1, 2)
    with pytest.raises(BadInput):
        restore_index(place, parse_version("ds:cats"))


def test_unindex_while_somebody_indexes(place: Place, data: Path) -> None:
    write(data, "a.jpg", 1)
    write(data, "b.jpg", 2)
    index(place, [str(data)])
    assert count(place) == 2
    stale = place.catalog
    write(data, "c.jpg", 3)
    index(place, [str(data)])
    assert place.catalog is stale
    assert unindex(place, [str(data / "a.jpg")]).objects == 1
    assert count(place) == 2
    assert count(place, str(data / "c.jpg")) == 1


def test_unindexed_after_it_was_saved_in_between(place: Place, data: Path) -> None:
    """A version of a dataset that comes before the index moves on is seen."""
    write(data, "a.jpg")
    index(place, [str(data)])
    save(place, "cats", "ds:root")
    with pytest.raises(Exception, match=r"ds:cats\.v1"):
        unindex(place, ["ds:root"])
    assert count(place) == 1
