"""`add PATH` where the path was not indexed yet."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ldb.errors import BadInput, NotFound
from ldb.history import head
from ldb.porcelain.draft import add
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.stage import stage
from ldb.porcelain.storage import add_storage
from ldb.refs.name import INDEX, parse_version
from tests.porcelain.conftest import write


@pytest.fixture
def draft(place: Place, tmp_path: Path) -> Place:
    """A workspace, auto-index on."""
    folder = str(tmp_path / "draft")
    stage(place, parse_version("ds:pets"), folder)
    return replace(place, cwd=folder, auto_index=True)


def versions(place: Place) -> int:
    newest = head(place.instance, INDEX)
    return newest.number if newest else 0


def test_unknown_files(draft: Place, data: Path) -> None:
    write(data, "a.jpg", {"k": 1})
    write(data, "deep/b.jpg")
    assert add(draft, ["../data"]).added == 2
    assert versions(draft) == 1


def test_some_unknown_among_known(draft: Place, data: Path) -> None:
    write(data, "a.jpg")
    index(draft, [str(data)])
    write(data, "b.jpg")
    assert add(draft, [str(data)]).added == 2


def test_off(draft: Place, data: Path) -> None:
    write(data, "a.jpg")
    with pytest.raises(NotFound) as caught:
        add(replace(draft, auto_index=False), [str(data)])
    assert "ldb index" in caught.value.hint
    assert versions(draft) == 0


def test_other_sources_index_nothing(draft: Place, data: Path) -> None:
    write(data, "a.jpg")
    index(draft, [str(data)])
    write(data, "b.jpg")
    assert add(draft, ["ds:root"]).added == 1
    assert versions(draft) == 1


def test_nothing_new_makes_no_version(draft: Place, data: Path) -> None:
    path = write(data, "a.jpg")
    os.utime(path, (1.6e9, 1.6e9 + 0.5))
    for _ in range(3):
        add(draft, [str(data)])
    assert versions(draft) == 1


@pytest.mark.parametrize("path", ["../nothing", "../data/no*.jpg", "/no/such/path"])
def test_not_there_at_all(draft: Place, path: str) -> None:
    with pytest.raises(NotFound):
        add(draft, [path])
    assert versions(draft) == 0


def test_gone_but_indexed(draft: Place, data: Path) -> None:
    path = write(data, "a.jpg")
    index(draft, [str(data)])
    path.unlink()
    assert add(draft, [str(path)]).added == 1


def test_outside_storage(draft: Place, tmp_path: Path) -> None:
    write(tmp_path / "else", "a.jpg", 1)
    with pytest.raises(BadInput) as caught:
        add(draft, ["../else"])
    assert "ldb add-storage" in caught.value.hint


def test_copies(draft: Place, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    add_storage(draft, str(store), read_add=True)
    write(tmp_path / "else", "a.jpg", 1)
    write(store, "unrelated.jpg")
    done = add(draft, ["../else", "../else/a.jpg"])
    assert done.added == 1
    assert done.workspace.state.operations[-1].sources[0].spec == str(tmp_path / "else")
    assert add(draft, ["../else/*.jpg"]).added == 0


def test_problems_are_said(draft: Place, data: Path) -> None:
    write(data, "a.jpg")
    (data / "a.json").write_text("{")
    done = add(draft, [str(data)])
    assert done.added == 1
    assert any("a.json" in warning for warning in done.warnings)
