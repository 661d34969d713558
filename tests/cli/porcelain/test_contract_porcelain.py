"""Porcelain does what the pages promise: for each command the shortest proof of each promise."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Ldb
from tests.cli.porcelain.conftest import ALL, CATS, DOGS, Pets, write


def visible(folder: Path) -> set[str]:
    """Names without the id of what is in a folder."""
    files = (path for path in folder.iterdir() if not path.name.startswith("."))
    return {f"{path.name.partition('-')[0].partition('.')[0]}{path.suffix}" for path in files}


# -- set up ----------------------------------------------------------------------------


def test_init(ldb: Ldb, home: Path) -> None:
    assert ldb("init", "--object-hash", "sha256", "instance").code == 0
    assert (home / ".ldb" / "config").is_file()
    assert ldb("config", "get", "core.instance").out.strip() == str(Path.cwd() / "instance")
    assert ldb("init", "instance").code != 0, "not over another one"
    assert ldb("init", "-f", "instance").code == 0
    write(Path("full/a.txt"), "mine", None)
    assert ldb("init", "full").code != 0
    assert ldb("init", "-f", "full").code != 0, "-f replaces an instance only"
    assert os.listdir("full") == ["a.txt"]


def test_ldb_dir_without_an_instance(
    ldb: Ldb, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "nowhere"
    monkeypatch.setenv("LDB_DIR", str(place))
    for words in (["stage", "ds:cats"], ["list"], ["get", "ds:root", "-t", "x"]):
        done = ldb(*words)
        assert done.code == 3
        assert f"ldb init {place}" in done.err
    assert not (home / ".ldb").exists()
    assert not place.exists()


def test_locations(ldb: Ldb) -> None:
    ldb("init", "instance")
    for name in ("a/b", "c", "d"):
        Path(name).mkdir(parents=True)
    assert ldb("add-storage", "a").code == 0
    assert ldb("add-storage", "a/b").code == 4, "nested"
    assert ldb("add-storage", "-f", "a/b").code == 0
    assert ldb("add-storage", "-a", "true", "c").code == 0
    assert ldb("add-storage", "-a", "true", "d").code == 4, "one read-add location at most"
    assert ldb("add-storage", "-a", "false", "c").code == 0
    assert ldb("add-storage", "-a", "true", "d").code == 0
    assert ldb("add-storage", "missing").code == 3
    assert ldb("storage", "del", "d").code == 0
    assert str(Path.cwd() / "d") not in ldb("storage", "list").out


def test_completion(ldb: Ldb) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "ldb" in ldb("completion", "-s", shell).out


# -- index -----------------------------------------------------------------------------


def test_index(own_pets: Pets) -> None:
    data = own_pets.data
    write(data / "bad.jpg", "bad", None)
    (data / "bad.json").write_text("{")
    write(data / ".hidden" / "x.jpg", "x", {"class": "ghost"})
    write(data / "cats" / "new.jpg", "new", {"class": "cat"})
    strict = own_pets("index", "--strict", str(data))
    assert strict.code != 0
    assert own_pets.names("ds:root") == ALL, "--strict stopped"
    done = own_pets("index", "--add-tags", "t1,t2", str(data))
    assert done.code == 1
    assert "bad.json" in done.err
    assert "2 new" in done.err
    assert own_pets.names("ds:root") == ALL | {"new", "bad"}
    assert own_pets.names("ds:root", "--tag", "t2") >= {"new", "bad"}


def test_annotation_update(own_pets: Pets) -> None:
    tom = own_pets.data / "cats" / "tom.json"
    tom.write_text('{"colour": "grey"}')
    own_pets.ok("index", "--annotation-update", "merge", str(own_pets.data))
    shown = json.loads(own_pets.ok("eval", "-j", own_pets.id("tom")).out)
    assert (shown["colour"], shown["class"]) == ("grey", "cat")
    tom.write_text('{"colour": "black"}')
    own_pets.ok("index", "--annotation-update", "replace", str(own_pets.data))
    assert json.loads(own_pets.ok("eval", "-j", own_pets.id("tom")).out) == {"colour": "black"}


def test_index_into_a_workspace(own_pets: Pets, tmp_path: Path) -> None:
    own_pets.ok("stage", "ds:mine", "mine")
    mine = own_pets.at(own_pets.folder / "mine")
    write(own_pets.data / "cats" / "new.jpg", "new", {"class": "cat"})
    done = own_pets.ok("index", "-a", "ws:mine", str(own_pets.data / "cats"))
    assert "added 3 data objects; the draft has 3" in done.err
    assert mine.names() == CATS | {"new"}
    assert own_pets.fails(3, "index", "-a", "ws:nowhere", str(own_pets.data))
    assert own_pets.fails(2, "index", "-a", "mine", str(own_pets.data))


def test_index_copies_into_a_workspace(own_pets: Pets, tmp_path: Path) -> None:
    """Files from outside of all locations are added as what they were copied to."""
    (tmp_path / "store").mkdir()
    own_pets.ok("add-storage", "-a", "true", str(tmp_path / "store"))
    own_pets.ok("stage", "ds:mine", "mine")
    write(own_pets.folder / "far" / "far.jpg", "far", {"class": "cow"})
    (value,) = own_pets.json("index", "-a", "ws:mine", "far")
    assert (value["imported"], value["added"]) == (1, 1)
    assert own_pets.at(own_pets.folder / "mine").names("--query", "class == 'cow'") == {"far"}


def test_labels_alone_are_nothing_to_add(own_pets: Pets) -> None:
    note = {"annotation": {"class": "lion"}, "ldb_meta": {"data_object_id": own_pets.id("tom")[3:]}}
    write(own_pets.data / "labels" / "tom.json", json.dumps(note), None)
    own_pets.ok("stage", "ds:mine", "mine")
    done = own_pets("index", "-a", "ws:mine", "-m", "annot", str(own_pets.data / "labels"))
    assert done.code == 3
    assert "only labels" in done.err
    assert own_pets.names("ds:root", "--query", "class == 'lion'") == {"tom"}, "they are indexed"


def test_unindex(cats: Pets) -> None:
    assert "ds:cats" in cats.fails(4, "unindex", cats.id("tom"))
    cats.ok("unindex", cats.id("rex"))
    assert cats.names("ds:root") == ALL - {"rex"}


# -- datasets --------------------------------------------------------------------------


def test_stage(cats: Pets, tmp_path: Path) -> None:
    cats.ok("stage", "-t", str(tmp_path / "there"), "ds:cats.v1")
    assert os.listdir(tmp_path / "there") == [".ldb_workspace"]
    cats.ok("add", cats.id("rex"))
    cats.fails(4, "stage", "ds:cats")
    cats.ok("stage", "-f", "ds:cats")
    assert cats.names() == CATS


def test_add_physical_and_logical(pets: Pets) -> None:
    pets.ok("stage", "ds:mine")
    pets.ok("add", "--logical", pets.id("tom"))
    assert visible(pets.folder) == set()
    pets.ok("add", "--physical", "--query", "class == 'dog'")
    assert visible(pets.folder) == {"rex.jpg", "rex.json", "pup.jpg", "pup.json"}
    assert pets.names() == {"tom"} | DOGS
    (value,) = pets.json("add", "--physical", pets.id("owl"))
    assert (value["added"], value["data_objects"]) == (1, 1)
    (note,) = pets.folder.glob("rex-*.json")
    note.write_text('{"class": "hero"}')
    pets.ok("add", "--physical", ".")
    assert pets.names("--query", "class == 'hero'") == {"rex"}
    assert json.loads(note.read_text()) == {"class": "hero"}


def test_label_versions_and_pull(cats: Pets) -> None:
    cats.annotate("tom", {"class": "cat", "score": 1})
    score = ["eval", "-j", "--path", "tom", "--show", "score"]
    assert cats.ok(*score).out == "0.9\n"
    cats.ok("pull")
    assert cats.ok(*score).out == "1\n"
    cats.ok("pull", "v1")
    assert cats.ok(*score).out == "0.9\n"
    cats.ok("add", "--label-version", "2", cats.id("tom"))
    assert cats.ok(*score).out == "1\n"


def test_add_indexes_where_that_is_on(own_pets: Pets, tmp_path: Path) -> None:
    own_pets.ok("stage", "ds:mine", "mine")
    mine = own_pets.at(own_pets.folder / "mine")
    new = own_pets.data / "new.jpg"
    write(new, "new", {"class": "cow"})
    mine.fails(3, "add", str(new))
    own_pets.ok("config", "set", "core.auto_index", "true")
    mine.ok("add", str(new))
    (tmp_path / "store").mkdir()
    own_pets.ok("add-storage", "-a", "true", str(tmp_path / "store"))
    write(tmp_path / "far.jpg", "far", None)
    mine.ok("add", str(tmp_path / "far.jpg"))
    assert mine.names() == {"new", "far"}
    assert list((tmp_path / "store").rglob("far.jpg"))


def test_tag(cats: Pets, tmp_path: Path) -> None:
    cats.ok("tag", "-a", "a,b", cats.id("tom"))
    assert cats.at(tmp_path / "other").names("ds:cats.v1", "--tag", "b") == {"tom"}
    cats.ok("tag", "-r", "b", cats.id("tom"))
    cats.ok("tag", "-s", "c", cats.id("kit"))
    assert (cats.names("--tag", "b"), cats.names("--tag", "a,c")) == (set(), CATS)


def test_transform(cats: Pets) -> None:
    run = json.dumps(["cp", "{data}", "{output}/copy.txt"])
    cats.ok("config", "set", "transform.copy.run", run)
    cats.ok("transform", "-a", "copy")
    assert "self" in cats.ok("transform").out
    cats.ok("transform", "-r", "self")
    cats.ok("instantiate")
    assert len([path for path in cats.folder.iterdir() if path.suffix == ".txt"]) == 2
    assert "tom.jpg" not in visible(cats.folder)
    cats.ok("transform", "-s", "self")


def test_commit(cats: Pets) -> None:
    again = cats.ok("commit")
    assert "nothing to commit" in again.err
    assert len(cats.json("log", "ds:cats")) == 1
    cats.annotate("tom", {"class": "cat", "score": 1})
    cats.ok("commit", "-m", "newer labels", "--auto-pull", "true", "ds:cats")
    (newest, _) = cats.json("log", "ds:cats")
    assert newest["message"] == "newer labels"
    assert "ds:cats.v2" in cats.ok("ds", "list").out
    cats.fails(2, "commit", "ds:root")


def test_datasets_are_managed(cats: Pets) -> None:
    cats.ok("ds", "rename", "ds:cats", "ds:felines")
    assert "ds:felines" in cats.ok("ds", "list").out
    cats.ok("ds", "export", "ds:felines", "felines.tar")
    cats.ok("ds", "del", "ds:felines")
    assert "ds:felines" not in cats.ok("ds", "list").out
    assert "ds:felines" in cats.ok("ds", "list", "-a").out
    cats.ok("ds", "import", "felines.tar", "--as", "ds:back")
    assert cats.names("ds:back") == CATS


def test_merge_split_dedup_refresh(cats: Pets, tmp_path: Path) -> None:
    other = cats.at(tmp_path / "other")
    other.ok("stage", "ds:dogs")
    other.ok("add", "--query", "class == 'dog'")
    other.ok("commit")
    other.ok("merge", "ds:cats", "ds:dogs", "--into", "ds:pets")
    assert other.names("ds:pets") == CATS | DOGS
    other.ok("split", "ds:pets", "train=.5", "val=.25", "test=.25", "--by", "class")
    parts = [other.names(f"ds:pets-{part}") for part in ("train", "val", "test")]
    assert set().union(*parts) == CATS | DOGS
    assert all(not part & CATS or part >= CATS for part in parts), "no class is torn apart"
    again = [other.names(f"ds:pets-{part}") for part in ("train", "val", "test")]
    assert again == parts
    cats.new("new", {"class": "cat"})
    cats.ok("refresh", "ds:cats")
    assert cats.names("ds:cats") == CATS | {"new"}
    cats.ok("stage", "ds:cats")
    cats.ok("dedup", "--by", "class")
    assert len(cats.names()) == 1


# -- look ------------------------------------------------------------------------------


def test_looking(cats: Pets) -> None:
    cats.ok("add", cats.id("rex"))
    cats.ok("del", cats.id("kit"))
    assert "ds:cats" in cats.ok("status").out + cats.ok("status").err
    marks = {line[0] for line in cats.ok("diff").out.splitlines()}
    assert marks == {"+", "-"}
    assert cats.ok("diff", "-s").out.count("\n") < 5
    assert "the cats" in cats.ok("log", "ds:cats").out
    assert "add" in cats.ok("why", cats.id("tom"), "ds:cats").out
    assert len(cats.json("log", "ds:cats", "--object", cats.id("tom"))) == 1
    assert cats.ok("list", "-s").out.count("\n") < 10
    counts = cats.ok("stats", "--by", "class").out
    assert "cat" in counts
    assert "dog" in counts


def test_changed_keys_of_annotations(cats: Pets) -> None:
    cats.annotate("tom", {"class": "cat", "score": 1})
    cats.ok("pull")
    assert "~" in cats.ok("diff").out
    assert "score: 0.9 → 1" in cats.ok("diff", "-v").out


def test_eval(pets: Pets) -> None:
    tom = pets.id("tom")
    assert pets.ok("eval", "-j", "--indent", "none", tom, "--show", "boxes").out == (
        '[{"label":"head"}]\n'
    )
    assert pets.ok("eval", "-j", tom, "--jshow", "nothing").out == "null\n"
    assert pets.ok("eval", "-j", tom, "--file-show", "type").out == '"jpg"\n'


def test_query_of_loose_files(pets: Pets) -> None:
    file = pets.data / "cats" / "tom.json"
    assert '"cat"' in pets.ok("query", str(file), "--query", "class").out


# -- write out -------------------------------------------------------------------------


def test_instantiate(cats: Pets, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cats.ok("instantiate", "-t", str(out))
    tom = cats.id("tom")[3:]
    assert {f"tom-{tom}.jpg", f"tom-{tom}.json"} < {path.name for path in out.iterdir()}
    cats.ok("instantiate", "--annotations-only", "-t", str(tmp_path / "notes"))
    assert visible(tmp_path / "notes") == {"tom.json", "kit.json"}
    cats.ok("instantiate", "--preserve-paths", "-t", str(tmp_path / "paths"))
    assert [path.name for path in (tmp_path / "paths").rglob("tom.jpg")] == ["tom.jpg"]
    for way in ("hardlink", "copy"):
        cats.ok("instantiate", "--link", way, "-t", str(tmp_path / way))
    words = ["--output-format", "annot", "-p", "single-file=true"]
    cats.ok("instantiate", "-t", str(tmp_path / "one"), *words)
    assert len(visible(tmp_path / "one")) == 1


def test_get(pets: Pets, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pets.ok("get", "--query", "class == 'cat'", "-t", str(out))
    pets.ok("get", pets.id("rex"), "-t", str(out))
    assert {"tom.jpg", "kit.png", "rex.jpg"} < visible(out)
    assert pets.at(out).names() == CATS | {"rex"}
    pets.ok("get", "ds:root", "-m", "infer", "-p", "label-key=class", "-t", str(tmp_path / "infer"))
    assert list((tmp_path / "infer" / "cat").iterdir())


# -- care ------------------------------------------------------------------------------


def test_care(own_pets: Pets) -> None:
    own_pets.ok("verify", "ds:root")
    own_pets.ok("fsck")
    own_pets.ok("gc", "--dry-run")
    own_pets.ok("repack")
    (own_pets.data / "cats" / "tom.jpg").write_text("rot")
    assert own_pets("verify", "ds:root").code == 5
    (own_pets.data / "cats" / "tom.jpg").unlink()
    assert own_pets("verify", "ds:root").code == 3
