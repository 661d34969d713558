"""`ldb get`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import CATS, DOGS, Pets, write
from tests.cli.porcelain.test_instantiate import stems


@pytest.fixture
def pets(own_pets: Pets) -> Pets:
    """These tests change files."""
    return own_pets


def test_stage_add_and_instantiate_in_one(cats: Pets, tmp_path: Path) -> None:
    out = cats.at(tmp_path / "out")
    done = cats.ok("get", "ds:cats", "-t", str(out.folder))
    assert "the draft has 2 data objects, 2 new" in done.err
    assert stems(out.folder) == ["kit.json", "kit.png", "tom.jpg", "tom.json"]
    out.fails(2, "commit")
    out.ok("commit", "ds:copy")
    assert cats.names("ds:copy") == CATS


def test_additive(cats: Pets) -> None:
    cats.ok("get", "ds:cats", "-t", "out")
    out = cats.at(cats.folder / "out")
    kept = next(out.folder.glob("kit*.json"))
    kept.write_text('{"class": "kitten"}')
    cats.ok("get", "ds:root", "--query", "class == 'dog'", "-t", "out")
    assert {name[:3] for name in stems(out.folder)} == CATS | DOGS
    assert out.names() == CATS | DOGS
    assert kept.read_text() == '{"class": "kitten"}', "what was there is left alone"


def test_into_this_folder(pets: Pets) -> None:
    here = pets.at(pets.folder / "new")
    here.ok("get", pets.id("tom")[:12])
    assert stems(here.folder) == ["tom.jpg", "tom.json"]


def test_into_a_staged_workspace(cats: Pets) -> None:
    cats.ok("get", "--query", "class == 'dog'")
    cats.ok("commit")
    assert cats.names("ds:cats.v2") == CATS | DOGS
    assert "get" in cats.ok("log", "ds:cats").out


def test_relative_paths_are_the_users(pets: Pets) -> None:
    there = pets.at(pets.data)
    there.ok("get", "dogs", "../data/cats/tom.jpg", "-t", str(pets.folder / "out"))
    assert pets.at(pets.folder / "out").names() == DOGS | {"tom"}


def test_folder_with_other_files(pets: Pets) -> None:
    write(pets.folder / "notes.txt", "mine", None)
    pets.fails(2, "get", "ds:root")
    assert not (pets.folder / ".ldb_workspace").exists()
    pets.ok("get", "-f", "ds:root")
    assert (pets.folder / "notes.txt").read_text() == "mine"
    assert pets.names() == {"tom", "kit", "rex", "pup", "ara", "owl"}


def test_source_that_is_not_there(pets: Pets) -> None:
    pets.fails(3, "get", "ds:nothing", "-t", "out")
    pets.fails(3, "get", "no-such-path", "-t", "out")


def test_unknown_files_are_indexed(pets: Pets) -> None:
    write(pets.data / "fish/zoe.jpg", "zoe", {"class": "fish"})
    pets.fails(3, "get", str(pets.data / "fish"), "-t", "out")
    pets.ok("config", "set", "core.auto_index", "true")
    pets.ok("get", str(pets.data / "fish"), "-t", "out")
    assert stems(pets.folder / "out") == ["zoe.jpg", "zoe.json"]


def test_json(pets: Pets) -> None:
    [value] = pets.json("get", str(pets.data / "cats"), "-t", "out")
    assert (value["data_objects"], value["annotations"], value["problems"]) == (2, 2, [])
