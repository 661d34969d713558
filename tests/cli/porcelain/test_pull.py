"""`ldb pull`, `add --label-version`, `commit --auto-pull`: which annotation the draft has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import CATS, DOGS, Pets


def versions(pets: Pets, *args: str) -> dict[str, int | None]:
    return {Path(row["path"]).stem: row["version"] for row in pets.json("list", *args)}


@pytest.fixture
def old(cats: Pets) -> Pets:
    """ds:cats.v1 as the draft, while tom has a v2 and a v3, and kit a v2."""
    cats.annotate("tom", {"class": "cat", "score": 2})
    cats.annotate("tom", {"class": "cat", "score": 3})
    cats.annotate("kit", {"class": "lynx"})
    return cats


def test_newest(old: Pets) -> None:
    assert versions(old) == {"tom": 1, "kit": 1}
    result = old.ok("pull")
    assert (result.out, result.err) == ("", "2 of 2 data objects updated\n")
    assert versions(old) == {"tom": 3, "kit": 2}
    assert versions(old, "ds:cats") == {"tom": 1, "kit": 1}, "not before it is committed"
    assert old.ok("pull").err == "0 of 2 data objects updated\n"


def test_version_by_number(old: Pets) -> None:
    old.ok("pull")
    result = old.ok("pull", "v3")
    assert result.err == (
        "warning: 1 data object without a v3 kept what they have\n0 of 2 data objects updated\n"
    )
    assert old.json("pull", "v1") == [{"selected": 2, "updated": 2}]
    assert versions(old) == {"tom": 1, "kit": 1}
    assert not old.json("status")[0]["changed"], "back at the base"


def test_some_of_the_draft(old: Pets) -> None:
    old.ok("pull", old.id("kit"), old.id("rex"))
    assert versions(old) == {"tom": 1, "kit": 2}, "and rex is not in it"
    old.ok("pull", "--query", "class == 'cat'", "v2")
    assert versions(old) == {"tom": 2, "kit": 2}


def test_equal_to_an_older_one_is_no_new_version(cats: Pets) -> None:
    first = {"class": "cat", "score": 0.9, "boxes": [{"label": "head"}]}
    cats.annotate("tom", {"class": "cat", "score": 2})
    cats.annotate("tom", first)
    (row,) = cats.json("list", cats.id("tom"))
    assert row["version"] == 2, "what was indexed last stays current"
    cats.ok("pull")
    assert versions(cats)["tom"] == 2


def test_versions_that_are_none(old: Pets) -> None:
    assert "v0" in old.fails(2, "pull", "v0")
    old.fails(3, "pull", "v")
    old.fails(3, "pull", "v1", "ds:none")


def test_needs_a_workspace(pets: Pets) -> None:
    assert "ldb stage" in pets.fails(3, "pull")


def test_add_label_version(old: Pets) -> None:
    result = old.ok("add", "ds:root", "--query", "class != 'bird'", "--label-version", "2")
    assert result.err == (
        "warning: 2 data objects without a v2 left out\n"
        "added 0 data objects, updated 2; the draft has 2\n"
    )
    assert versions(old) == {"tom": 2, "kit": 2}
    old.ok("add", "--label-version", "1", "--query", "class == 'cat'")
    assert versions(old) == {"tom": 1, "kit": 1}, "the query asked v1, where kit was a cat"
    old.fails(2, "add", "ds:root", "--label-version", "0")


def test_why_knows_of_it(old: Pets) -> None:
    old.ok("add", "ds:root", "--label-version", "2")
    old.ok("commit")
    (operation,) = old.json("log", "-n", "1")[0]["operations"]
    assert operation["command"] == ["add", "ds:root", "--label-version", "2"]
    assert operation["filters"] == [["label-version", 2]]


def test_refresh_picks_the_same_version(old: Pets) -> None:
    old.ok("stage", "-f", "ds:first")
    old.ok("add", "ds:root", "--label-version", "1", "--query", "class == 'cat'")
    old.ok("commit")
    old.annotate("rex", {"class": "wolf"})
    old.new("new", {"class": "cat"})
    old.ok("refresh", "ds:first")
    assert versions(old, "ds:first") == {"tom": 1, "kit": 1, "new": 1}


def test_vquery_compares_versions(old: Pets) -> None:
    assert old.names("ds:root", "--vquery", "v2") == CATS
    assert old.names("ds:root", "--vquery", "v2 && v1.class != v2.class") == {"kit"}
    assert old.names("ds:root", "--vquery", "!v2", "--query", "class == 'dog'") == DOGS
    explained = old.ok("list", "--explain", "ds:root", "--vquery", "v3.score == `3`").out
    assert explained.startswith("--vquery v3.score == `3`\n  6 -> 1 object, ")
    result = old.ok("list", "ds:root", "--vquery", "class == 'cat'")
    assert "write `v1.class`" in result.err
    assert "unknown function" in old.fails(2, "list", "--vquery", "nothing(v1)")


def test_auto_pull_at_commit(old: Pets) -> None:
    old.ok("commit")
    assert old.ok("commit", "--auto-pull", "true").err == "ds:cats.v2: 2 data objects\n"
    assert versions(old, "ds:cats") == {"tom": 3, "kit": 2}
    assert old.json("log")[0]["operations"][0]["command"] == ["pull"]
    old.ok("config", "set", "core.auto_pull", "true")
    old.annotate("kit", {"class": "cat", "again": True})
    assert old.ok("commit", "--auto-pull", "false").err == "nothing to commit\n"
    assert old.ok("commit").err == "ds:cats.v3: 2 data objects\n"
    assert versions(old, "ds:cats") == {"tom": 3, "kit": 3}
