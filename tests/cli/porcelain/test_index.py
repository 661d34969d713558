"""`ldb index`."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ldb
from tests.cli.porcelain.conftest import Pets, write


@pytest.fixture
def pets(own_pets: Pets) -> Pets:
    """These tests change files."""
    return own_pets


def value(pets: Pets, *args: str) -> dict[str, Any]:
    return dict(json.loads(pets.ok("index", "--json", *args).out))


def test_first_and_again(ldb: Ldb) -> None:
    ldb("init", "inst")
    write(Path("data/a.jpg"), "a", {"k": 1})
    write(Path("data/b.jpg"), "b", None)
    ldb("add-storage", "data")
    done = ldb("index", "data")
    assert (done.code, done.out) == (0, "")
    assert done.err == (
        "data objects: 2 found, 2 new\n"
        "annotations:  1 found, 1 new\n"
        "paths:        2 new, 0 gone\n"
        "ds:root.v1: 2 data objects in all\n"
    )
    assert "2 found, 0 new" in ldb("index", "data").err
    assert ldb("index", "-q", "data").err == ""


def test_json(pets: Pets) -> None:
    pets.new("zoe", {"class": "fish"})
    assert value(pets, str(pets.data)) == {
        "version": "ds:root.v3",
        "data_objects": {"found": 7, "new": 0},
        "annotations": {"found": 6, "new": 0},
        "formats": [
            {"path": str(pets.data), "format": "bare-pairs", "why": "it looks like no other format"}
        ],
        "label_files": {"found": 0, "read": 0},
        "paths": {"new": 0, "gone": 0},
        "updated": 0, "outdated": 0, "disagreeing": 0, "left_out": 0, "imported": 0, "problems": [],
    }  # fmt: skip


def test_older_exports_of_a_labelling_tool(pets: Pets, tmp_path: Path) -> None:
    """The newest state of a task counts; the output says how many are older."""
    task = {"id": 1, "project": 1, "data": {"image": str(pets.data / "cats/tom.jpg")}}
    for at, name in enumerate(("a.json", "b.json")):
        time = f"2026-01-02T03:04:0{5 - at}.678901Z"
        state = {**task, "updated_at": time, "annotations": [{"result": [at]}]}
        write(tmp_path / "exports" / name, json.dumps([state]), None)
    again = ("index", "-m", "label-studio", str(tmp_path / "exports"))
    done = pets.ok(*again)
    assert "1 annotation left out: there is a newer state of the same task" in done.err
    write(tmp_path / "exports/c.json", (tmp_path / "exports/b.json").read_text(), None)
    assert json.loads(pets.ok(*again, "--json").out)["outdated"] == 2
    assert pets.names("--query", "annotations[0].result[0] == `0`") == {"tom"}


def test_problems(pets: Pets) -> None:
    write(pets.data / "fish/bad.jpg", "bad", None)
    (pets.data / "fish/bad.json").write_text('{"class":\n fish}')
    write(pets.data / "fish/good.jpg", "good", {"class": "fish"})
    done = pets("index", str(pets.data))
    assert done.code == 1
    first, *_, last = done.err.splitlines()
    assert first.startswith(f"warning: {pets.data}/fish/bad.json: ")
    assert "line 2" in first
    assert last == "warning: 1 problem; all else is indexed"
    assert pets.names("ds:root", "--query", "class == 'fish'") == {"good"}
    assert len(json.loads(pets("index", "--json", str(pets.data)).out)["problems"]) == 1


def test_strict(pets: Pets) -> None:
    write(pets.data / "bad.jpg", "bad", None)
    (pets.data / "bad.json").write_text("{")
    error = pets.fails(2, "index", "--strict", str(pets.data))
    assert "bad.json" in error
    assert "bad" not in pets.names("ds:root")


def test_names_in_messages_stay_on_one_line(pets: Pets) -> None:
    (pets.data / "two\nlines\x1b[31m.jpg").write_text("x")
    done = pets("index", str(pets.data))
    assert done.code == 1
    assert "two\\nlines\\x1b[31m.jpg" in done.err


def test_name_that_is_not_utf8(pets: Pets) -> None:
    with open(os.fsencode(pets.data) + b"/\xff.jpg", "w"):
        pass
    done = pets("index", str(pets.data))
    assert done.code == 1
    assert "UTF-8" in done.err
    assert pets("index", "--json", str(pets.data)).code == 1


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["cats"], 2),
        (["cats", "dogs/old"], 3),
        (["cats", "cats/tom.jpg", "./cats/../cats"], 2),
        (["cats/tom.jpg"], 1),
        (["cats/tom.json"], 1),
        (["*/*.jpg"], 4),
        (["**/*.jpg"], 5),
        (["dogs/*"], 2),
        (["{url}/birds"], 2),
    ],
)
def test_paths(pets: Pets, tmp_path: Path, paths: list[str], found: int) -> None:
    there = pets.at(pets.data)
    url = f"file://{pets.data}"
    done = value(there, *(path.format(url=url) for path in paths))
    assert done["data_objects"] == {"found": found, "new": 0}
    assert done["paths"] == {"new": 0, "gone": 0}


def test_spaces_and_unicode(pets: Pets) -> None:
    write(pets.data / "pájaros y más/日本 1.jpg", "p", {"class": "ave"})
    assert value(pets, str(pets.data / "pájaros y más"))["data_objects"] == {"found": 1, "new": 1}
    assert pets.names("ds:root", "--query", "class == 'ave'") == {"日本 1"}


@pytest.mark.parametrize("path", ["nothing", "no*thing.jpg", "../data/cats/nobody.jpg"])
def test_path_that_is_not_there(pets: Pets, path: str) -> None:
    assert path in pets.fails(3, "index", path)
    assert pets.ok("log", "ds:root").out.startswith("ds:root.v1")


def test_outside_every_location(pets: Pets, tmp_path: Path) -> None:
    write(tmp_path / "else/x.jpg", "x", None)
    assert f"ldb add-storage {tmp_path}/else" in pets.fails(2, "index", str(tmp_path / "else"))
    assert str(pets.data) in pets.fails(2, "index", str(tmp_path))


def test_ephemeral_files_are_copied(pets: Pets, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    pets.ok("add-storage", "-a", "true", str(store))
    write(tmp_path / "else/x.jpg", "x", {"class": "new"})
    write(tmp_path / "else/deep/y.jpg", "y", None)
    done = value(pets, str(tmp_path / "else"))
    assert (done["imported"], done["data_objects"]) == (2, {"found": 2, "new": 2})
    for path in (tmp_path / "else").rglob("*.*"):
        path.unlink()
    assert pets.names("ds:root", "--query", "class == 'new'") == {"x"}
    assert str(store) in pets.ok("list", "ds:root", "--query", "class == 'new'").out


def test_add_tags(pets: Pets) -> None:
    pets.ok("index", "--add-tags", "pets, furry", str(pets.data / "cats"))
    assert pets.names("ds:root", "--tag", "furry") == {"tom", "kit"}
    pets.fails(2, "index", "--add-tags", "a,,b", str(pets.data))


def test_formats(pets: Pets) -> None:
    assert value(pets, "-m", "strict", str(pets.data))["data_objects"]["found"] == 5
    assert value(pets, "-m", "bare-pairs", str(pets.data))["data_objects"]["found"] == 6
    pets.fails(2, "index", "-m", "cocoa", str(pets.data))


def test_message_and_provenance(pets: Pets) -> None:
    pets.ok("index", "--message", "the winter batch", "-m", "strict", str(pets.data))
    out = pets.ok("log", "ds:root").out
    assert "the winter batch" in out
    assert "-m strict" in out


def test_restore(pets: Pets) -> None:
    pets.new("zoe")
    assert "zoe" in pets.names("ds:root")
    done = pets.ok("index", "--restore", "ds:root.v1")
    assert "ds:root.v3" in done.err
    assert len(pets.names("ds:root")) == 6
    assert "zoe" in pets.names("ds:root.v2")
    assert "Restore ds:root.v1" in pets.ok("log", "ds:root").out
    assert value(pets, str(pets.data))["data_objects"] == {"found": 7, "new": 1}


@pytest.mark.parametrize(
    ("version", "code"), [("ds:root.v9", 3), ("ds:cats.v1", 2), ("ds:root.v0", 2)]
)
def test_restore_of_what_is_none(cats: Pets, version: str, code: int) -> None:
    cats.fails(code, "index", "--restore", version)


def test_usage(pets: Pets) -> None:
    pets.fails(2, "index")
    pets.fails(2, "index", "--restore", "ds:root.v1", str(pets.data))
    pets.fails(2, "index", "")


def test_annotation_update(own_pets: Pets) -> None:
    own_pets.data.joinpath("cats/tom.json").write_text('{"score": 1, "new": true}')
    own_pets.ok("index", "--annotation-update", "merge", str(own_pets.data))
    (row,) = own_pets.json("eval", own_pets.id("tom"))
    (value,) = row["values"]
    assert value == {"class": "cat", "score": 1, "boxes": [{"label": "head"}], "new": True}
    words = own_pets.json("log", "ds:root")[0]["operations"][0]["command"]
    assert words[:3] == ["index", "--annotation-update", "merge"]
    own_pets.fails(2, "index", "--annotation-update", "append", str(own_pets.data))


def test_copies_with_different_annotations_are_told(own_pets: Pets) -> None:
    """The last path counts, as before; a copy that comes later is just newer."""
    for folder, label in (("a", "cow"), ("b", "ox"), ("c", "cow")):
        write(own_pets.data / folder / "x.jpg", "a cow", {"class": label})
        for file in (own_pets.data / folder).iterdir():
            os.utime(file, (1.7e9, 1.7e9))  # or they would be read again, so young as they are
    result = own_pets.ok("index", str(own_pets.data))
    name = hashlib.md5(b"a cow").hexdigest()
    places = f"{own_pets.data}/a/x.jpg {own_pets.data}/b/x.jpg"
    assert "warning: 1 data object with different annotations at different paths" in result.err
    assert f"id:{name} {places} for one" in result.err
    assert own_pets.json("eval", f"id:{name}")[0]["values"] == [{"class": "ox"}]
    write(own_pets.data / "d/x.jpg", "a cow", {"class": "bull"})
    assert "warning" not in own_pets.ok("index", str(own_pets.data)).err


def test_folders_that_may_be_labels_are_told(own_pets: Pets) -> None:
    """Only where nothing has an annotation, and images lie in folders on one level."""
    shelf = own_pets.data / "shelf"
    for name in ("train/oak/1.jpg", "train/elm/2.png", "test/oak/3.jpg"):
        write(shelf / name, name, None)
    said = own_pets.ok("index", str(shelf)).err
    assert f"if the folders (oak, elm) are labels: `ldb index -m imagenet {shelf}`" in said
    assert "are labels" not in own_pets.ok("index", str(shelf)).err, "nothing is new"
    own_pets.ok("index", "-m", "imagenet", str(shelf))
    assert len(own_pets.names("ds:root", "--query", "label == 'oak'")) == 2
    for path, note in (
        ("days/1/a.txt", None),
        ("mixed/a.jpg", None),
        ("subsets/train/a.jpg", None),
        ("subsets/val/b.jpg", None),
        ("noted/x/a.jpg", 1),
        ("noted/y/b.jpg", 2),
    ):
        write(own_pets.data / path, path, note)
    for folder in ("days", "mixed", "subsets", "noted"):
        assert "are labels" not in own_pets.ok("index", str(own_pets.data / folder)).err
