"""`ws:` of a workspace whose instance is another: what it holds is brought over, or nothing is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import CATS, Pets, write


@pytest.fixture
def theirs(cats: Pets, tmp_path: Path) -> Pets:
    """A workspace of the pets' instance with cats; kit was edited since, tom has a tag."""
    cats.ok("tag", "-a", "loud", cats.id("tom"))
    cats.annotate("kit", {"class": "lynx"})
    cats.ok("pull")
    return cats


@pytest.fixture
def ours(theirs: Pets, tmp_path: Path) -> Pets:
    """A workspace of another instance, which knows tom by another annotation."""
    here = theirs.at(tmp_path / "ours")
    here.ok("init", str(tmp_path / "second"))
    here.ok("config", "set", "core.instance", str(tmp_path / "second"))
    write(tmp_path / "shelf" / "t.jpg", "cats/tom.jpg", {"class": "tiger"})
    here.ok("add-storage", str(tmp_path / "shelf"))
    here.ok("index", str(tmp_path / "shelf"))
    here.ok("stage", "ds:mine")
    return here


def test_brought_over(theirs: Pets, ours: Pets) -> None:
    result = ours.ok("add", f"ws:{theirs.folder}")
    assert result.err == "added 2 data objects; the draft has 2\n"
    rows = {row["id"]: row for row in ours.json("eval", "--jshow", "@", "--file-show", "tags")}
    tom, kit = (rows[theirs.id(name)[3:]]["values"] for name in ("tom", "kit"))
    assert tom[0]["class"] == "cat"
    assert kit == [{"class": "lynx"}, []]
    (operation,) = ours.json("log", "ds:root", "-n", "1")[0]["operations"]
    assert operation["command"] == ["index", f"ws:{theirs.folder}"]
    ours.ok("commit")
    ours.ok("instantiate")
    assert len(list(ours.folder.glob("*-*.json"))) == 2
    ours.ok("fsck")


def test_again_changes_nothing(theirs: Pets, ours: Pets) -> None:
    ours.ok("add", f"ws:{theirs.folder}")
    before = ours.json("status", "ds:root")
    assert "2 there already" in ours.ok("add", f"ws:{theirs.folder}").err
    assert ours.json("status", "ds:root") == before


def test_relative_folder_filters_and_sync(theirs: Pets, ours: Pets) -> None:
    name = os.path.relpath(theirs.folder, ours.folder)
    ours.ok("add", f"ws:{name}", "--query", "class == 'lynx'")
    assert ours.names() == {"kit"}
    ours.ok("add", ours.id("tom"))
    ours.ok("sync", f"ws:{name}", "--query", "class == 'cat'")
    assert len(ours.json("list")) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["ds:none"], 3),
        (["id:abcdef"], 3),
        (["--query", "nothing(class)"], 2),
    ],
)
def test_bad_sources_change_nothing(theirs: Pets, ours: Pets, words: list[str], code: int) -> None:
    before = ours.json("status", "ds:root")
    ours.fails(code, "add", f"ws:{theirs.folder}", *words)
    assert ours.json("status", "ds:root") == before
    assert ours.names() == set()


def test_instance_that_is_gone_or_hashes_otherwise(
    theirs: Pets, ours: Pets, tmp_path: Path
) -> None:
    os.rename(tmp_path / "instance", tmp_path / "moved")
    ours.fails(3, "add", f"ws:{theirs.folder}")
    ours.ok("init", "--object-hash", "sha256", str(tmp_path / "third"))
    third = ours.at(tmp_path / "work3")
    third.ok("--instance", str(tmp_path / "third"), "stage", "ds:x")
    message = ours.fails(4, "add", f"ws:{third.folder}")
    assert "object hash" in message
    assert ours.json("status", "ds:root")[0]["version"] == "ds:root.v1"


def test_commands_that_only_look_do_not_write(theirs: Pets, ours: Pets) -> None:
    message = ours.fails(4, "list", f"ws:{theirs.folder}")
    assert f"ldb add ws:{theirs.folder}" in message
    assert theirs.names() >= CATS
