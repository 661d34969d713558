"""A workspace that somebody else made leads no command to the user's own files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.cli.app import App
from ldb.cli.opening import choice_of
from ldb.errors import Corrupt, LdbError, StoreFailed, Untrusted
from ldb.history import head
from ldb.instance import Instance, create
from ldb.porcelain.draft import add
from ldb.porcelain.place import Place
from ldb.porcelain.stage import stage
from ldb.refs.name import INDEX, parse_version
from ldb.workspace import FOLDER, LOCK, MAX_STATE, STATE, load_state, locked, stranger

posix = pytest.mark.skipif(os.name == "nt", reason="links and owners are POSIX's")
pytestmark = posix


@pytest.fixture
def place(instance: Instance, tmp_path: Path) -> Place:
    """A workspace with a draft of ds:cats."""
    folder = tmp_path / "work"
    stage(Place(instance, str(tmp_path)), parse_version("ds:cats"), str(folder))
    return Place(instance, str(folder))


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_lock_that_is_another_file(place: Place, tmp_path: Path, link: object) -> None:
    """Whoever holds the lock writes a number there: into the lock, and nothing else."""
    mine = tmp_path / "thesis.txt"
    mine.write_text("years of work")
    lock = Path(place.cwd, FOLDER, LOCK)
    lock.unlink(missing_ok=True)
    assert callable(link)
    link(mine, lock)
    with pytest.raises(StoreFailed), locked(place.cwd):
        pass
    assert mine.read_text() == "years of work"


def test_an_inside_that_is_a_link(place: Place, tmp_path: Path) -> None:
    """Staging empties a workspace's own objects: not those of the instance a link leads to."""
    instance = place.instance
    oid = next(iter(instance.objects.oids()), None)
    before = {entry.key for entry in instance.backend.list()}
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / FOLDER).symlink_to(instance.url)
    with pytest.raises(LdbError, match="symbolic link"):
        stage(Place(instance, str(tmp_path)), parse_version("ds:cats"), str(trap))
    with pytest.raises(StoreFailed, match="symbolic link"):
        load_state(str(trap))
    with pytest.raises(StoreFailed, match="symbolic link"), locked(str(trap)):
        pass
    assert {entry.key for entry in instance.backend.list()} == before
    assert oid is None or instance.objects.has(oid)


def test_temporary_files_do_not_go_through_a_link(tmp_path: Path) -> None:
    """A cache may have files with names like those that `tmp/` has."""
    outside = tmp_path / "cache"
    outside.mkdir()
    (outside / ("ab" * 16)).write_text("kept")
    root = tmp_path / "store"
    root.mkdir()
    (root / "tmp").symlink_to(outside)
    store = LocalBackend(root)
    with pytest.raises(StoreFailed, match="link"):
        store.create("a", b"1")
    with pytest.raises(StoreFailed, match="link"):
        store.stale_temporaries(1e12)
    assert [path.name for path in outside.iterdir()] == ["ab" * 16]


def test_a_state_of_gigabytes(place: Place) -> None:
    path = Path(place.cwd, FOLDER, STATE)
    path.chmod(0o600)
    os.truncate(path, MAX_STATE * 300)
    with pytest.raises(Corrupt, match="more than"):
        load_state(place.cwd)


def test_a_state_that_is_no_file(place: Place, tmp_path: Path) -> None:
    path = Path(place.cwd, FOLDER, STATE)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreFailed):
        load_state(place.cwd)
    path.unlink()
    secret = tmp_path / "secret"
    secret.write_text("x")
    path.symlink_to(secret)
    with pytest.raises(StoreFailed):
        load_state(place.cwd)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give away")
def test_a_stranger_s_workspace_chooses_no_instance(
    place: Place, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a directory above the user's may hold one that anybody put there: `/tmp`."""
    inside = Path(place.cwd, FOLDER)
    os.chown(inside, 4242, 4242)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert stranger(place.cwd) == 4242
    below = Path(place.cwd, "below")
    below.mkdir()
    with pytest.raises(Untrusted, match="belongs to another user"):
        choice_of(App(below, home, {}, None))
    named = choice_of(App(below, home, {}, place.instance.url))
    assert named is not None
    assert named.where == place.instance.url
    os.chown(inside, 1234, 4242)
    assert choice_of(App(below, home, {}, None)) is not None


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give away")
def test_a_stranger_s_workspace_as_a_source_opens_no_instance(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = create(LocalBackend(tmp_path / "mine"))
    stage(Place(mine, str(tmp_path)), parse_version("ds:mine"), str(tmp_path / "draft"))
    os.chown(Path(place.cwd, FOLDER), 4242, 4242)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    with pytest.raises(Untrusted, match="belongs to another user"):
        add(Place(mine, str(tmp_path / "draft")), [f"ws:{place.cwd}"])
    assert head(mine, INDEX) is None
