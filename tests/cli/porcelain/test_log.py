"""`ldb log`: versions, newest first, and what happened to one object."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import Pets


@pytest.fixture
def history(cats: Pets) -> Pets:
    """ds:cats.v1 tom kit; v2 rex too; v3 tom annotated anew and kit gone."""
    cats.ok("add", cats.id("rex"))
    cats.ok("commit", "-m", "rex is one")
    cats.annotate("tom", {"class": "cat"})
    cats.ok("add", cats.id("tom"))
    cats.ok("del", "--path", "kit")
    cats.ok("commit")
    return cats


def test_versions_with_what_made_them(history: Pets) -> None:
    out = history.ok("log").out
    blocks = out.split("ds:cats.v")[1:]
    assert [block[0] for block in blocks] == ["3", "2", "1"]
    assert blocks[0].splitlines()[1:] == [
        f"    $ ldb add {history.id('tom')}  (updated 1)",
        "    $ ldb del --path kit  (removed 1)",
    ]
    assert blocks[2].splitlines()[1:] == [
        "    the cats",
        "    $ ldb add --query \"class == 'cat'\"  (added 2)",
    ]
    assert blocks[2].splitlines()[0].endswith("  2 data objects")


def test_json(history: Pets) -> None:
    rows = history.json("log")
    assert [row["objects"] for row in rows] == [2, 3, 2]
    assert rows[0]["parents"] == [rows[1]["commit"]]
    first = rows[2]
    assert first["parents"] == []
    (operation,) = first["operations"]
    (root,) = history.json("log", "ds:root.v1")
    assert operation["command"] == ["add", "--query", "class == 'cat'"]
    assert operation["sources"] == [{"spec": "ds:root", "commit": root["commit"]}]
    assert operation["filters"] == [["query", "class == 'cat'"]]
    assert operation["counts"] == {"added": 2, "updated": 0}
    assert abs(operation["time"] - first["time"]) < 60_000


def test_options_are_recorded_in_their_order(cats: Pets) -> None:
    cats.ok(
        "add", "--limit", "9", "--tag", "a,b", "--shuffle", "ds:root",
        "--seed", "7", "--no-tag", "c", "--sample", "0.5",
    )  # fmt: skip
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    (operation, *_) = cats.json("log")[0]["operations"]
    assert operation["command"][:2] == ["add", cats.id("rex")], "that added nothing is not there"
    cats.ok(
        "add", "--limit", "9", "--no-tag", "a,b", "--shuffle", "ds:root", "--seed", "7",
    )  # fmt: skip
    cats.ok("commit")
    (operation,) = cats.json("log")[0]["operations"]
    assert operation["command"] == [
        "add", "ds:root", "--limit", "9", "--no-tag", "a,b", "--shuffle", "--seed", "7",
    ]  # fmt: skip
    assert operation["filters"] == [
        ["limit", 9], ["no-tag", ["a", "b"]], ["shuffle", True], ["seed", 7],
    ]  # fmt: skip


def test_limit(history: Pets) -> None:
    assert len(history.json("log", "-n", "2")) == 2
    assert history.ok("log", "--limit", "0").out == ""
    assert "-1" in history.fails(2, "log", "-n", "-1")


def test_older_version(history: Pets) -> None:
    assert [row["version"] for row in history.json("log", "ds:cats.v2")] == [
        "ds:cats.v2", "ds:cats.v1",
    ]  # fmt: skip


def test_one_object(history: Pets) -> None:
    def events(name: str, *more: str) -> list[tuple[str, str]]:
        rows = history.json("log", "--object", history.id(name), *more)
        return [(row["version"], row["change"]) for row in rows]

    assert events("tom") == [("ds:cats.v3", "annotation changed"), ("ds:cats.v1", "added")]
    assert events("kit") == [("ds:cats.v3", "removed"), ("ds:cats.v1", "added")]
    assert events("rex") == [("ds:cats.v2", "added")]
    assert events("tom", "-n", "1") == [("ds:cats.v3", "annotation changed")]
    assert events("tom", "ds:cats.v2") == [("ds:cats.v1", "added")]
    assert events("tom", "ds:root") == [
        ("ds:root.v2", "annotation changed"), ("ds:root.v1", "added"),
    ]  # fmt: skip
    line = history.ok("log", "--object", history.id("rex")[3:12]).out
    assert line.startswith("ds:cats.v2  20")
    assert line.endswith("  added\n")


def test_object_that_never_was_in_it(history: Pets) -> None:
    message = history.fails(3, "log", "--object", history.id("ara"))
    assert "in the history of ds:cats.v3" in message
    history.fails(3, "log", "--object", "id:abcdef")


def test_merged_versions(history: Pets, tmp_path: Path) -> None:
    other = history.at(tmp_path / "other")
    other.ok("stage", "ds:cats")
    other.ok("add", other.id("ara"))
    history.ok("add", history.id("owl"))
    history.ok("commit")
    other.ok("commit")
    assert [row["version"] for row in other.json("log", "-n", "3")] == [
        "ds:cats.v5", "ds:cats.v4", "ds:cats.v3",
    ]  # fmt: skip


def test_index(pets: Pets) -> None:
    pets.new("more")
    assert [row["version"] for row in pets.json("log", "ds:root")] == ["ds:root.v2", "ds:root.v1"]
    assert pets.json("log", "ds:root")[0]["objects"] == 7


def test_nothing_named(pets: Pets, cats: Pets, tmp_path: Path) -> None:
    outside = pets.at(tmp_path / "outside")
    assert "name a dataset" in outside.fails(2, "log")
    assert len(outside.json("log", "ds:cats")) == 1
    cats.ok("stage", "ds:fresh")
    assert "ds:fresh" in cats.fails(3, "log")


def test_deleted_dataset(history: Pets) -> None:
    history.ok("ds", "del", "ds:cats")
    assert "versions up to .v3" in history.fails(3, "log", "ds:cats")
    assert len(history.json("log", "ds:cats.v3")) == 3
