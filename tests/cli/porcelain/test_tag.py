"""`ldb tag`: tags are the object's, and every change is a version of the index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, Pets

ROOT = Path(__file__).resolve().parents[3]


def tags(pets: Pets, *args: str) -> dict[str, list[str]]:
    """Tags by the names of pets that have any."""
    rows = pets.json("list", *(args or ("ds:root",)))
    return {Path(row["path"]).stem: row["tags"] for row in rows if row["tags"]}


def test_says_what_it_did(pets: Pets) -> None:
    result = pets.ok("tag", "-a", "soft,small", "--query", "class == 'cat'")
    assert (result.out, result.err) == ("", "ds:root.v2: other tags for 2 data objects\n")
    assert tags(pets) == {name: ["small", "soft"] for name in CATS}
    result = pets.ok("tag", "-a", "soft", "ds:root")
    assert result.err == "ds:root.v3: other tags for 4 of 6 data objects\n"


def test_nothing_to_change_makes_no_version(pets: Pets) -> None:
    pets.ok("tag", "-a", "soft", pets.id("tom"))
    result = pets.ok("tag", "-a", "soft", "-r", "hard", pets.id("tom"))
    assert result.err == "1 data object selected, no tag to change\n"
    (value,) = pets.json("tag", "-a", "soft", pets.id("tom"))
    assert value == {"selected": 1, "changed": 0, "version": None}
    assert pets.json("status", "ds:root")[0]["version"] == "ds:root.v2"


def test_add_remove_and_set(pets: Pets) -> None:
    pets.ok("tag", "-s", "b,a,b", pets.id("tom"))
    assert tags(pets) == {"tom": ["a", "b"]}
    pets.ok("tag", "-a", "c", "-r", "a", pets.id("tom"))
    assert tags(pets) == {"tom": ["b", "c"]}
    pets.ok("tag", "-s", "x", pets.id("tom"), pets.id("kit"))
    assert tags(pets) == {"tom": ["x"], "kit": ["x"]}
    pets.ok("tag", "-s", "", "ds:root")
    assert tags(pets) == {}


def test_tags_are_seen_in_every_dataset(cats: Pets) -> None:
    before = cats.json("status")
    assert "2 data objects" in cats.ok("tag", "-a", "furry").err, "the draft by default"
    assert cats.json("status") == before, "no draft changes by it"
    assert set(tags(cats, "ds:cats.v1")) == CATS
    assert cats.names("ds:root", "--tag", "furry") == CATS
    assert cats.names("ds:root", "--no-tag", "furry") == ALL - CATS
    assert cats.names("ds:cats", "--file", "contains(tags, 'furry')") == CATS


def test_annotation_and_attributes_stay(pets: Pets) -> None:
    (before,) = pets.json("eval", pets.id("tom"), "--file-show", "@", "--jshow", "@")
    pets.ok("tag", "-a", "x", pets.id("tom"))
    (after,) = pets.json("eval", pets.id("tom"), "--file-show", "@", "--jshow", "@")
    (note, record), (old_note, old_record) = after["values"], before["values"]
    assert note == old_note
    assert record == {**old_record, "tags": ["x"]}


def test_indexing_again_keeps_tags(own_pets: Pets) -> None:
    own_pets.ok("tag", "-a", "x", own_pets.id("tom"))
    own_pets.annotate("tom", {"class": "lion"})
    assert tags(own_pets) == {"tom": ["x"]}
    own_pets.ok("index", "--add-tags", "y", str(own_pets.data / "cats"))
    assert tags(own_pets) == {"tom": ["x", "y"], "kit": ["y"]}


def test_version_says_why(pets: Pets) -> None:
    pets.ok("tag", "-a", "x", "ds:root", "--path", "tom", "--message", "the loud one")
    version = pets.json("log", "ds:root")[0]
    assert version["message"] == "the loud one"
    (operation,) = version["operations"]
    assert operation["command"] == ["tag", "--add", "x", "ds:root", "--path", "tom"]
    assert operation["sources"][0]["commit"], "the index as it was then"
    assert operation["filters"] == [["path", "tom"]]


def test_bad_usage(pets: Pets) -> None:
    assert "say which tags" in pets.fails(2, "tag", "ds:root")
    assert "--set names all" in pets.fails(2, "tag", "-s", "a", "-a", "b", "ds:root")
    assert "empty tag" in pets.fails(2, "tag", "-a", "a,,b", "ds:root")
    assert "to be added and to be removed" in pets.fails(2, "tag", "-a", "a", "-r", "a", "ds:root")
    assert "none given" in pets.fails(2, "tag", "-a", "x"), "never the whole index by mistake"
    assert "surrogate" in pets.fails(2, "tag", "-a", "\udcff", "ds:root")
    pets.fails(3, "tag", "-a", "x", pets.id("tom"), "id:abcdef")
    assert tags(pets) == {}


@pytest.mark.slow
def test_processes_at_once(own_pets: Pets) -> None:
    """Tags and what is indexed at the same time are all there afterwards."""
    (own_pets.data / "new.jpg").write_text("new")
    run = [sys.executable, "-m", "ldb.cli.main", "-C", str(own_pets.folder)]
    commands = [
        ["tag", "-a", "one", "ds:root"],
        ["tag", "-a", "two", "ds:root"],
        ["index", "--add-tags", "three", str(own_pets.data)],
    ]
    started = [subprocess.Popen([*run, *each], cwd=ROOT) for each in commands]
    assert [each.wait() for each in started] == [0, 0, 0]
    found = tags(own_pets)
    assert found.keys() == ALL | {"new"}
    for name in ALL:
        assert found[name] == ["one", "three", "two"]
    assert "three" in found["new"]
