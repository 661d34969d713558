"""`ldb why`: the commands that made an object what it is in a dataset."""

from __future__ import annotations

from pathlib import Path

from tests.cli.porcelain.conftest import Pets


def reasons(pets: Pets, *args: str) -> list[tuple[str, str, list[str]]]:
    """Version, change, and first words of the operations."""
    return [
        (row["version"], row["change"], [" ".join(each["command"]) for each in row["operations"]])
        for row in pets.json("why", *args)
    ]


def test_one_operation(cats: Pets) -> None:
    out = cats.ok("why", cats.id("tom")).out.splitlines()
    assert out[0].startswith("added in ds:cats.v1  20")
    root = cats.json("log", "ds:root")[0]["commit"]
    assert out[1:] == [
        "    the cats",
        "    $ ldb add --query \"class == 'cat'\"  (added 2)",
        f"      ds:root was commit {root[:12]}",
    ]


def test_which_of_several_operations(cats: Pets) -> None:
    for name in ("rex", "pup", "ara"):
        cats.ok("add", cats.id(name))
    cats.ok("del", cats.id("kit"))
    cats.ok("commit")
    for name in ("rex", "pup", "ara"):
        assert reasons(cats, cats.id(name)) == [("ds:cats.v2", "added", [f"add {cats.id(name)}"])]
    assert reasons(cats, cats.id("tom"))[0][0] == "ds:cats.v1"


def test_operations_that_touched_it_twice(cats: Pets) -> None:
    cats.ok("add", cats.id("rex"))
    cats.annotate("rex", {"class": "wolf"})
    cats.ok("add", str(cats.data / "dogs" / "rex.jpg"))
    cats.ok("commit")
    ((version, change, commands),) = reasons(cats, cats.id("rex"))
    assert (version, change) == ("ds:cats.v2", "added")
    assert commands == [f"add {cats.id('rex')}", f"add {cats.data / 'dogs' / 'rex.jpg'}"]
    assert cats.json("why", cats.id("rex"))[0]["sure"] is True
    assert "by one of" not in cats.ok("why", cats.id("rex")).out


def test_later_annotation_and_back_to_where_it_was_added(cats: Pets) -> None:
    cats.annotate("tom", {"class": "lion"})
    cats.ok("add", cats.id("tom"))
    cats.ok("commit")
    assert [reason[:2] for reason in reasons(cats, cats.id("tom"))] == [
        ("ds:cats.v2", "annotation changed"), ("ds:cats.v1", "added"),
    ]  # fmt: skip


def test_removed_and_added_again(cats: Pets) -> None:
    cats.ok("del", cats.id("tom"))
    cats.ok("commit")
    assert f"id:{cats.id('tom')[3:]} in ds:cats.v2" in cats.fails(3, "why", cats.id("tom"))
    cats.ok("add", cats.id("tom"))
    cats.ok("commit")
    assert [reason[:2] for reason in reasons(cats, cats.id("tom"))] == [("ds:cats.v3", "added")]
    assert reasons(cats, cats.id("tom"), "ds:cats.v1")[0][0] == "ds:cats.v1"


def test_after_a_merge(cats: Pets, tmp_path: Path) -> None:
    other = cats.at(tmp_path / "other")
    other.ok("stage", "ds:cats")
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    other.ok("add", other.id("pup"))
    other.ok("add", other.id("ara"))
    other.ok("commit")
    assert reasons(other, other.id("rex")) == [("ds:cats.v2", "added", [f"add {other.id('rex')}"])]
    assert reasons(other, other.id("pup")) == [("ds:cats.v3", "added", [f"add {other.id('pup')}"])]
    assert reasons(other, other.id("ara")) == [("ds:cats.v3", "added", [f"add {other.id('ara')}"])]


def test_copy_of_a_dataset(cats: Pets) -> None:
    cats.ok("commit", "ds:copy")
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    assert reasons(cats, cats.id("tom"), "ds:copy")[0][0] == "ds:cats.v1"
    assert reasons(cats, cats.id("rex"))[0][0] == "ds:copy.v2"


def test_restored_version(cats: Pets) -> None:
    cats.ok("del", cats.id("tom"))
    cats.ok("commit")
    cats.ok("stage", "ds:cats.v1")
    cats.ok("commit", "--restore")
    assert reasons(cats, cats.id("tom")) == [("ds:cats.v3", "added", ["restore ds:cats.v1"])]


def test_more_operations_than_are_kept_apart(cats: Pets, tmp_path: Path) -> None:
    """The earliest of very many are told together, and said to be so."""
    from ldb.backends.local import LocalBackend
    from ldb.instance import open_instance
    from ldb.porcelain.draft import add, delete
    from ldb.porcelain.place import Place
    from ldb.workspace import KEPT_RESULTS

    place = Place(open_instance(LocalBackend(tmp_path / "instance")), str(cats.folder))
    add(place, [cats.id("rex")], command=["add", "rex"])
    add(place, [cats.id("pup")], command=["add", "pup"])
    for _ in range(KEPT_RESULTS // 2):
        add(place, [cats.id("ara")], command=["add", "ara"])
        delete(place, [cats.id("ara")], command=["del", "ara"])
    cats.ok("commit")
    (row,) = cats.json("why", cats.id("rex"))
    assert row["sure"] is False
    assert {"rex", "pup"} <= {each["command"][-1] for each in row["operations"]}
    assert "    by one of:\n" in cats.ok("why", cats.id("rex")).out


def test_in_the_index(cats: Pets) -> None:
    ((version, change, (command,)),) = reasons(cats, cats.id("tom"), "ds:root")
    assert (version, change, command.split()[0]) == ("ds:root.v1", "added", "index")


def test_unknown(cats: Pets, tmp_path: Path) -> None:
    cats.fails(3, "why", "id:123456")
    cats.fails(3, "why", cats.id("rex"))
    cats.fails(3, "why", cats.id("tom"), "ds:none")
    assert "name a dataset" in cats.at(tmp_path / "outside").fails(2, "why", cats.id("tom"))


def test_by_path(cats: Pets) -> None:
    """In storage, or of what was written into the workspace; also `log --object`."""
    cats.ok("instantiate")
    wanted = cats.ok("why", cats.id("tom")).out
    assert "added in ds:cats.v1" in wanted
    written = next(cats.folder.glob("tom-*.jpg"))
    for name in (str(cats.data / "cats/tom.jpg"), written.name):
        assert cats.ok("why", name).out == wanted
        assert cats.ok("log", "--object", name).out.startswith("ds:cats.v1 ")
    assert "stands for 2 data objects" in cats.fails(2, "why", str(cats.data / "cats"))
    cats.fails(3, "why", str(cats.data / "dogs/rex.jpg"))
    cats.fails(3, "why", "nowhere.jpg")
