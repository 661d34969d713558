"""`ldb del`: objects leave the draft, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, Pets


@pytest.fixture
def full(pets: Pets) -> Pets:
    """A workspace whose draft of ds:all holds every pet."""
    pets.ok("stage", "ds:all")
    pets.ok("add", "ds:root")
    pets.ok("commit")
    return pets


def test_by_source(full: Pets) -> None:
    result = full.ok("del", full.id("tom"), str(full.data / "dogs"))
    assert (result.out, result.err) == ("", "removed 3 data objects; the draft has 3\n")
    assert full.names() == {"kit", "ara", "owl"}
    assert full.names("ds:root") == ALL
    assert full.names("ds:all") == ALL
    assert (full.data / "cats" / "tom.jpg").exists()


def test_filters_alone_apply_to_the_draft(full: Pets) -> None:
    full.ok("del", "--query", "class == 'cat'")
    assert full.names() == ALL - CATS
    full.ok("del", "--path", "birds", "--limit", "1")
    assert len(full.names()) == 3


def test_filters_in_order(full: Pets) -> None:
    first = set(full.order()[:2])
    full.ok("del", "--limit", "2", "--query", "class == 'cat'")
    assert full.names() == ALL - (first & CATS)


def test_what_is_not_in_the_draft(full: Pets) -> None:
    full.ok("del", full.id("tom"))
    result = full.ok("del", str(full.data / "cats"))
    assert result.err == ("removed 1 data object (1 selected are not in it); the draft has 4\n")
    (value,) = full.json("del", full.id("tom"))
    assert value == {"selected": 1, "removed": 0, "objects": 4}


def test_whatever_annotation_the_source_gives(full: Pets) -> None:
    full.annotate("tom", {"class": "lion"})
    full.ok("del", full.id("tom"))
    assert full.names() == ALL - {"tom"}


def test_needs_something_to_remove(full: Pets) -> None:
    assert "name what to take out" in full.fails(2, "del")
    assert full.names() == ALL


def test_needs_a_workspace(pets: Pets) -> None:
    assert "ldb stage ds:NAME" in pets.fails(3, "del", pets.id("tom"))


def test_unknown_source_changes_nothing(full: Pets) -> None:
    full.fails(3, "del", full.id("tom"), "id:123456")
    assert full.names() == ALL


def test_adding_back_leaves_no_trace(full: Pets) -> None:
    state = full.json("status")
    full.ok("del", full.id("tom"))
    full.ok("add", full.id("tom"))
    assert full.json("status") == state
    assert full.ok("commit").err == "nothing to commit\n"


def test_another_workspace(full: Pets, tmp_path: Path) -> None:
    other = full.at(tmp_path / "other")
    other.ok("stage", "ds:all")
    other.ok("del", "--query", "class == 'dog'")
    full.ok("del", f"ws:{other.folder}")
    assert full.names() == {"rex", "pup"}
