"""`ldb unindex`."""

from __future__ import annotations

import pytest

from tests.cli.porcelain.conftest import ALL, DOGS, Pets


@pytest.fixture
def pets(own_pets: Pets) -> Pets:
    """These tests change files."""
    return own_pets


def test_by_source_and_filter(cats: Pets) -> None:
    assert "forgot 1 data object" in cats.ok("unindex", cats.id("rex")).err
    assert cats.names("ds:root") == ALL - {"rex"}
    cats.ok("unindex", "ds:root", "--query", "class == 'bird'")
    assert cats.names("ds:root") == ALL - {"rex", "ara"}
    cats.ok("unindex", str(cats.data / "birds"))
    assert cats.names("ds:root") == ALL - {"rex", "ara", "owl"}


def test_held_by_a_dataset(cats: Pets) -> None:
    assert "ds:cats.v1" in cats.fails(4, "unindex", cats.id("tom"))
    cats.ok("ds", "del", "ds:cats")
    assert "ds:cats.v1" in cats.fails(4, "unindex", "ds:root")
    assert cats.names("ds:root") == ALL


def test_files_stay_and_can_be_indexed_again(pets: Pets) -> None:
    dogs = str(pets.data / "dogs")
    pets.ok("unindex", dogs)
    pets.fails(3, "list", dogs)
    assert "2 found, 2 new" in pets.ok("index", dogs).err
    assert pets.names(dogs) == DOGS
    assert pets.names("ds:root", "--query", "class == 'dog'") == DOGS


def test_undo(pets: Pets) -> None:
    pets.ok("unindex", "ds:root")
    assert pets.names("ds:root") == set()
    pets.ok("index", "--restore", "ds:root.v1")
    assert pets.names("ds:root") == ALL


def test_path_that_another_object_has_now(pets: Pets) -> None:
    """The old object's last known place is the new one's too; that one keeps it."""
    old = pets.id("rex")
    (pets.data / "dogs/rex.jpg").write_text("another dog")
    pets.ok("index", str(pets.data))
    pets.ok("unindex", old)
    assert pets.names(str(pets.data / "dogs/rex.jpg")) == {"rex"}
    assert len(pets.names("ds:root")) == 6


def test_nothing_to_forget(pets: Pets) -> None:
    assert "nothing to forget" in pets.ok("unindex", "ds:root", "--query", "class == 'yeti'").err


def test_usage(pets: Pets) -> None:
    pets.fails(2, "unindex")
    pets.fails(2, "unindex", "--query", "class == 'cat'")
    pets.fails(3, "unindex", "id:" + "0" * 32)
    pets.fails(3, "unindex", "ds:nothing")
