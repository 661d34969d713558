"""`ldb stage`: a draft in a workspace, and nothing else in its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import CATS, Pets


def test_new_dataset(pets: Pets) -> None:
    result = pets.ok("stage", "ds:birds")
    assert (result.out, result.err) == ("", f"new dataset ds:birds in {pets.folder}\n")
    assert os.listdir(pets.folder) == [".ldb_workspace"]
    assert pets.names() == set()


def test_writes_nothing_to_the_instance(pets: Pets, tmp_path: Path) -> None:
    before = sorted(str(path) for path in (tmp_path / "instance").rglob("*"))
    pets.ok("stage", "ds:birds")
    assert sorted(str(path) for path in (tmp_path / "instance").rglob("*")) == before


def test_existing_dataset_into_a_folder(cats: Pets, tmp_path: Path) -> None:
    for args in (("new",), ("-t", "other"), ("--target", str(tmp_path / "third"))):
        folder = cats.folder / args[-1]
        assert cats.ok("stage", "ds:cats", *args).err == (
            f"ds:cats.v1 in {folder}: 2 data objects\n"
        )
        assert os.listdir(folder) == [".ldb_workspace"]
        assert cats.at(folder).names() == CATS


def test_older_version(cats: Pets) -> None:
    cats.ok("del", cats.id("kit"))
    cats.ok("commit")
    assert "ds:cats.v1 in" in cats.ok("stage", "ds:cats.v1", "old").err
    assert cats.at(cats.folder / "old").names() == CATS
    assert "ds:cats.v1 in" in cats.ok("stage", "ds:cats~1", "older").err


def test_json(cats: Pets) -> None:
    (value,) = cats.json("stage", "ds:cats", "a")
    assert value == {"workspace": str(cats.folder / "a"), "version": "ds:cats.v1", "objects": 2}
    (value,) = cats.json("stage", "ds:new", "b")
    assert value == {"workspace": str(cats.folder / "b"), "version": None, "objects": 0}


def test_folder_with_other_files_is_refused(pets: Pets) -> None:
    mine = pets.folder / "notes.txt"
    mine.write_text("mine")
    message = pets.fails(2, "stage", "ds:cats")
    assert "not empty" in message
    assert "`-f`" in message
    assert os.listdir(pets.folder) == ["notes.txt"]
    pets.ok("stage", "-f", "ds:cats")
    assert mine.read_text() == "mine"
    assert sorted(os.listdir(pets.folder)) == [".ldb_workspace", "notes.txt"]


def test_target_that_is_a_file(pets: Pets) -> None:
    (pets.folder / "file").write_text("")
    assert "is a file" in pets.fails(2, "stage", "ds:cats", "file")


def test_unsaved_changes_are_kept(cats: Pets) -> None:
    cats.ok("del", cats.id("kit"))
    message = cats.fails(4, "stage", "ds:dogs")
    assert "0 added, 1 removed, 0 changed" in message
    assert "`ldb commit` saves them, `-f` drops them" in message
    assert cats.names() == {"tom"}
    cats.ok("stage", "-f", "ds:cats")
    assert cats.names() == CATS


def test_draft_without_changes_is_replaced(cats: Pets) -> None:
    (cats.folder / "tom-copy.jpg").write_text("instantiated, say")
    cats.ok("stage", "ds:dogs")
    assert cats.names() == set()
    assert (cats.folder / "tom-copy.jpg").exists()


def test_index_has_no_draft(pets: Pets) -> None:
    for name in ("ds:root", "ds:root.v1"):
        assert "is the index" in pets.fails(2, "stage", name)
    assert os.listdir(pets.folder) == []


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("ds:cats.v2", 3, "the newest version is ds:cats.v1"),
        ("ds:nothing.v1", 3, "`ldb ds list` shows what there is"),
        ("ds:cats~1", 3, "history ends at ds:cats.v1"),
        ("ds:cats.v0", 2, "versions count from .v1"),
        ("ds:a/b", 2, "contains '/'"),
        ("ds:a\nb", 2, r"'a\nb': contains '\n'"),
        ("ds:cats.v1.v1", 2, "ends like a version"),
        ("ds:", 2, "is empty"),
        ("ds:-x", 2, "starts with '-'"),
    ],
)
def test_what_cannot_be_staged(cats: Pets, name: str, code: int, message: str) -> None:
    assert message in cats.fails(code, "stage", name, "elsewhere")
    assert not (cats.folder / "elsewhere").exists()


def test_names_of_any_script(pets: Pets) -> None:
    for name in ("ds:кошки", "ds:猫", "ds:Cats", "ds:cats"):
        pets.ok("stage", name)
        pets.ok("add", pets.id("tom"))
        assert pets.ok("commit").err == f"{name}.v1: 1 data object\n"


def test_folder_given_twice(pets: Pets) -> None:
    assert "give the folder once" in pets.fails(2, "stage", "ds:cats", "a", "-t", "b")


def test_folder_that_cannot_be_made(pets: Pets) -> None:
    (pets.folder / "file").write_text("")
    assert "lies below one" in pets.fails(2, "stage", "ds:cats", "file/below")


def test_quick_start_makes_a_private_instance(pets: Pets, home: Path) -> None:
    (home / ".ldb" / "config").unlink()
    result = pets.ok("stage", "ds:mine")
    assert "private instance" in result.err
    assert (home / ".ldb" / "private_instance").is_dir()


def test_broken_state_names_the_file(cats: Pets) -> None:
    state = cats.folder / ".ldb_workspace" / "state"
    data = bytearray(state.read_bytes())
    data[-1] ^= 1
    state.chmod(0o644)
    state.write_bytes(data)
    assert str(state) in cats.fails(5, "list")
