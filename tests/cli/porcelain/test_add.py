"""`ldb add`: what sources and filters give joins the draft."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, DOGS, Pets


@pytest.fixture
def draft(pets: Pets) -> Pets:
    """The pets, seen from a workspace with an empty draft of ds:some."""
    pets.ok("stage", "ds:some")
    return pets


def test_says_what_it_did(draft: Pets) -> None:
    result = draft.ok("add", "--query", "class == 'cat'")
    assert (result.out, result.err) == ("", "added 2 data objects; the draft has 2\n")
    again = draft.ok("add", "ds:root", "--query", "class != 'bird'")
    assert again.err == "added 2 data objects, 2 there already; the draft has 4\n"
    assert draft.names() == CATS | DOGS


def test_json(draft: Pets) -> None:
    (value,) = draft.json("add", draft.id("tom"))
    assert value == {"selected": 1, "added": 1, "updated": 0, "edited": 0, "objects": 1}


def test_needs_something_to_add(draft: Pets) -> None:
    assert "name what to add" in draft.fails(2, "add")


def test_needs_a_workspace(pets: Pets) -> None:
    assert "ldb stage ds:NAME" in pets.fails(3, "add", pets.id("tom"))


def test_sources_of_all_kinds_are_united(draft: Pets, tmp_path: Path) -> None:
    other = draft.at(tmp_path / "other")
    other.ok("stage", "ds:other")
    other.ok("add", other.id("rex"))
    draft.ok("add", draft.id("tom"))
    draft.ok("commit", "ds:tom")
    draft.ok("stage", "ds:some")
    draft.ok(
        "add",
        "ds:tom",
        f"ws:{other.folder}",
        draft.id("kit")[:9],
        str(draft.data / "birds"),
        f"{draft.data}/dogs/**/p*.jpg",
    )
    assert draft.names() == ALL


def test_first_bad_source_changes_nothing(draft: Pets) -> None:
    for bad, code in (("id:abcdef", 3), ("ds:none", 3), ("nowhere/", 3), ("ds:a/b", 2)):
        draft.fails(code, "add", draft.id("tom"), bad)
    assert draft.names() == set()


def test_newer_annotation_updates(cats: Pets) -> None:
    cats.annotate("tom", {"class": "cat", "score": 1})
    (kept,) = [row for row in cats.json("list") if row["version"] == 1 and "tom" in row["path"]]
    result = cats.ok("add", "ds:root", "--path", "tom|kit")
    assert result.err == ("added 0 data objects, updated 1, 1 there already; the draft has 2\n")
    (row,) = [row for row in cats.json("list") if row["id"] == kept["id"]]
    assert row["version"] == 2
    cats.ok("add", "ds:cats.v1")
    (row,) = [row for row in cats.json("list") if row["id"] == kept["id"]]
    assert row["version"] == 1, "the annotation that the source gives"


def test_latest_annotation_of_several_sources_wins(cats: Pets) -> None:
    cats.annotate("tom", {"class": "cat", "score": 1})
    for sources in (("ds:cats.v1", cats.id("tom")), (cats.id("tom"), "ds:cats.v1")):
        cats.ok("stage", "-f", "ds:new")
        cats.ok("add", *sources)
        versions = {Path(row["path"]).stem: row["version"] for row in cats.json("list")}
        assert versions == {"tom": 2, "kit": 1}


def test_filters_before_and_after_a_limit(draft: Pets) -> None:
    draft.ok("add", "--query", "class == 'cat'", "--limit", "1")
    assert len(draft.names()) == 1
    draft.ok("stage", "-f", "ds:some")
    first = set(draft.order("ds:root")[:1])
    draft.ok("add", "ds:root", "--limit", "1", "--query", "class == 'cat'")
    assert draft.names() == first & CATS


def test_index_may_be_added_whole(draft: Pets) -> None:
    draft.ok("add", "ds:root")
    assert draft.names() == ALL


def test_nothing_selected_is_no_error(draft: Pets) -> None:
    result = draft.ok("add", "--query", "class == 'cow'")
    assert result.err == "added 0 data objects; the draft has 0\n"


# -- files of the workspace ------------------------------------------------------------


@pytest.fixture
def written(cats: Pets) -> Pets:
    """A workspace with the files of tom and kit."""
    cats.ok("instantiate")
    return cats


def note(pets: Pets, name: str) -> Path:
    """The instantiated annotation of a pet."""
    return pets.folder / f"{name}-{pets.id(name)[3:]}.json"


def edit(pets: Pets, name: str, text: str) -> None:
    note(pets, name).write_text(text)


def test_edited_annotation_of_a_folder(written: Pets) -> None:
    edit(written, "tom", '{"class": "cat", "score": 1}')
    result = written.ok("add", ".")
    assert result.err == (
        "read 1 edited annotation\n"
        "added 0 data objects, updated 1, 1 there already; the draft has 2\n"
    )
    (line, *rest) = written.ok("diff", "-v").out.splitlines()
    assert line.startswith(f"~ {written.id('tom')}")
    assert rest == ['    boxes: [{"label": "head"}] → (none)', "    score: 0.9 → 1"]
    assert written.names("ds:root", "--query", "score == `1`") == {"tom"}, "it is indexed"
    (version,) = written.json("log", "ds:root", "-n", "1")
    assert version["operations"][0]["counts"] == {"new_annotations": 1}


def test_edited_annotation_file_by_name(written: Pets) -> None:
    for name in ("tom", "kit"):
        edit(written, name, '{"class": "lion"}')
    written.ok("add", note(written, "tom").name)
    assert written.names("--query", "class == 'lion'") == {"tom"}
    written.ok("add", "kit-*.json")
    assert written.names("--query", "class == 'lion'") == CATS


def test_reading_again_changes_nothing(written: Pets) -> None:
    edit(written, "tom", '{ "class" :"lion" }')
    written.ok("add", ".")
    before = written.ok("log", "ds:root").out
    edit(written, "tom", '{"class": "lion"}\n\n')  # the same value, laid out in another way
    assert "edited" not in written.ok("add", ".").err
    assert written.ok("log", "ds:root").out == before


def test_filters_see_what_was_edited(written: Pets) -> None:
    edit(written, "tom", '{"class": "lion"}')
    written.ok("stage", "-f", "ds:lions")
    written.ok("add", ".", "--query", "class == 'lion'")
    assert written.names() == {"tom"}


def test_bad_json_changes_nothing(written: Pets) -> None:
    edit(written, "tom", '{"class": "lion"}')
    edit(written, "kit", '{"class": "lion",\n  "x" 1}')
    versions = written.ok("log", "ds:root").out
    message = written.fails(2, "add", ".")
    assert str(note(written, "kit")) in message
    assert "line 2, column" in message
    assert written.ok("log", "ds:root").out == versions
    assert written.ok("diff").out == ""


@pytest.mark.parametrize("source", [".", "tom-*.json"])
def test_back_to_what_was_instantiated(written: Pets, source: str) -> None:
    original = note(written, "tom").read_text()
    edit(written, "tom", '{"class": "lion"}')
    written.ok("add", ".")
    edit(written, "tom", original)
    later = time.time() + 2
    os.utime(note(written, "tom"), (later, later))
    written.ok("add", source)
    assert written.ok("diff").out == ""
    assert "no changes" in written.ok("status").out


def test_annotation_not_edited_since_is_not_taken_back(written: Pets) -> None:
    written.annotate("tom", {"class": "tiger"})
    written.ok("add", "ds:root", "--path", "tom")
    written.ok("add", ".")
    assert written.names("--query", "class == 'tiger'") == {"tom"}
    written.ok("add", note(written, "tom").name)
    assert written.names("--query", "class == 'tiger'") == set(), "named by itself it is"


def test_files_of_the_workspace_stand_for_objects(written: Pets) -> None:
    (image,) = written.folder.glob("tom-*.jpg")
    assert written.names(image.name) == {"tom"}
    assert written.names(".") == CATS
    written.ok("del", image.name)
    assert written.names() == {"kit"}
    written.ok("add", image.name)
    assert written.names() == CATS


def test_lone_annotation_finds_its_object(draft: Pets) -> None:
    note(draft, "rex").write_text('{"class": "hero"}')
    draft.ok("add", ".")
    assert draft.names("--query", "class == 'hero'") == {"rex"}


def test_two_files_that_disagree(draft: Pets) -> None:
    note(draft, "rex").write_text('{"class": "hero"}')
    (draft.folder / f"copy-{draft.id('rex')[3:]}.json").write_text('{"class": "villain"}')
    message = draft.fails(2, "add", ".")
    assert "copy-" in message
    assert str(note(draft, "rex")) in message
    assert draft.names() == set()


def test_object_without_annotation_gets_one(draft: Pets) -> None:
    draft.ok("add", draft.id("owl"))
    note(draft, "owl").write_text('"hoo"')
    draft.ok("add", ".")
    assert [row["version"] for row in draft.json("list")] == [1]
    assert json.loads(draft.ok("eval", "-j").out) == "hoo"


def test_other_files_of_the_workspace_are_ordinary(written: Pets) -> None:
    (written.folder / "new.jpg").write_text("new")
    (written.folder / ("x-" + "0" * 32 + ".jpg")).write_text("an id that nobody knows")
    assert "index it first" in written.fails(3, "add", "new.jpg")
    assert "index it first" in written.fails(3, "add", "x-" + "0" * 32 + ".jpg")
    assert written.names(".") == CATS
    written.fails(3, "add", ".ldb_workspace")


def test_files_of_a_workspace_inside_are_its_own(written: Pets) -> None:
    inner = written.at(written.folder / "inner")
    inner.ok("stage", "ds:dogs")
    note(inner, "rex").write_text("{}")
    assert written.names(".") == CATS
    assert inner.names(".") == {"rex"}


# -- two commands at once, and stopping ------------------------------------------------


def start(pets: Pets, environment: dict[str, str], *args: str) -> subprocess.Popen[str]:
    """`ldb` in a process of its own, in the workspace."""
    return subprocess.Popen(
        [sys.executable, "-m", "ldb.cli.main", *args],
        cwd=pets.folder, env={**environment, **_home()},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _home() -> dict[str, str]:
    return {"HOME": os.environ["HOME"]}


SLOW = ("--path", "(.*.*)*x$")
"""A pattern that takes for ever on a long name without an x."""


def wait_for_lock(pets: Pets, process: subprocess.Popen[str]) -> None:
    lock = pets.folder / ".ldb_workspace" / "lock"
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        if lock.exists() and lock.read_text().strip() == str(process.pid):
            return
        time.sleep(0.02)
    raise AssertionError("the command never got to work")


def test_ctrl_c_leaves_the_draft_as_it_was(cats: Pets, environment: dict[str, str]) -> None:
    cats.new("a" * 60)
    state = (cats.folder / ".ldb_workspace" / "state").read_bytes()
    process = start(cats, environment, "add", "ds:root", *SLOW)
    try:
        wait_for_lock(cats, process)
        assert "an ldb command at work" in cats.fails(4, "add", cats.id("rex"))
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, "", "\ninterrupted\n")
    assert (cats.folder / ".ldb_workspace" / "state").read_bytes() == state
    cats.ok("add", cats.id("rex"))
    assert cats.names() == CATS | {"rex"}
