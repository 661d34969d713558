"""`ldb merge`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.porcelain.conftest import ALL, CATS, DOGS, Pets


def branch(cats: Pets, tmp_path: Path) -> Pets:
    """ds:copy, made from ds:cats.v1, without kit and with rex."""
    other = cats.at(tmp_path / "other")
    other.ok("stage", "ds:cats")
    other.ok("del", other.id("kit"))
    other.ok("add", other.id("rex"))
    other.ok("commit", "ds:copy", "-m", "rex for kit")
    return other


def test_next_version(cats: Pets, tmp_path: Path) -> None:
    other = branch(cats, tmp_path)
    cats.ok("add", cats.id("ara"))
    cats.ok("commit")
    result = cats.ok("merge", "ds:cats", "ds:copy")
    assert (result.out, result.err) == (
        "",
        "removed 1 data object: in ds:cats.v1, from which both come, and no longer in ds:copy.v1\n"
        "ds:cats.v3: 3 data objects (+1 -1 ~0 from ds:copy.v1, since ds:cats.v1)\n",
    )  # fmt: skip
    assert cats.names("ds:cats") == {"tom", "rex", "ara"}
    assert other.names("ds:copy") == {"tom", "rex"}
    messages = [each["message"] for each in cats.json("log", "ds:cats")]
    assert messages == ["Merge ds:copy.v1", "", "rex for kit", "the cats"]
    assert "ldb merge ds:cats.v2 ds:copy.v1" in cats.ok("why", cats.id("rex"), "ds:cats").out
    assert "nothing to merge" in cats.ok("merge", "ds:cats", "ds:copy").err
    cats.ok("fsck")


def test_draft(cats: Pets, tmp_path: Path) -> None:
    branch(cats, tmp_path)
    cats.ok("add", cats.id("ara"))
    assert cats.ok("merge", "ds:copy").err.endswith(
        "\nthe draft: 3 data objects (+1 -1 ~0 from ds:copy.v1, since ds:cats.v1)\n"
    )
    assert cats.names() == {"tom", "rex", "ara"}
    assert cats.names("ds:cats") == CATS
    cats.ok("commit")
    assert len(cats.json("log", "ds:cats")[0]["parents"]) == 2
    assert "nothing to merge" in cats.ok("merge", "ds:cats", "ds:copy").err


def test_into_a_new_one(cats: Pets, tmp_path: Path) -> None:
    dogs = cats.at(tmp_path / "dogs")
    dogs.ok("stage", "ds:dogs")
    dogs.ok("add", "--query", "class == 'dog'")
    dogs.ok("commit")
    (value,) = cats.json("merge", "ds:cats", "ds:dogs.v1", "--into", "ds:pets", "-m", "both")
    assert value == {
        "version": "ds:pets.v1", "base": None, "merged": "ds:dogs.v1",
        "objects": 4, "added": 2, "removed": 0, "changed": 0,
    }  # fmt: skip
    assert cats.names("ds:pets") == CATS | DOGS
    assert "a new name" in cats.fails(4, "merge", "ds:cats", "ds:dogs", "--into", "ds:pets")
    assert "one version" in cats.fails(2, "merge", "ds:cats.v1", "ds:dogs")


def test_conflicts_are_all_listed(cats: Pets, tmp_path: Path) -> None:
    other = branch(cats, tmp_path)
    cats.annotate("kit", {"class": "lion"})
    cats.ok("add", "ds:root", "--path", "kit")
    cats.ok("commit")
    before = cats.names("ds:cats")
    result = cats("merge", "ds:cats", "ds:copy")
    path = cats.data / "cats/kit.png"
    kit = cats.id("kit")
    assert result.code == 4
    assert result.out == f"conflict {kit}  ours: annotation changed; theirs: removed  {path}\n"
    assert "1 data object(s) changed both in ds:cats.v2 and in ds:copy.v1" in result.err
    assert cats.names("ds:cats") == before
    assert len(cats.json("log", "ds:cats")) == 2
    assert cats("merge", "ds:copy").code == 4
    assert '"theirs":"removed"' in cats("merge", "ds:cats", "ds:copy", "--json").out
    assert "3 data objects" in cats.ok("merge", "ds:cats", "ds:copy", "--ours").err
    assert other.names("ds:cats") == {"tom", "kit", "rex"}


def test_theirs(cats: Pets, tmp_path: Path) -> None:
    branch(cats, tmp_path)
    cats.annotate("kit", {"class": "lion"})
    cats.ok("add", "ds:root", "--path", "kit")
    cats.ok("commit")
    cats.ok("merge", "ds:copy", "--theirs")
    assert cats.names() == {"tom", "rex"}
    cats.ok("merge", "ds:cats", "ds:copy", "--theirs")
    assert cats.names("ds:cats") == {"tom", "rex"}


def test_usage(cats: Pets) -> None:
    for words in (
        (), ("ds:a", "ds:b", "ds:c"), ("ds:cats", "-m", "x"), ("ds:cats", "--into", "ds:x"),
        ("ds:cats", "ds:cats", "--ours", "--theirs"), ("ds:cats", "ds:root"),
        ("ds:root", "ds:cats"), ("ds:cats", "ds:cats", "--into", "ds:root"),
    ):  # fmt: skip
        cats.fails(2, "merge", *words)
    cats.fails(3, "merge", "ds:cats", "ds:nothing")
    assert cats.names("ds:root") == ALL
