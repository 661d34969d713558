"""The fine points that were promised, each with the shortest proof of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, Pets, write

FAILING = "import sys; sys.exit('no wish to')"
STRANGER = "print('0' * 32)"


@pytest.fixture
def failing(tmp_path: Path) -> list[str]:
    """A program that exits non-zero."""
    return program(tmp_path, FAILING)


def program(folder: Path, text: str) -> list[str]:
    (folder / "program.py").write_text(text)
    return [sys.executable, str(folder / "program.py")]


def head(pets: Pets, name: str) -> str:
    """What a dataset's newest version is, and how it came to be."""
    return pets.ok("log", name).out


# -- eval and queries ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "lines"),
    [
        (["--query", "class == 'cat'", "--query", "score"], {"0.2", "0.9"}),
        (["--query", "class == 'cat'", "--query", "score", "--file", "type"],
         {"0.2", "0.9", '"png"', '"jpg"'}),
        (["--query", "class == 'cat'", "--limit", "9", "--file", "type"], {'"png"', '"jpg"'}),
        (["--query", "class == 'bird'", "--path", "a"], {'{"class":"bird"}'}),
    ],
)  # fmt: skip
def test_last_query_is_shown(pets: Pets, args: list[str], lines: set[str]) -> None:
    out = pets.ok("eval", "-j", "--indent", "none", "ds:root", *args).out
    assert set(out.splitlines()) == lines


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("contains(boxes, 'x') || length(class) > `0`", ALL - {"owl"}),
        ("score && div(`1`, sub(score, score)) > `0`", set()),
        ("score && add(`[1, 2]`, `[1, 2, 3]`)", set()),
        ("abs(class) > `0`", set()),
    ],
)
def test_query_that_fails_on_some(pets: Pets, expression: str, names: set[str]) -> None:
    done = pets("list", "ds:root", "--jquery", expression)
    assert done.code == 0, "it never ends the command"
    found = {line.split("/")[-1].partition(".")[0] for line in done.out.splitlines()}
    assert found <= names
    warnings = [line for line in done.err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1, "one warning"
    assert any(mark in warnings[0] for mark in ("4", "5", "6")), "with the number"


@pytest.mark.parametrize(
    "args",
    [
        ["list", "ds:root", "--query", "class == "],
        ["list", "ds:root", "--limit", "-1"],
        ["list", "ds:root", "--sample", "2"],
        ["list", "ds:cats.v0"],
        ["commit", "ds:root"],
    ],
)
def test_usage_errors(cats: Pets, args: list[str]) -> None:
    cats.fails(2, *args)


def test_place_in_a_query(pets: Pets) -> None:
    assert "^" in pets.fails(2, "list", "ds:root", "--query", "class == [")


# -- programs --------------------------------------------------------------------------


@pytest.mark.parametrize("text", [FAILING, STRANGER])
def test_programs_that_fail(cats: Pets, tmp_path: Path, text: str) -> None:
    before = head(cats, "ds:root")
    done = cats("add", "ds:root", "--pipe", *program(tmp_path, text), "--limit", "9")
    assert (done.code, done.out) == (1, "")
    if text is FAILING:
        assert "no wish to" in done.err
    assert cats.names() == CATS
    assert cats.names("ds:root", "--limit", "9") == ALL
    assert head(cats, "ds:root") == before


def test_apply_that_fails(cats: Pets, tmp_path: Path, failing: list[str]) -> None:
    done = cats("instantiate", "-t", str(tmp_path / "out"), "--apply", *failing)
    assert done.code == 1
    assert "no wish to" in done.err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").glob("[!.]*"))


def test_transform_that_fails(cats: Pets, failing: list[str]) -> None:
    cats.ok("config", "set", "transform.bad.run", json.dumps(failing))
    cats.ok("transform", "-a", "bad")
    done = cats("instantiate")
    assert done.code == 1
    assert "no wish to" in done.err
    assert not list(cats.folder.glob("[!.]*"))


# -- annotations -----------------------------------------------------------------------


def test_indexing_an_older_annotation_again(cats: Pets) -> None:
    first = json.loads((cats.data / "cats" / "tom.json").read_text())
    cats.annotate("tom", {"class": "tiger"})
    cats.annotate("tom", first)
    (record,) = [json.loads(cats.ok("eval", "-j", cats.id("tom"), "--file-show", "@").out)]
    assert record["annotation_versions"] == 2
    assert cats.names("ds:root", "--query", "class == 'tiger'") == {"tom"}


def test_one_stem(own_pets: Pets) -> None:
    write(own_pets.data / "cats" / "tom.png", "tom as png", None)
    own_pets.ok("index", str(own_pets.data))
    rows = own_pets.json("list", "ds:root", "--query", "score == `0.9`")
    assert {Path(row["path"]).name for row in rows} == {"tom.jpg", "tom.png"}


def test_copies_are_one_object(own_pets: Pets) -> None:
    for name in ("twin", "again"):
        write(own_pets.data / f"{name}.jpg", "twins", {"class": "cow"})
    own_pets.ok("index", str(own_pets.data))
    cow = ["ds:root", "--query", "class == 'cow'"]
    assert len(own_pets.json("list", *cow)) == 1
    assert (
        own_pets.names(*cow, "--path", "twin") == own_pets.names(*cow, "--path", "again") != set()
    )


# -- workspaces ------------------------------------------------------------------------


def test_stage_beside_other_files(cats: Pets, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write(folder / "notes.txt", "mine", None)
    cats.fails(2, "stage", "ds:cats", str(folder))
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    cats.ok("stage", "-f", "ds:cats", str(folder))
    assert {path.name for path in folder.iterdir()} == {"notes.txt", ".ldb_workspace"}


def test_forced_stage_keeps_what_was_instantiated(cats: Pets) -> None:
    cats.ok("instantiate")
    files = set(cats.folder.iterdir())
    cats.ok("add", cats.id("rex"))
    cats.ok("stage", "-f", "ds:cats")
    assert (cats.names(), set(cats.folder.iterdir())) == (CATS, files)
    cats.ok("del", cats.id("kit"))
    cats.ok("instantiate")
    assert list(cats.folder.glob("kit*"))
    cats.ok("instantiate", "-f")
    assert not list(cats.folder.glob("kit*"))


def test_older_version_unchanged(cats: Pets) -> None:
    cats.ok("add", cats.id("rex"))
    cats.ok("commit")
    cats.ok("stage", "ds:cats.v1")
    done = cats("commit")
    assert "ldb commit --restore" in done.err
    assert len(cats.json("log", "ds:cats")) == 2
    cats.ok("commit", "--restore")
    assert cats.names("ds:cats.v3") == CATS


def test_from_the_older_to_the_newer(cats: Pets, tmp_path: Path) -> None:
    cats.ok("add", cats.id("rex"))
    cats.ok("del", cats.id("kit"))
    assert "1 added, 1 removed" in cats.ok("status").out + cats.ok("status").err
    cats.ok("commit")
    lines = cats.ok("diff", "ds:cats.v1", "ds:cats.v2").out.splitlines()
    assert {(line[0], line.split()[1]) for line in lines} == {
        ("+", cats.id("rex")),
        ("-", cats.id("kit")),
    }
    cats.at(tmp_path / "outside").fails(2, "diff", "ds:cats")


def test_workspace_of_another_instance(cats: Pets, tmp_path: Path) -> None:
    other = cats.at(tmp_path / "theirs")
    other.ok("init", str(tmp_path / "second"))
    other.ok("config", "set", "core.instance", str(tmp_path / "second"))
    other.ok("stage", "ds:here")
    other.ok("add", f"ws:{cats.folder}")
    assert other.names() == CATS
    assert other.names("--query", "score > `0.5`") == {"tom"}, "with annotations"


def test_edits_are_seen(cats: Pets) -> None:
    cats.ok("instantiate")
    for name, command in (("tom", ["add", "."]), ("kit", ["sync"])):
        (note,) = cats.folder.glob(f"{name}-*.json")
        note.write_text('{"class": "lion"}')
        cats.ok(*command)
        assert name in cats.names("--query", "class == 'lion'")


def test_outputs_of_transforms_are_no_edits(cats: Pets) -> None:
    run = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write('{}')"]
    cats.ok("config", "set", "transform.note.run", json.dumps([*run, "{output}/note.json"]))
    cats.ok("transform", "-a", "note")
    cats.ok("commit")
    cats.ok("instantiate")
    for command in (["add", "."], ["sync"]):
        cats.ok(*command)
        assert cats.ok("diff").out == ""


# -- labels ----------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["..", "../../out", "/etc/x", "C:\\x", "a/../../b"])
def test_labels_are_no_way_out(own_pets: Pets, tmp_path: Path, label: str) -> None:
    write(own_pets.data / "evil.jpg", "evil", {"label": label})
    own_pets.ok("index", str(own_pets.data))
    target = tmp_path / "deep" / "deeper" / "out"
    own_pets("instantiate", "ds:root", "--path", "evil", "-m", "infer", "-t", str(target))
    found = {path for path in tmp_path.rglob("*evil*") if own_pets.data not in path.parents}
    assert all(target in path.parents for path in found)


def test_label_studio_finds_objects_by_md5_then_by_path(own_pets: Pets) -> None:
    tasks = [
        {"data": {"data-object-info": {"md5": own_pets.id("rex")[3:]}, "image": "nowhere.jpg"},
         "annotations": [{"id": 1, "result": []}]},
        {"data": {"photo": str(own_pets.data / "cats" / "tom.jpg")},
         "annotations": [{"id": 2, "result": []}]},
    ]  # fmt: skip
    note = own_pets.data / "export" / "tasks.json"
    write(own_pets.data / "export" / "x.txt", "x", None)
    note.write_text(json.dumps(tasks))
    done = own_pets("index", "-m", "label-studio", "-p", "path-key=data.photo", str(note))
    assert done.code == 0, done
    found = own_pets.names("ds:root", "--query", "annotations[0].id")
    assert found == {"rex", "tom"}


# -- trust and cache -------------------------------------------------------------------


def test_trust_is_kept_in_the_users_settings(pets: Pets, home: Path) -> None:
    instance = Path(pets.ok("config", "get", "core.instance").out.strip())
    code = instance / "custom_code" / "ldb_user_functions"
    code.mkdir(parents=True)
    (code / "mine.py").write_text("CUSTOM_FUNCTIONS = {'one': lambda x: 1}\n")
    before = {path: path.read_bytes() for path in instance.rglob("*") if path.is_file()}
    shown = pets.ok("trust", "--yes")
    assert "mine.py" in shown.out + shown.err
    assert {path: path.read_bytes() for path in instance.rglob("*") if path.is_file()} == before
    pets.ok("list", "ds:root", "--query", "one(class)")
    (code / "mine.py").write_text("CUSTOM_FUNCTIONS = {'one': lambda x: 2}\n")
    pets.fails(6, "list", "ds:root", "--query", "one(class)")


@pytest.mark.parametrize("local", [False, True])
def test_cache_of_local_sources(pets: Pets, home: Path, local: bool) -> None:
    if local:
        pets.ok("config", "set", "core.cache_local", "true")
    pets.ok("instantiate", "ds:root", "-t", "out")
    said = json.loads(pets.ok("cache", "show", "--json").out)
    assert (said["files"] > 0) == local
