"""`ldb ds`."""

from __future__ import annotations

import pytest

from tests.cli.porcelain.conftest import CATS, Pets


def versions(pets: Pets, *args: str) -> list[str]:
    return [line.split()[0] for line in pets.ok("ds", "list", *args).out.splitlines()]


def commit_dogs(cats: Pets) -> Pets:
    dogs = cats.at(cats.folder.parent / "dogs-work")
    dogs.ok("stage", "ds:dogs")
    dogs.ok("add", "--query", "class == 'dog'")
    dogs.ok("commit")
    return dogs


def test_list(cats: Pets) -> None:
    [line] = cats.ok("ds", "list").out.splitlines()
    name, count, *_ = line.split()
    assert (name, count) == ("ds:cats.v1", "2")
    assert line.endswith("the cats")
    cats.ok("del", cats.id("tom"))
    cats.ok("commit")
    commit_dogs(cats)
    assert versions(cats) == ["ds:cats.v2", "ds:dogs.v1"]
    assert versions(cats, "-a") == ["ds:cats.v2", "ds:cats.v1", "ds:dogs.v1"]
    [[first, second]] = cats.json("ds", "list")
    assert (first["version"], first["objects"], first["deleted"]) == ("ds:cats.v2", 1, False)
    assert (second["version"], second["objects"]) == ("ds:dogs.v1", 2)


def test_none(pets: Pets) -> None:
    assert pets.ok("ds", "list").out == ""
    assert pets.json("ds", "list") == [[]]


def test_del(cats: Pets) -> None:
    assert "ds:cats.v1" in cats.ok("ds", "del", "ds:cats").err
    assert versions(cats) == []
    assert versions(cats, "-a") == ["ds:cats.v2", "ds:cats.v1"]
    assert cats.json("ds", "list", "-a")[0][0]["deleted"] is True
    cats.fails(3, "list", "ds:cats")
    assert cats.names("ds:cats.v1") == CATS
    cats.fails(3, "ds", "del", "ds:cats")


def test_deleted_comes_back(cats: Pets) -> None:
    cats.ok("ds", "del", "cats")
    again = cats.at(cats.folder.parent / "again")
    again.ok("stage", "ds:cats.v1")
    again.ok("commit", "--restore")
    assert versions(cats) == ["ds:cats.v3"]
    assert cats.names("ds:cats") == CATS
    assert [each["version"] for each in cats.json("log", "ds:cats")] == ["ds:cats.v3", "ds:cats.v1"]


def test_del_of_several_is_all_or_nothing(cats: Pets) -> None:
    commit_dogs(cats)
    cats.fails(3, "ds", "del", "ds:dogs", "ds:birds")
    assert versions(cats) == ["ds:cats.v1", "ds:dogs.v1"]
    cats.ok("ds", "del", "ds:dogs", "ds:cats", "ds:dogs")
    assert versions(cats) == []


@pytest.mark.parametrize(
    ("name", "code"), [("ds:root", 2), ("ds:cats.v1", 2), ("ds:cats~1", 2), ("ds:no/way", 2)]
)
def test_del_of_what_cannot_be(cats: Pets, name: str, code: int) -> None:
    cats.fails(code, "ds", "del", name)
    assert versions(cats) == ["ds:cats.v1"]


def test_rename(cats: Pets) -> None:
    cats.ok("del", cats.id("tom"))
    cats.ok("commit", "-m", "without tom")
    assert "ds:pets.v1" in cats.ok("ds", "rename", "ds:cats", "ds:pets").err
    assert versions(cats) == ["ds:pets.v1"]
    assert versions(cats, "-a") == ["ds:cats.v3", "ds:cats.v2", "ds:cats.v1", "ds:pets.v1"]
    assert cats.json("ds", "list", "-a")[0][0]["renamed"] == "ds:pets"
    assert cats.names("ds:pets") == {"kit"}
    log = cats.ok("log", "ds:pets").out
    assert "without tom" in log
    assert "the cats" in log
    assert cats.names("ds:pets~1") == {"kit"}
    assert "class == 'cat'" in cats.ok("why", cats.id("kit"), "ds:pets").out


def test_rename_to_a_name_in_use(cats: Pets) -> None:
    commit_dogs(cats)
    assert "ds:dogs.v1" in cats.fails(4, "ds", "rename", "ds:cats", "ds:dogs")
    assert versions(cats) == ["ds:cats.v1", "ds:dogs.v1"]


def test_rename_to_a_deleted_name(cats: Pets) -> None:
    commit_dogs(cats)
    cats.ok("ds", "del", "ds:dogs")
    cats.ok("ds", "rename", "cats", "dogs")
    assert versions(cats) == ["ds:dogs.v3"], "version numbers are never used twice"
    assert cats.names("ds:dogs") == CATS


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("ds:cats", "ds:cats", 2),
        ("ds:cats", "ds:root", 2),
        ("ds:root", "ds:index", 2),
        ("ds:cats", "ds:a/b", 2),
        ("ds:cats", "ds:x.v1", 2),
        ("ds:cats.v1", "ds:x", 2),
        ("ds:nothing", "ds:x", 3),
    ],
)
def test_rename_of_what_cannot_be(cats: Pets, old: str, new: str, code: int) -> None:
    cats.fails(code, "ds", "rename", old, new)
    assert versions(cats) == ["ds:cats.v1"]
