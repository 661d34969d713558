"""Which instance a command opens, and who is said to commit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ldb import instance as instances
from ldb.backends.local import LocalBackend
from ldb.cli.app import App
from ldb.cli.opening import author_of, open_instance_of, place_of
from ldb.errors import Corrupt, NotFound
from ldb.porcelain.place import Place
from ldb.porcelain.stage import stage
from ldb.refs.name import parse_version


def app(cwd: Path, home: Path, instance: str | None = None, **environ: str) -> App:
    return App(cwd, home, environ, instance)


def make(folder: Path) -> instances.Instance:
    return instances.create(LocalBackend(folder))


def test_nearest_first(tmp_path: Path, home: Path) -> None:
    made = {name: make(tmp_path / name) for name in ("a", "b", "c", "d")}
    draft = tmp_path / "draft"
    stage(Place(made["c"], str(tmp_path)), parse_version("ds:x"), str(draft))
    (home / ".ldb").mkdir()
    (home / ".ldb" / "config").write_text(f"[core]\ninstance = {tmp_path / 'd'}\n")
    b = str(tmp_path / "b")
    assert open_instance_of(app(draft, home, str(tmp_path / "a"), LDB_DIR=b)).id == made["a"].id
    assert open_instance_of(app(draft, home, LDB_DIR=b)).id == made["b"].id
    assert open_instance_of(app(draft, home)).id == made["c"].id
    assert open_instance_of(app(tmp_path, home)).id == made["d"].id


def test_none_named(tmp_path: Path, home: Path) -> None:
    with pytest.raises(NotFound) as caught:
        open_instance_of(app(tmp_path, home))
    assert "ldb init PATH" in caught.value.hint


def test_named_place_without_instance(tmp_path: Path, home: Path) -> None:
    with pytest.raises(NotFound, match="LDB_DIR") as caught:
        open_instance_of(app(tmp_path, home, LDB_DIR=str(tmp_path / "no")))
    assert f"ldb init {tmp_path / 'no'}" in caught.value.hint
    assert not (tmp_path / "no").exists()
    assert not os.listdir(home)


def test_broken_workspace_matters_only_where_it_is_asked(tmp_path: Path, home: Path) -> None:
    made = make(tmp_path / "a")
    state = tmp_path / ".ldb_workspace" / "state"
    state.parent.mkdir()
    state.write_bytes(b"junk")
    with pytest.raises(Corrupt):
        open_instance_of(app(tmp_path, home))
    assert open_instance_of(app(tmp_path, home, str(tmp_path / "a"))).id == made.id


def test_author(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a")
    monkeypatch.setenv("LOGNAME", "ann")
    assert author_of(app(tmp_path, home)).startswith("ann@")
    (home / ".ldb").mkdir()
    (home / ".ldb" / "config").write_text("[core]\nauthor = Ann <a@b>\nauto_index = yes\n")
    place = place_of(app(tmp_path, home, str(tmp_path / "a")))
    assert (place.author, place.cwd, place.auto_index) == ("Ann <a@b>", str(tmp_path), True)
