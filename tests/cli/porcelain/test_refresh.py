"""`ldb refresh`: what can be run again is, what cannot is kept and said."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ldb.backends.local import LocalBackend
from ldb.history import Operation, SourceUsed, head, publish
from ldb.instance import open_instance
from ldb.refs.name import dataset_ref
from tests.cli.porcelain.conftest import CATS, DOGS, Pets


def steps(pets: Pets, *words: str) -> list[tuple[str, bool, int]]:
    """Command, whether it was run again, objects after it."""
    (told,) = pets.json("refresh", *words, "--dry-run")
    found: list[dict[str, Any]] = told["steps"]
    return [
        (" ".join(each["operation"]["command"][:2]), each["again"], each["after"]) for each in found
    ]


def test_a_query_finds_what_is_new(cats: Pets) -> None:
    assert "is what its recipe gives today" in cats.ok("refresh", "ds:cats").err
    cats.new("mia", {"class": "cat"})
    cats.annotate("kit", {"class": "lion"})
    cats.annotate("tom", {"class": "cat", "fat": True})
    result = cats.ok("refresh", "ds:cats", "--dry-run")
    assert result.out == ("ds:cats.v1  ldb add --query \"class == 'cat'\"  (again; 0 -> 2)\n")
    assert result.err == "would be 2 data objects (+1 -1 ~1 from ds:cats.v1)\n"
    assert cats.names("ds:cats") == CATS
    assert cats.ok("refresh", "ds:cats", "-m", "again").err == (
        "ds:cats.v2: 2 data objects (+1 -1 ~1 from ds:cats.v1)\n"
    )
    assert cats.names("ds:cats") == {"tom", "mia"}
    assert cats.json("log", "ds:cats")[0]["message"] == "again"
    assert "ldb refresh ds:cats" in cats.ok("log", "ds:cats").out
    cats.ok("fsck")
    assert "is what its recipe gives" in cats.ok("refresh", "ds:cats").err
    cats.new("leo", {"class": "cat"})
    cats.ok("refresh", "ds:cats")
    assert cats.names("ds:cats") == {"tom", "mia", "leo"}


def test_the_draft(cats: Pets) -> None:
    cats.new("mia", {"class": "cat"})
    assert cats.ok("refresh").err == "the draft: 3 data objects (+1 -0 ~0 from ds:cats.v1)\n"
    assert cats.names() == CATS | {"mia"}
    assert "unsaved changes" in cats.fails(4, "refresh")
    assert cats.ok("commit").err == "ds:cats.v2: 3 data objects\n"
    assert "is what its recipe" in cats.ok("refresh").err
    cats.ok("fsck")


def test_all_operations_in_their_order(cats: Pets) -> None:
    cats.ok("add", str(cats.data / "dogs"), cats.id("ara"))
    cats.ok("del", "--query", "score < `0.5`")
    cats.ok("commit")
    cats.ok("dedup", "--by", "class")
    cats.ok("commit", "ds:zoo")
    cats.new("mia", {"class": "cat", "score": 0.1})
    cats.new("dogs/bo", {"class": "dog", "score": 0.8})
    cats.new("ox", {"class": "ox"})
    assert steps(cats, "ds:zoo") == [
        ("add --query", True, 3), ("add " + str(cats.data / "dogs"), True, 7),
        ("del --query", True, 5), ("dedup --by", True, 3),
    ]  # fmt: skip
    cats.ok("refresh", "ds:cats")
    assert cats.names("ds:cats") == {"tom", "rex", "pup", "bo", "ara"}
    assert "1 object picked by hand" in cats.ok("refresh", "ds:cats", "-v").out


def test_from_wherever_one_stands(cats: Pets, tmp_path: Path) -> None:
    """A relative path meant the folder that it was typed in."""
    cats.ok("add", os.path.relpath(cats.data / "dogs", cats.folder))
    cats.ok("commit")
    cats.new("dogs/bo", {"class": "dog"})
    cats.at(tmp_path / "elsewhere").ok("refresh", "ds:cats")
    assert cats.names("ds:cats") == CATS | DOGS | {"bo"}


def test_what_cannot_be_repeated_is_kept(cats: Pets, tmp_path: Path) -> None:
    other = cats.at(tmp_path / "other")
    other.ok("stage", "ds:dogs")
    other.ok("add", "--query", "class == 'dog'")
    cats.ok("add", f"ws:{other.folder}")
    cats.ok("del", cats.id("kit"))
    cats.ok("commit")
    cats.ok("add", "ds:root", "--sample", "1")
    cats.ok("commit")
    cats.new("mia", {"class": "cat"})
    told = cats.ok("refresh", "ds:cats")
    assert f"ds:cats.v2 is kept as it was: ws:{other.folder} was a draft" in told.err
    assert "ds:cats.v3 is kept as it was: a random choice" in told.err
    assert cats.names("ds:cats") == {"tom", "kit", "mia", "ara", "owl"} | DOGS


def test_vanished_sources(cats: Pets, tmp_path: Path) -> None:
    other = cats.at(tmp_path / "other")
    other.ok("stage", "ds:dogs")
    other.ok("add", "--query", "class == 'dog'")
    other.ok("commit")
    cats.ok("add", "ds:dogs")
    cats.ok("commit")
    cats.ok("ds", "del", "ds:dogs")
    cats.new("mia", {"class": "cat"})
    assert "dataset ds:dogs is not there any more" in cats.ok("refresh", "ds:cats").err
    assert cats.names("ds:cats") == CATS | DOGS | {"mia"}


def test_a_dataset_of_a_dataset(cats: Pets, tmp_path: Path) -> None:
    other = cats.at(tmp_path / "other")
    other.ok("stage", "ds:copy")
    other.ok("add", "ds:cats", "ds:cats.v1")
    other.ok("commit")
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    other.ok("refresh", "ds:copy")
    assert cats.names("ds:copy") == CATS | {"rex"}


def test_a_merge_is_kept(cats: Pets) -> None:
    cats.ok("add", cats.id("rex"))
    cats.ok("commit", "ds:copy")
    cats.ok("merge", "ds:cats", "ds:copy")
    cats.new("mia", {"class": "cat"})
    assert "`merge` cannot be repeated" in cats.ok("refresh", "ds:cats").err
    assert cats.names("ds:cats") == CATS | {"rex", "mia"}


def test_restored_and_renamed(cats: Pets) -> None:
    cats.ok("add", "--query", "class == 'dog'")
    cats.ok("commit")
    cats.ok("stage", "ds:cats.v1")
    cats.ok("commit", "--restore")
    cats.ok("ds", "rename", "ds:cats", "ds:felines")
    cats.new("mia", {"class": "cat"})
    assert steps(cats, "ds:felines") == [("add --query", True, 3)]


def test_a_part_of_a_split(cats: Pets) -> None:
    cats.ok("split", "ds:cats", "a=.5", "b=.5")
    message = cats.fails(2, "refresh", "ds:cats-a")
    assert "ldb split ds:cats a=1/2 b=1/2 --seed 0" in message


def test_what_was_made_of_a_part_gets_nothing_of_other_parts(cats: Pets) -> None:
    """New objects of the dataset may belong to the test set."""
    cats.ok("split", "ds:cats", "a=.5", "b=.5", "--stratify", "`1`")
    part = cats.names("ds:cats-a")
    cats.ok("stage", "ds:cats-a")
    cats.ok("add", "--query", "class == 'bird'")
    cats.ok("commit", "ds:tuned")
    for number in range(4):
        cats.new(f"more{number}", {"class": "cat"})
    cats.new("emu", {"class": "bird"})
    said = cats.ok("refresh", "ds:tuned").err
    assert "ds:cats-a.v1 is kept as it was: `split` cannot be repeated" in said
    assert cats.names("ds:tuned") == part | {"ara", "emu"}


@pytest.mark.parametrize("name", ["pipe", "sort", "near"])
def test_programs_of_a_recipe_are_not_run(cats: Pets, tmp_path: Path, name: str) -> None:
    """Whoever wrote the dataset does not get this user to run anything."""
    mark = tmp_path / "ran"
    instance = open_instance(LocalBackend(tmp_path / "instance"))
    version = head(instance, dataset_ref("cats"))
    assert version is not None
    argv = ["touch", str(mark)]
    for command in (("add",), ("add", f"--{name}", *argv), ("add", "ds:root")):
        used = (SourceUsed("ds:root"),)
        operation = Operation(command, used, ((name, argv),))
        more = replace(version.commit, operations=(operation,), parents=(version.oid,))
        version = publish(instance, version.ref, lambda _, more=more: more)  # type: ignore[misc]
        assert version is not None
    told = cats.ok("refresh", "ds:cats", "-v").out
    assert told.count(f"--{name} is not repeated") == 3
    assert not mark.exists()


def test_usage(cats: Pets) -> None:
    cats.fails(2, "refresh", "ds:root")
    cats.fails(2, "refresh", "ds:cats.v1")
    cats.fails(3, "refresh", "ds:nothing")
    cats.fails(2, "refresh", "-m", "x")
    cats.ok("stage", "ds:new")
    assert "new dataset" in cats.fails(2, "refresh")
