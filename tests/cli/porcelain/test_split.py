"""`ldb split`."""

from __future__ import annotations

import json

import pytest

from tests.cli.porcelain.conftest import ALL, Pets, write


@pytest.fixture
def many(pets: Pets) -> Pets:
    """ds:pets of 66 objects: the six pets, and 20 films of three frames, half of them of cats."""
    pets.changed.append("films")
    for film in range(20):
        kind = "cat" if film % 2 else "dog"
        for frame in range(3):
            name = f"films/{film:02}-{frame}.jpg"
            write(pets.data / name, name, {"class": kind, "film": film})
    pets.ok("index", str(pets.data))
    pets.ok("stage", "ds:pets")
    pets.ok("add", "ds:root")
    pets.ok("commit")
    return pets


def parts(pets: Pets, *names: str) -> list[set[str]]:
    return [pets.names(f"ds:pets-{name}") for name in names]


def films(names: set[str]) -> set[str]:
    return {name.partition("-")[0] for name in names if "-" in name}


def grow(pets: Pets) -> None:
    """Ten more frames: one more of ten films."""
    for film in range(10):
        name = f"films/{film:02}-9.jpg"
        write(pets.data / name, name, {"class": "cat" if film % 2 else "dog", "film": film})
    pets.ok("index", str(pets.data))
    pets.ok("add", "ds:root")
    pets.ok("commit")


SHARES = ("train=.6", "test=.4")


def test_merge_of_one_part_says_why_the_others_go(many: Pets) -> None:
    """Also of one that was worked on since."""
    many.ok("split", "ds:pets", *SHARES)
    train, test = parts(many, "train", "test")
    many.ok("stage", "ds:pets-train")
    many.ok("del", "--limit", "1")
    many.ok("commit")
    told = many.ok("merge", "ds:pets", "ds:pets-train").err
    assert told.startswith(
        f"warning: removed {len(test) + 1} data objects: in ds:pets.v1, from which both come, and "
        "no longer in ds:pets-train.v2, a part of a split; `ldb add ds:pets-train` only adds\n"
    )
    assert len(many.names("ds:pets")) == len(train) - 1


def test_every_object_is_in_one_part(many: Pets) -> None:
    (told,) = many.json("split", "ds:pets", *SHARES)
    train, test = parts(many, "train", "test")
    assert train | test == many.names("ds:pets")
    assert not train & test
    assert [part["objects"] for part in told["parts"]] == [len(train), len(test)]
    assert [part["version"] for part in told["parts"]] == ["ds:pets-train.v1", "ds:pets-test.v1"]
    many.ok("fsck")
    log = many.ok("log", "ds:pets-train").out
    assert "ldb split ds:pets train=3/5 test=2/5 --seed 0" in log
    assert "ds:pets.v1" in log


def test_later_objects_move_nobody(many: Pets) -> None:
    many.ok("split", "ds:pets", *SHARES)
    before = parts(many, "train", "test")
    (again,) = many.json("split", "ds:pets", *SHARES)
    assert [part["new"] for part in again["parts"]] == [False, False]
    grow(many)
    many.ok("split", "ds:pets", *SHARES)
    after = parts(many, "train", "test")
    assert before[0] < after[0]
    assert before[1] < after[1]


@pytest.mark.parametrize("stratify", [(), ("--stratify", "class")])
def test_films_stay_together(many: Pets, stratify: tuple[str, ...]) -> None:
    words = ("split", "ds:pets", *SHARES, "--by", "film", *stratify)
    (told,) = many.json(*words)
    assert told["groups"] == 26
    train, test = map(films, parts(many, "train", "test"))
    assert not train & test
    assert len(train | test) == 20
    grow(many)
    many.ok(*words)
    assert (train, test) == tuple(map(films, parts(many, "train", "test")))


def test_classes_have_their_shares(many: Pets) -> None:
    (told,) = many.json("split", "ds:pets", "train=2/3", "test=1/3", "--stratify", "class")
    assert list(told["classes"]) == ["(none)", '"bird"', '"cat"', '"dog"']
    for label in ('"cat"', '"dog"'):  # of 32 each
        assert told["classes"][label] in ([21, 11, 0], [22, 10, 0])
    before = parts(many, "train", "test")
    many.new("new-1", {"class": "cat"})
    many.ok("add", "ds:root")
    many.ok("commit")
    (told,) = many.json("split", "ds:pets", "train=2/3", "test=1/3", "--stratify", "class")
    assert told["classes"]['"cat"'] == [22, 11, 0], "of 33"
    after = parts(many, "train", "test")
    assert before[0] <= after[0]
    assert before[1] <= after[1]
    table = many.ok("split", "ds:pets", "train=2/3", "test=1/3", "--stratify", "class", "-v").out
    assert '"cat"   22          11' in table


def test_rest(many: Pets) -> None:
    result = many.ok("split", "ds:pets", "a=1/3", "b=1/3", "--stratify", "`1`")
    assert "22 data objects in no part" in result.err
    before = parts(many, "a", "b")
    assert [len(each) for each in before] == [22, 22]
    grow(many)
    many.ok("split", "ds:pets", "a=1/3", "b=1/3", "--stratify", "`1`")
    after = parts(many, "a", "b")
    grown = {name for name in many.names("ds:pets") if name.endswith("-9")}
    assert [each - grown for each in after] == before, "nor does what was in no part go into one"


def test_other_shares_cut_anew(many: Pets) -> None:
    many.ok("split", "ds:pets", *SHARES, "--stratify", "class")
    result = many.ok("split", "ds:pets", "train=.5", "val=.5", "--stratify", "`1`")
    assert "ds:pets-test.v1 is left of an earlier split with other parts" in result.err
    assert [len(each) for each in parts(many, "train", "val")] == [33, 33]


def test_dry_run(many: Pets) -> None:
    out = many.ok("split", "ds:pets", *SHARES, "--dry-run").out
    assert out.startswith("ds:pets-train ")
    assert len(many.ok("ds", "list").out.splitlines()) == 1
    many.ok("split", "ds:pets", *SHARES)
    assert "as before" in many.ok("split", "ds:pets", *SHARES, "--dry-run").out


def test_a_name_that_is_no_part(many: Pets) -> None:
    many.ok("commit", "ds:pets-test")
    many.ok("stage", "ds:pets-test")
    many.ok("del", many.id("tom"))
    many.ok("commit")
    assert "not made by `ldb split`" in many.fails(4, "split", "ds:pets", *SHARES)
    many.fails(3, "log", "ds:pets-train")


def test_the_index_can_be_split(pets: Pets) -> None:
    pets.ok("split", "ds:root", "a=.5", "b=.5")
    assert pets.names("ds:root-a") | pets.names("ds:root-b") == ALL
    pets.ok("fsck")


def test_usage(many: Pets) -> None:
    for words in (
        ("ds:pets",), ("ds:pets", "train"), ("ds:pets", "a=.8", "b=.3"), ("ds:pets", "a b=1"),
        ("ds:pets", "a=1", "--by", "[["), ("ds:pets", "a=1", "--stratify", ""),
    ):  # fmt: skip
        many.fails(2, "split", *words)
    many.fails(3, "split", "ds:nothing", "a=1")
    result = many.ok("split", "ds:pets", "a=1", "--by", "flim", "--dry-run")
    assert "flim" in result.err
    assert json.loads(many.ok("ds", "list", "--json").out)[0]["objects"] == 66
