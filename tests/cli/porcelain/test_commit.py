"""`ldb commit`: drafts become versions; what others did meanwhile is merged or told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, PETS, Pets


def two(pets: Pets, tmp_path: Path) -> tuple[Pets, Pets]:
    """Two workspaces with the same draft of ds:cats."""
    other = pets.at(tmp_path / "other")
    other.ok("stage", "ds:cats")
    return pets, other


def test_first_version(pets: Pets) -> None:
    pets.ok("stage", "ds:cats")
    pets.ok("add", str(pets.data / "cats"))
    result = pets.ok("commit", "-m", "all of them")
    assert (result.out, result.err) == ("", "ds:cats.v1: 2 data objects\n")
    (version,) = pets.json("log")
    assert (version["version"], version["message"]) == ("ds:cats.v1", "all of them")
    assert pets.names("ds:cats.v1") == CATS


def test_json(cats: Pets) -> None:
    cats.ok("add", cats.id("rex"))
    (value,) = cats.json("commit", "--message", "one more")
    assert (value["version"], value["objects"]) == ("ds:cats.v2", 3)
    (logged, *_) = cats.json("log")
    assert logged == value
    assert cats.json("commit") == [None]


def test_nothing_to_commit(cats: Pets, pets: Pets) -> None:
    assert cats.ok("commit").err == "nothing to commit\n"
    cats.ok("stage", "ds:empty")
    assert cats.ok("commit").err == "nothing to commit\n"
    assert [value["version"] for value in cats.json("log", "ds:cats")] == ["ds:cats.v1"]
    cats.fails(3, "log", "ds:empty")


def test_dataset_that_becomes_empty(cats: Pets) -> None:
    cats.ok("del", "ds:cats")
    assert cats.ok("commit").err == "ds:cats.v2: 0 data objects\n"
    assert cats.names() == set()


def test_without_a_name(pets: Pets) -> None:
    pets.ok("get", pets.id("tom"))
    assert "ldb commit ds:NAME" in pets.fails(2, "commit")
    assert pets.ok("commit", "ds:tom").err == "ds:tom.v1: 1 data object\n"
    pets.ok("add", pets.id("kit"))
    assert pets.ok("commit").err == "ds:tom.v2: 2 data objects\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ds:root", "is the index"),
        ("ds:cats.v1", "names a version"),
        ("ds:cats~1", "names a version"),
        ("ds:a/b", "contains '/'"),
        ("ds:a b", "contains ' '"),
        ("ds:x.v0", "versions count from .v1"),
    ],
)
def test_names_that_cannot_be(cats: Pets, name: str, message: str) -> None:
    cats.ok("add", "ds:root")
    assert message in cats.fails(2, "commit", name)
    assert len(cats.json("log", "ds:cats")) == 1


def test_no_workspace(pets: Pets) -> None:
    assert "ldb stage ds:NAME" in pets.fails(3, "commit")


# -- under another name ----------------------------------------------------------------


def test_copy_keeps_its_history(cats: Pets) -> None:
    assert cats.ok("commit", "ds:copy").err == "ds:copy.v1: 2 data objects\n"
    assert [value["version"] for value in cats.json("log")] == ["ds:copy.v1", "ds:cats.v1"]
    cats.ok("add", cats.id("rex"))
    assert cats.ok("commit").err == "ds:copy.v2: 3 data objects\n"
    assert cats.names("ds:cats") == CATS
    assert cats.names("ds:copy~2") == CATS


def test_unrelated_dataset_is_not_overwritten(cats: Pets) -> None:
    cats.ok("stage", "ds:dogs")
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    cats.ok("stage", "ds:cats")
    message = cats.fails(4, "commit", "ds:dogs")
    assert "not staged from" in message
    assert "ldb stage ds:dogs" in message
    assert cats.names("ds:dogs") == {"rex"}


def test_back_to_where_a_copy_came_from(cats: Pets) -> None:
    cats.ok("commit", "ds:copy")
    cats.ok("stage", "ds:cats")
    cats.ok("add", cats.id("rex"))
    cats.ok("commit", "ds:copy")
    assert cats.names("ds:copy") == CATS | {"rex"}


# -- others meanwhile ------------------------------------------------------------------


def test_disjoint_changes_are_merged(cats: Pets, tmp_path: Path) -> None:
    one, other = two(cats, tmp_path)
    one.ok("add", one.id("rex"))
    other.ok("add", other.id("ara"))
    other.ok("del", other.id("kit"))
    one.ok("commit", "-m", "rex")
    assert "ds:cats.v2 is newer" in other.ok("status").out
    assert other.ok("commit", "-m", "ara").err == (
        "ds:cats.v3: 3 data objects, merged with what others committed\n"
    )
    assert other.names() == other.names("ds:cats") == {"tom", "rex", "ara"}
    assert other.ok("status").out.splitlines()[-1] == "no changes"
    messages = [value["message"] for value in other.json("log")]
    assert messages == ["ara", "rex", "the cats"]


def test_same_change_twice_is_one(cats: Pets, tmp_path: Path) -> None:
    one, other = two(cats, tmp_path)
    for each in (one, other):
        each.ok("add", each.id("rex"))
    one.ok("commit")
    assert other.ok("commit").err == "nothing to commit\n"
    assert [value["version"] for value in one.json("log")] == ["ds:cats.v2", "ds:cats.v1"]
    assert "staged from ds:cats.v2" in other.ok("status").out


def test_conflict_keeps_the_draft(cats: Pets, tmp_path: Path) -> None:
    one, other = two(cats, tmp_path)
    one.ok("del", one.id("tom"))
    one.ok("commit")
    other.annotate("tom", {"class": "lion"})
    other.ok("add", "ds:root", "--path", "tom")
    other.ok("add", other.id("rex"))
    message = other.fails(4, "commit")
    assert other.id("tom") in message
    assert "`ldb diff -v` shows your changes, `ldb diff -v ds:cats.v1 ds:cats.v2` the" in message
    assert other.id("tom") in other.ok("diff", "-v", "ds:cats.v1", "ds:cats.v2").out
    assert other.names() == CATS | {"rex"}
    assert len(other.json("log", "ds:cats")) == 2
    other.ok("del", other.id("tom"))
    assert other.ok("commit").err == "ds:cats.v3: 2 data objects\n"
    assert other.names("ds:cats") == {"kit", "rex"}


def test_new_dataset_made_twice(pets: Pets, tmp_path: Path) -> None:
    other = pets.at(tmp_path / "other")
    for each, name in ((pets, "tom"), (other, "kit")):
        each.ok("stage", "ds:new")
        each.ok("add", each.id(name))
    pets.ok("commit")
    assert "ds:new.v2: 2 data objects, merged" in other.ok("commit").err


def test_new_dataset_made_twice_in_different_ways(pets: Pets, tmp_path: Path) -> None:
    other = pets.at(tmp_path / "other")
    for each in (pets, other):
        each.ok("stage", "ds:new")
        each.annotate("tom", {"class": each.folder.name})
        each.ok("add", each.id("tom"))
    pets.ok("commit")
    assert "`ldb diff -v ds:new.v1` compares" in other.fails(4, "commit")
    assert other.id("tom") in other.ok("diff", "-v", "ds:new.v1").out


def test_deleted_meanwhile(cats: Pets) -> None:
    """It comes back only if it is named: whoever deleted it would not expect it."""
    cats.ok("add", cats.id("rex"))
    cats.ok("ds", "del", "ds:cats")
    assert cats.ok("status").out.splitlines()[-1].startswith("ds:cats was deleted since")
    message = cats.fails(4, "commit")
    assert "ds:cats: expected the dataset this draft was staged from, ds:cats.v1" in message
    assert "found that it was deleted" in message
    assert "`ldb commit ds:cats` makes ds:cats again" in message
    assert cats.ok("ds", "list").out == ""
    said = cats.ok("commit", "ds:cats").err
    assert said == "ds:cats.v3: 3 data objects\n", "numbers are not used twice"
    assert "was deleted here" in cats.fails(3, "list", "ds:cats.v2")
    cats.ok("add", cats.id("ara"))
    assert cats.ok("commit").err == "ds:cats.v4: 4 data objects\n"


def test_renamed_meanwhile(cats: Pets) -> None:
    cats.ok("add", cats.id("rex"))
    cats.ok("ds", "rename", "ds:cats", "ds:pets")
    cats.ok("ds", "rename", "ds:pets", "ds:felines")
    assert "renamed since: `ldb commit ds:felines`" in cats.ok("status").out.splitlines()[-1]
    message = cats.fails(4, "commit")
    assert "that it was renamed to ds:felines" in message
    assert "hint: ldb commit ds:felines;" in message
    assert [each["version"] for each in cats.json("ds", "list")[0]] == ["ds:felines.v1"]
    assert cats.ok("commit", "ds:felines").err == "ds:felines.v2: 3 data objects\n"
    assert cats.names() == cats.names("ds:felines") == CATS | {"rex"}
    assert "renamed to ds:felines; its" in cats.fails(3, "list", "ds:cats")


def test_unchanged_draft_of_a_deleted_dataset(cats: Pets) -> None:
    cats.ok("ds", "del", "ds:cats")
    assert "was deleted or renamed since" in cats.ok("commit").err
    assert cats.ok("ds", "list").out == ""
    assert cats.ok("commit", "ds:cats").err == "ds:cats.v3: 2 data objects\n"


def test_brought_back_meanwhile(cats: Pets, tmp_path: Path) -> None:
    """The dataset of the draft is there, whatever was done to it in between."""
    one, other = two(cats, tmp_path)
    other.ok("add", other.id("rex"))
    one.ok("ds", "del", "ds:cats")
    one.ok("commit", "--restore")
    assert other.ok("commit").err == "ds:cats.v4: 3 data objects\n"


def test_another_dataset_of_the_name_meanwhile(cats: Pets, tmp_path: Path) -> None:
    cats.ok("add", cats.id("rex"))
    cats.ok("ds", "del", "ds:cats")
    other = cats.at(tmp_path / "other")
    other.ok("stage", "ds:cats")
    other.ok("add", other.id("ara"))
    assert other.ok("commit").err == "ds:cats.v3: 1 data object\n", "a new draft of an old name"
    for args in ((), ("ds:cats",)):
        message = cats.fails(4, "commit", *args)
        assert "found ds:cats.v3, which does not come from it" in message
        assert "ldb commit ds:NEW" in message
    assert cats.names("ds:cats") == {"ara"}
    cats.ok("commit", "ds:felines")


def test_many_at_once(cats: Pets, tmp_path: Path) -> None:
    """Threads of the library, as the command line belongs to one at a time."""
    from ldb.backends.local import LocalBackend
    from ldb.instance import open_instance
    from ldb.porcelain.commit import commit
    from ldb.porcelain.place import Place

    names = sorted(ALL - CATS)
    for name in names:
        other = cats.at(tmp_path / name)
        other.ok("stage", "ds:cats")
        other.ok("add", other.id(name))

    def save(name: str) -> bool:
        instance = open_instance(LocalBackend(tmp_path / "instance"))
        return commit(Place(instance, str(tmp_path / name))).version is not None

    with ThreadPoolExecutor(len(names)) as pool:
        assert all(pool.map(save, names))
    assert cats.names("ds:cats") == ALL
    assert [value["version"] for value in cats.json("log")] == [
        f"ds:cats.v{number}" for number in range(len(names) + 1, 0, -1)
    ]


# -- going back ------------------------------------------------------------------------


def test_restore(cats: Pets) -> None:
    cats.ok("del", cats.id("kit"))
    cats.ok("commit")
    cats.ok("stage", "ds:cats.v1")
    result = cats.ok("commit")
    assert result.err == (
        "nothing to commit; the draft is of an older version than ds:cats.v2: "
        "`ldb commit --restore` makes it the newest\n"
    )
    assert cats.ok("commit", "--restore").err == "ds:cats.v3: 2 data objects\n"
    assert cats.names("ds:cats") == CATS
    assert cats.names("ds:cats.v2") == {"tom"}
    (newest, *_) = cats.json("log")
    assert newest["message"] == "Restore ds:cats.v1"
    assert cats.ok("commit", "--restore").err == "nothing to commit\n"


def test_restore_with_changes_is_refused(cats: Pets) -> None:
    cats.ok("add", cats.id("rex"))
    assert "without --restore" in cats.fails(4, "commit", "--restore")
    assert cats.names() == CATS | {"rex"}


def test_older_version_with_changes_is_merged(cats: Pets) -> None:
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    cats.ok("stage", "ds:cats.v1")
    cats.ok("add", cats.id("ara"))
    assert "merged" in cats.ok("commit").err
    assert cats.names() == CATS | {"rex", "ara"}


def test_restore_of_a_deleted_dataset(cats: Pets) -> None:
    cats.ok("ds", "del", "ds:cats")
    cats.ok("stage", "ds:cats.v1")
    assert cats.ok("commit", "--restore").err == "ds:cats.v3: 2 data objects\n"


def test_message_of_several_lines(cats: Pets) -> None:
    message = "première\nligne \x1b[31mrouge"
    cats.ok("add", cats.id("rex"))
    cats.ok("commit", "-m", message)
    assert cats.json("log", "-n", "1")[0]["message"] == message
    lines = cats.ok("log", "-n", "1").out.splitlines()
    assert lines[1:3] == ["    première", r"    ligne \x1b[31mrouge"]


def test_instance_that_cannot_be_written(cats: Pets, tmp_path: Path) -> None:
    """A file where a folder must be: no rights stop the user that tests run as."""
    cats.ok("add", cats.id("rex"))
    folder = tmp_path / "instance" / "refs" / "datasets" / "cats"
    folder.rename(tmp_path / "kept")
    folder.write_text("")
    assert "error: " in cats.fails(1, "commit")
    folder.unlink()
    (tmp_path / "kept").rename(folder)
    assert cats.names() == CATS | {"rex"}
    assert cats.ok("commit").err == "ds:cats.v2: 3 data objects\n"


def test_every_pet_in_its_own_version(pets: Pets) -> None:
    pets.ok("stage", "ds:one-by-one")
    for at, path in enumerate(PETS, start=1):
        pets.ok("add", str(pets.data / path))
        pets.ok("commit")
        assert len(pets.names(f"ds:one-by-one.v{at}")) == at
