"""`ldb instantiate`: the command. What it writes is tested with the library."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import Pets


@pytest.fixture
def pets(own_pets: Pets) -> Pets:
    """These tests change files."""
    return own_pets


def stems(folder: Path) -> list[str]:
    """Names without the id of what is in a folder, hidden files left out."""
    files = [path for path in folder.iterdir() if path.name[0] != "."]
    return sorted(f"{path.stem.partition('-')[0]}{path.suffix}" for path in files)


def test_draft_into_the_workspace(cats: Pets) -> None:
    done = cats.ok("instantiate")
    assert done.out == ""
    assert "wrote 2 data objects and 2 annotations" in done.err
    assert stems(cats.folder) == ["kit.json", "kit.png", "tom.jpg", "tom.json"]
    [tom] = cats.folder.glob("tom*.json")
    assert json.loads(tom.read_text())["score"] == 0.9
    assert tom.stem == f"tom-{cats.id('tom')[3:]}"
    assert "4 files there already" in cats.ok("instantiate").err


def test_unsaved_draft_is_what_is_written(cats: Pets, tmp_path: Path) -> None:
    cats.ok("del", cats.id("tom"))
    cats.ok("instantiate", "-t", str(tmp_path / "out"))
    assert stems(tmp_path / "out") == ["kit.json", "kit.png"]


def test_sources_and_filters(pets: Pets, tmp_path: Path) -> None:
    out = pets.folder / "out"
    pets.ok("instantiate", "ds:root", "--query", "score > `0.4`", "--no-tag", "x", "-t", "out")
    assert stems(out) == ["pup.jpg", "pup.json", "rex.jpg", "rex.json", "tom.jpg", "tom.json"]


def test_formats(pets: Pets) -> None:
    birds = str(pets.data / "birds")
    done = pets.ok("instantiate", birds, "-t", "strict", "-m", "strict")
    assert "1 without annotation left out" in done.err
    assert stems(pets.folder / "strict") == ["ara.jpg", "ara.json"]
    pets.ok("instantiate", birds, "-t", "bare", "--output-format", "bare")
    assert stems(pets.folder / "bare") == ["ara.jpg", "ara.json", "owl.jpg"]
    assert pets("instantiate", birds, "-t", "auto", "-m", "auto").code == 2
    assert not (pets.folder / "auto").exists()


def test_annotations_only_with_paths_kept(pets: Pets) -> None:
    pets.ok("instantiate", "ds:root", "--annotations-only", "--preserve-paths", "-t", "out")
    found = [str(path.relative_to(pets.folder / "out")) for path in pets.folder.rglob("pup.*")]
    assert len(found) == 1
    assert found[0].endswith("dogs/old/pup.json")


@pytest.mark.parametrize("link", ["auto", "hardlink", "copy"])
def test_links(pets: Pets, link: str) -> None:
    pets.ok("instantiate", pets.id("tom"), "--link", link, "-t", "out")
    [tom] = (pets.folder / "out").glob("tom*.jpg")
    same = tom.stat().st_ino == (pets.data / "cats/tom.jpg").stat().st_ino
    assert same == (link == "hardlink")


def test_json(pets: Pets) -> None:
    [value] = pets.json("instantiate", "ds:root", "-t", "out")
    assert value == {
        "folder": str(pets.folder / "out"), "data_objects": 6, "annotations": 5, "label_files": 0,
        "outputs": 0, "already_there": 0, "skipped": 0, "removed": 0, "left": 0, "problems": [],
            "not_carried_over": [],
    }  # fmt: skip


def test_object_that_is_gone(pets: Pets) -> None:
    (pets.data / "dogs/rex.jpg").unlink()
    done = pets("instantiate", "ds:root", "-t", "out")
    assert done.code == 1
    assert f"warning: {pets.data}/dogs/rex.jpg: id:" in done.err
    assert "1 problem" in done.err
    assert "tom.jpg" in stems(pets.folder / "out")


def test_folder_with_other_files(pets: Pets) -> None:
    mine = pets.folder / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    pets.fails(2, "instantiate", "ds:root", "-t", "mine")
    assert os.listdir(mine) == ["notes.txt"]
    pets.ok("instantiate", "-f", "ds:root", "-t", "mine")
    assert (mine / "notes.txt").read_text() == "mine"


def test_no_workspace_and_no_source(pets: Pets) -> None:
    pets.fails(3, "instantiate")
    pets.fails(3, "instantiate", "--query", "class == 'cat'")
    pets.fails(3, "instantiate", "ds:nothing", "-t", "out")
    assert not (pets.folder / "out").exists()
