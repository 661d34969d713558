"""QuickStart: the first commands of a newcomer make a private instance."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Ldb
from tests.cli.porcelain.conftest import write


def private(home: Path) -> Path:
    return home / ".ldb" / "private_instance"


@pytest.fixture
def photos() -> Path:
    folder = Path("photos")
    write(folder / "tom.jpg", "tom", {"class": "cat"})
    write(folder / "rex.jpg", "rex", {"class": "dog"})
    return folder


def test_from_nothing_to_a_dataset(ldb: Ldb, home: Path, photos: Path) -> None:
    here = os.getcwd()
    os.mkdir("draft")
    done = ldb("-C", "draft", "stage", "ds:pets")  # and there we stay
    assert done.code == 0
    assert str(private(home)) in done.err
    assert (home / ".ldb" / "config").read_text() == (
        f"[core]\ninstance = {private(home)}\nauto_index = true\n"
    )
    assert ldb("add", "../photos").code == 0
    done = ldb("commit")
    assert done.code == 0
    assert "private" not in done.err, "it is said once"
    assert ldb("list", "-s", "ds:pets").out.split()[0] == "2"
    os.chdir(here)
    for file in photos.iterdir():
        file.unlink()
    assert ldb("instantiate", "ds:pets", "-t", "out").code == 0
    assert len(os.listdir("out")) >= 4


@pytest.mark.parametrize(
    "args",
    [
        ("index", "photos"),
        ("get", "photos", "-t", "out"),
        ("list", "ds:root"),
        ("eval", "ds:root"),
        ("add", "photos"),
        ("add-storage", "photos"),
    ],
)
def test_commands_that_make_it(ldb: Ldb, home: Path, photos: Path, args: tuple[str, ...]) -> None:
    ldb(*args)
    assert (private(home) / "instance").exists()


@pytest.mark.parametrize(
    "args", [("ds", "list"), ("storage", "list"), ("unindex", "ds:root"), ("log", "ds:x")]
)
def test_commands_that_do_not(ldb: Ldb, home: Path, args: tuple[str, ...]) -> None:
    assert ldb(*args).code == 3
    assert os.listdir(home) == []


@pytest.mark.parametrize("where", ["environment", "option", "config"])
def test_named_place_without_instance(
    ldb: Ldb, home: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Nothing is made, neither there nor in the home folder."""
    args: tuple[str, ...] = ()
    if where == "environment":
        monkeypatch.setenv("LDB_DIR", "missing")
    elif where == "option":
        args = ("--instance", "missing")
    else:
        ldb("config", "set", "core.instance", f"{os.getcwd()}/missing")
    done = ldb(*args, "index", "photos")
    assert done.code == 3
    assert f"ldb init {os.getcwd()}/missing" in done.err
    assert not os.path.exists("missing")
    assert not private(home).exists()


def test_other_settings_stay(ldb: Ldb, home: Path, photos: Path) -> None:
    ldb("config", "set", "core.author", "Ann")
    ldb("config", "set", "core.auto_index", "false")
    assert ldb("index", "photos").code == 0
    text = (home / ".ldb" / "config").read_text()
    assert "author = Ann" in text
    assert "auto_index = false" in text
    assert f"instance = {private(home)}" in text


def test_quiet(ldb: Ldb, photos: Path) -> None:
    assert ldb("index", "-q", "photos").err == ""


def test_files_are_copied_so_that_they_stay(ldb: Ldb, home: Path, photos: Path) -> None:
    done = ldb("index", "photos")
    assert "copied 2 files" in done.err
    copies = (home / ".ldb" / "read_add_storage").rglob("*.*")
    assert sorted(path.name for path in copies) == ["rex.jpg", "rex.json", "tom.jpg", "tom.json"]


def test_folder_that_one_registers_is_indexed_in_place(ldb: Ldb, home: Path, photos: Path) -> None:
    ldb("add-storage", "photos")
    assert "copied" not in ldb("index", "photos").err
    assert os.listdir(home / ".ldb" / "read_add_storage") == []
    assert ldb("list", "photos", "-s").out.split()[0] == "2"
