"""`ldb sync`: the draft becomes what is in the folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, DOGS, Pets


@pytest.fixture
def written(cats: Pets) -> Pets:
    """A workspace with the files of tom and kit."""
    cats.ok("instantiate")
    return cats


def file(pets: Pets, name: str, ending: str) -> Path:
    return pets.folder / f"{name}-{pets.id(name)[3:]}.{ending}"


def test_nothing_was_touched(written: Pets) -> None:
    result = written.ok("sync")
    assert (result.out, result.err) == ("", "nothing to change; the draft has 2 data objects\n")
    assert written.json("log", "ds:root")[0]["version"] == "ds:root.v1", "nothing was indexed"


def test_removed_files_leave_the_draft(written: Pets) -> None:
    file(written, "tom", "jpg").unlink()
    file(written, "tom", "json").unlink()
    assert written.ok("sync").err == "removed 1; the draft has 1 data object\n"
    assert written.names() == {"kit"}
    assert written.names("ds:cats") == CATS
    written.ok("instantiate")
    assert not file(written, "tom", "jpg").exists()


def test_annotation_left_behind_keeps_nothing(written: Pets) -> None:
    file(written, "tom", "jpg").unlink()
    file(written, "tom", "json").write_text('{"class": "edited"}')
    assert written.json("sync")[0]["removed"] == 1
    assert written.names("ds:root", "--query", "class == 'edited'") == set()


def test_annotation_left_behind_keeps_nothing_later_either(written: Pets) -> None:
    """The list of what was written still has the data file after the next `instantiate`."""
    file(written, "tom", "jpg").unlink()
    written.ok("sync")
    written.ok("instantiate")
    assert file(written, "tom", "json").exists()
    assert written.ok("sync").err == "nothing to change; the draft has 1 data object\n"
    written.ok("instantiate", "-f")
    assert not file(written, "tom", "json").exists()
    assert written.id("tom")[3:] not in (written.folder / ".ldb_instantiated").read_text()
    written.ok("add", written.id("tom"))
    assert "that no file here ever stood for stays" in written.ok("sync").err


def test_all_files_removed(written: Pets) -> None:
    for path in written.folder.glob("*-*.*"):
        path.unlink()
    assert written.ok("sync").err == "removed 2; the draft has 0 data objects\n"


def test_annotations_only(cats: Pets) -> None:
    cats.ok("instantiate", "--annotations-only")
    assert cats.ok("sync").err.startswith("nothing to change")
    file(cats, "kit", "json").unlink()
    assert cats.ok("sync").err == "removed 1; the draft has 1 data object\n"


def test_edited_annotations_are_taken(written: Pets) -> None:
    file(written, "tom", "json").write_text('{"class": "lion"}')
    assert written.ok("sync").err == (
        "read 1 edited annotation\nupdated 1; the draft has 2 data objects\n"
    )
    assert written.names("--query", "class == 'lion'") == {"tom"}
    assert written.json("list", written.id("tom"))[0]["version"] == 2


def test_new_files(written: Pets, tmp_path: Path) -> None:
    (written.folder / "new.jpg").write_text("new")
    (written.folder / "new.json").write_text('{"class": "cow"}')
    (written.folder / ".hidden").write_text("no")
    result = written.ok("sync")
    assert result.err.startswith("warning: 1 new file, ")
    assert "core.auto_index" in result.err
    assert written.names() == CATS
    (tmp_path / "shelf").mkdir()
    written.ok("add-storage", "-a", "true", str(tmp_path / "shelf"))
    written.ok("config", "set", "core.auto_index", "true")
    assert written.ok("sync").err == "added 1; the draft has 3 data objects\n"
    name = "id:" + hashlib.md5(b"new").hexdigest()
    assert written.names("--query", "class == 'cow'", "--limit", "1")
    assert name in written.ok("list").out
    assert written.ok("sync").err.startswith("nothing to change")


def test_file_that_the_index_knows_by_its_path(own_pets: Pets) -> None:
    """A workspace inside a storage location: what lies there was indexed in its place."""
    inside = own_pets.at(own_pets.data / "cats")
    inside.ok("stage", "-f", "ds:here")
    inside.ok("sync")
    assert inside.names() == CATS
    (inside.folder / "tom.jpg").unlink()
    inside.ok("sync")
    assert inside.names() == {"kit"}


def test_outputs_of_transforms(cats: Pets, tmp_path: Path) -> None:
    """They are neither edits nor new data; an object of which nothing else was written stays."""
    made = tmp_path / "made"
    made.write_text("#!/bin/sh\necho '{}' > note.json\n")
    made.chmod(0o755)
    (tmp_path / "shelf").mkdir()
    cats.ok("add-storage", "-a", "true", str(tmp_path / "shelf"))
    cats.ok("config", "set", "core.auto_index", "true")
    cats.ok("config", "set", "transform.made.run", f'["{made}"]')
    cats.ok("transform", "-a", "made")
    cats.ok("transform", "-s", "made", cats.id("kit"))
    cats.ok("instantiate")
    assert file(cats, "kit", "made.note.json").exists()
    before = cats.json("transform")
    assert cats.ok("sync").err == "nothing to change; the draft has 2 data objects\n"
    file(cats, "kit", "made.note.json").write_text('{"edited": 1}')
    assert cats.ok("sync").err == "nothing to change; the draft has 2 data objects\n"
    assert cats.json("transform") == before
    file(cats, "kit", "made.note.json").unlink()
    file(cats, "tom", "jpg").unlink()
    assert cats.ok("sync").err == "removed 2; the draft has 0 data objects\n"


def test_label_files(cats: Pets) -> None:
    cats.ok("instantiate", "-m", "hf-imagefolder")
    assert cats.ok("sync").err == "nothing to change; the draft has 2 data objects\n"


def test_label_files_alone_empty_no_draft(cats: Pets) -> None:
    cats.ok("instantiate", "-m", "label-studio")
    cats.fails(2, "sync")
    assert cats.names() == CATS


def test_folder_without_files_empties_nothing(cats: Pets) -> None:
    assert "ldb instantiate" in cats.fails(2, "sync")
    assert cats.names() == CATS


def test_objects_that_were_never_written(written: Pets) -> None:
    """Nobody removed their files, so they stay, with what the draft has of them."""
    written.ok("add", "--query", "class == 'dog'")
    written.ok("config", "set", "transform.small.run", '["true"]')
    written.ok("transform", "-a", "small", written.id("rex"))
    small = written.json("transform")[1]
    assert small["name"] == "small"
    file(written, "tom", "jpg").unlink()
    result = written.ok("sync")
    assert "2 data objects of the draft that no file here ever stood for stay" in result.err
    assert result.err.endswith("removed 1; the draft has 3 data objects\n")
    assert written.names() == {"kit"} | DOGS
    assert written.json("transform")[1] == small
    assert written.json("sync")[0] == {
        "added": 0, "removed": 0, "updated": 0, "edited": 0, "kept": 2, "objects": 3,
    }  # fmt: skip
    written.ok("sync", "--query", "class == 'cat'")
    assert written.names() == {"kit"}, "filters choose among these too"


def test_instantiate_that_failed_in_part(own_pets: Pets) -> None:
    """What could not be written is no deletion; once it was written, its removal is one."""
    pets = own_pets
    pets.ok("stage", "ds:all")
    pets.ok("add", "ds:root")
    away = pets.data / "away"
    (pets.data / "dogs").rename(away)
    assert pets("instantiate").code == 1
    file(pets, "tom", "jpg").unlink()
    file(pets, "tom", "json").unlink()
    result = pets.ok("sync")
    assert "2 data objects of the draft that no file here ever stood for stay" in result.err
    assert pets.names() == ALL - {"tom"}
    away.rename(pets.data / "dogs")
    pets.ok("instantiate")
    file(pets, "rex", "jpg").unlink()
    assert pets.ok("sync").err == "removed 1; the draft has 4 data objects\n"


def test_stopped_instantiate(written: Pets) -> None:
    listed = written.folder / ".ldb_instantiated"
    lines = listed.read_text().splitlines(keepends=True)
    listed.write_text("".join(line for line in lines if line != "end\n"))
    written.ok("sync")  # its files are all there
    file(written, "tom", "jpg").unlink()
    assert "a run was stopped" in written.fails(4, "sync")
    assert written.names() == CATS
    written.ok("instantiate")
    written.ok("sync")


def test_sources_and_filters(written: Pets) -> None:
    written.ok("sync", "ds:root", "--query", "class == 'dog'")
    assert written.names() == DOGS
    written.ok("sync", "ds:root")
    assert written.names() == ALL
    written.ok("sync", "ds:cats.v1")
    assert not written.json("status")[0]["changed"]
    assert written.names() == CATS
    written.ok("sync", "--query", "score > `0.5`")
    assert written.names() == {"tom"}, "filters choose among the files"


def test_history_says_so(written: Pets) -> None:
    file(written, "tom", "jpg").unlink()
    written.ok("sync")
    written.ok("commit")
    (operation,) = written.json("log", "-n", "1")[0]["operations"]
    assert operation["command"] == ["sync"]
    assert operation["counts"]["removed"] == 1


def test_bad_json_changes_nothing(written: Pets) -> None:
    file(written, "tom", "jpg").unlink()
    file(written, "kit", "json").write_text("{")
    assert str(file(written, "kit", "json")) in written.fails(2, "sync")
    assert written.names() == CATS
