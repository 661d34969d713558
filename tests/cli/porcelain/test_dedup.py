"""`ldb dedup`."""

from __future__ import annotations

import pytest

from tests.cli.porcelain.conftest import ALL, Pets, write


@pytest.fixture
def zoo(pets: Pets) -> Pets:
    """A draft of all pets."""
    pets.ok("stage", "ds:zoo")
    pets.ok("add", "ds:root")
    return pets


def test_one_for_each_value(zoo: Pets) -> None:
    """Indexed in one run: the lowest id stays. The owl, without annotation, stays too."""
    cats = sorted(zoo.id(name) for name in ("tom", "kit"))
    dogs = sorted(zoo.id(name) for name in ("rex", "pup"))
    lines = sorted([f"{cats[1]}  like {cats[0]}", f"{dogs[1]}  like {dogs[0]}"])
    result = zoo.ok("dedup", "--by", "class", "--dry-run")
    assert result.out.splitlines() == lines
    assert result.err == (
        "would remove 2 data objects (2 values more than once); the draft would have 4\n"
    )
    assert zoo.names() == ALL
    assert zoo.ok("dedup", "--by", "class").err == (
        "removed 2 data objects (2 values more than once); the draft has 4\n"
    )
    left = zoo.ok("list").out
    assert cats[0] in left
    assert cats[1] not in left
    assert "ara" in left
    assert "owl" in left
    assert zoo.ok("dedup", "--by", "class").err.startswith("removed 0 data objects")
    zoo.ok("commit")
    assert "ldb dedup --by class --keep first" in zoo.ok("log").out


def test_keep(zoo: Pets) -> None:
    zoo.new("later", {"class": "cat"})
    zoo.ok("add", "ds:root")
    zoo.ok("dedup", "--by", "class", "--keep", "last")
    assert "later" in zoo.names()
    assert not {"tom", "kit"} & zoo.names()


def test_only_what_is_given(zoo: Pets) -> None:
    zoo.ok("dedup", "--by", "class", "--query", "class == 'dog'")
    assert {"tom", "kit"} < zoo.names()
    assert len(zoo.names()) == 5
    zoo.ok("dedup", zoo.id("tom"), "--by", "class")
    assert len(zoo.names()) == 5


def test_attributes(zoo: Pets) -> None:
    (told,) = zoo.json("dedup", "--file-by", "type", "--by", "class")
    assert (told["removed"], told["groups"], told["objects"]) == (1, 1, 5), "two dogs in jpg"
    (told,) = zoo.json("dedup", "--file-by", "type")
    assert told["objects"] == 2
    assert {each["stays"] for each in told["twins"]} == {
        line.split()[0][3:] for line in zoo.ok("list").out.splitlines() if ".jpg" in line
    }


def test_equal_numbers_are_equal(pets: Pets) -> None:
    pets.new("whole", {"n": 1})
    pets.new("broken", {"n": 1.0})
    pets.ok("stage", "ds:n")
    pets.ok("add", "--query", "n == `1`")
    assert pets.json("dedup", "--by", "n")[0]["removed"] == 1


def test_copies(own_pets: Pets) -> None:
    assert own_pets.ok("dedup", "ds:root", "--copies").out == ""
    write(own_pets.data / "again/tom.jpg", "cats/tom.jpg", None)
    own_pets.ok("index", str(own_pets.data))
    data = own_pets.data
    assert own_pets.ok("dedup", "ds:root", "--copies").out == (
        f"{own_pets.id('tom')}  2 files of 12 bytes\n"
        f"    {data}/again/tom.jpg\n    {data}/cats/tom.jpg\n"
    )
    (told,) = own_pets.json("dedup", "ds:root", "--copies")
    assert len(told["paths"]) == 2


def test_usage(zoo: Pets) -> None:
    zoo.fails(2, "dedup")
    zoo.fails(2, "dedup", "--by", "[[")
    zoo.fails(2, "dedup", "--by", "class", "--copies")
    zoo.fails(2, "dedup", "--by", "class", "--keep", "best")
    assert "clas" in zoo.ok("dedup", "--by", "clas").err
    assert zoo.names() == ALL
    outside = zoo.at(zoo.folder.parent / "outside")
    outside.fails(3, "dedup", "--by", "class")
