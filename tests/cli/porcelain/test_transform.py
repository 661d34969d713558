"""`ldb transform`, and what `instantiate` makes of it; `--apply`."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import ALL, CATS, DOGS, Pets

UPPER = """
import json, os, sys
given = json.load(sys.stdin)
assert os.getcwd() == given["output"] and not os.listdir(".")
text = open(given["data"]).read().upper()
open("up.txt", "w").write(text)
if given["annotation"]:
    json.dump({"was": json.load(open(given["annotation"]))}, open("note.json", "w"))
"""


def program(folder: Path, text: str, name: str = "program", python: bool = False) -> Path:
    path = folder / name
    path.write_text(f"#!{sys.executable if python else '/bin/sh'}\n{text}\n")
    path.chmod(0o755)
    return path


def define(pets: Pets, name: str, *argv: str) -> None:
    pets.ok("config", "set", f"transform.{name}.run", json.dumps(argv))


def files(folder: Path) -> dict[str, str]:
    """Names without the id → content, but for LDB's own."""
    found = {}
    for path, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in names:
            if not name.startswith("."):
                full = Path(path, name)
                found[re.sub("-[0-9a-f]{32}", "", str(full.relative_to(folder)))] = full.read_text()
    return found


def test_transforms_of_the_draft(cats: Pets, tmp_path: Path) -> None:
    define(cats, "up", str(program(tmp_path, UPPER, python=True)))
    said = cats.ok("transform", "-a", "up").err
    assert "other transforms for 2 of 2 data objects in the draft" in said
    assert "for 0 of 2" in cats.ok("transform", "-a", "up").err
    assert "for 1 of 1" in cats.ok("transform", "-r", "self", cats.id("tom")).err
    shown = {each["name"]: each["objects"] for each in cats.json("transform")}
    assert shown == {"self": 1, "up": 2}
    assert cats.ok("transform").out.splitlines()[0] == "self  1"
    cats.ok("commit")
    cats.ok("instantiate", "-t", "out")
    assert files(cats.folder / "out") == {
        "kit.png": "cats/kit.png",
        "kit.json": '{\n  "class": "cat",\n  "score": 0.2\n}\n',
        "kit.up.up.txt": "CATS/KIT.PNG",
        "kit.up.note.json": '{"was": {"class": "cat", "score": 0.2}}',
        "tom.up.up.txt": "CATS/TOM.JPG",
        "tom.up.note.json": '{"was": {"boxes": [{"label": "head"}], "class": "cat", "score": 0.9}}',
    }
    assert cats.ok("fsck").code == 0


def test_a_version_keeps_what_it_runs(cats: Pets, tmp_path: Path) -> None:
    define(cats, "mark", str(program(tmp_path, "echo first > x")))
    cats.ok("transform", "-s", "mark")
    cats.ok("commit")
    define(cats, "mark", str(program(tmp_path, "echo second > x", "other")))
    cats.ok("instantiate", "ds:cats", "-t", "out")
    assert files(cats.folder / "out") == {"kit.mark.x": "first\n", "tom.mark.x": "first\n"}
    cats.ok("transform", "-a", "mark")
    cats.ok("instantiate", "-t", "out", "-f")
    assert files(cats.folder / "out") == {"kit.mark.x": "second\n", "tom.mark.x": "second\n"}


def test_outputs_are_not_mistaken_for_edits_or_data(cats: Pets, tmp_path: Path) -> None:
    define(cats, "up", str(program(tmp_path, UPPER, python=True)))
    cats.ok("transform", "-a", "up")
    cats.ok("commit")
    cats.ok("instantiate")
    out = cats.ok("add", ".").err
    assert "edited" not in out
    assert "added 0 data objects" in out
    for note in cats.folder.glob("*.up.note.json"):
        note.write_text('{"changed": true}')
    assert "edited" not in cats.ok("add", ".").err
    assert cats.ok("status").out == cats.ok("status").out


def test_a_second_run_does_only_what_is_left(cats: Pets, tmp_path: Path) -> None:
    define(cats, "up", str(program(tmp_path, UPPER, python=True)))
    cats.ok("transform", "-s", "up")
    first = cats.json("instantiate", "-t", "out")[0]
    assert (first["outputs"], first["data_objects"], first["already_there"]) == (4, 0, 0)
    again = cats.json("instantiate", "-t", "out")[0]
    assert (again["outputs"], again["already_there"]) == (0, 4)
    cats.ok("transform", "-s", "self")
    done = cats.json("instantiate", "-t", "out", "-f")[0]
    assert (done["data_objects"], done["removed"]) == (2, 4)
    assert {name.partition(".")[0] for name in files(cats.folder / "out")} == CATS


def test_words_of_a_program_are_filled_in(cats: Pets) -> None:
    define(cats, "copy", "cp", "{data}", "{output}/{id}.x")
    cats.ok("transform", "-s", "copy", cats.id("tom"))
    cats.ok("instantiate", "-t", "out", "--preserve-paths", "--path", "tom")
    found = list((cats.folder / "out").rglob("*.x"))
    assert [each.read_text() for each in found] == ["cats/tom.jpg"]
    digits = cats.id("tom")[3:]
    assert found[0].name == f"tom-{digits}.copy.{digits}.x"
    assert found[0].parent == cats.folder / "out" / "cats"


FAILING: Sequence[tuple[str, str]] = [
    ("echo no luck >&2; exit 4", "failed with exit code 4; it said:\nno luck"),
    ("ln -s /etc/passwd x", "left 'x', which is no plain file"),
    ("mkfifo x", "left 'x', which is no plain file"),
    ("yes", "printed more than 1,048,576 bytes"),
    ("mkdir a; echo > a/b; echo > a-b", "left two files whose name becomes 'a-b'"),
]


@pytest.mark.parametrize(("text", "why"), FAILING)
def test_a_program_that_fails_changes_nothing(
    cats: Pets, tmp_path: Path, text: str, why: str
) -> None:
    define(cats, "bad", str(program(tmp_path, text)))
    cats.ok("instantiate", "-t", "out")
    before = files(cats.folder / "out")
    cats.ok("transform", "-s", "bad", cats.id("kit"))
    err = cats.fails(1, "instantiate", "-f", "-t", "out")
    assert why in err
    assert f"program bad ({tmp_path}/program) on {cats.id('kit')}" in err
    assert files(cats.folder / "out") == before
    cats.fails(1, "instantiate", "-t", "new")
    assert not (cats.folder / "new").exists()


def test_a_program_can_harm_neither_data_nor_target(cats: Pets, tmp_path: Path) -> None:
    text = 'echo harm > "$1"; echo harm > ../data/new; mkdir -p s; echo > "s/..x"; echo > ".hidden"'
    define(cats, "bad", str(program(tmp_path, text)), "{data}")
    cats.ok("transform", "-a", "bad")
    cats.ok("instantiate", "-t", "out")
    assert sorted(files(cats.folder / "out")) == [
        "kit.bad._hidden", "kit.bad.s-_.x", "kit.json", "kit.png",
        "tom.bad._hidden", "tom.bad.s-_.x", "tom.jpg", "tom.json",
    ]  # fmt: skip
    assert (cats.data / "cats" / "tom.jpg").read_text() == "cats/tom.jpg"


def test_data_that_is_gone_is_a_problem_of_its_own(cats: Pets, tmp_path: Path) -> None:
    define(cats, "mark", str(program(tmp_path, "echo > x")))
    cats.ok("transform", "-s", "mark")
    (cats.data / "cats" / "tom.jpg").write_text("other bytes!")
    cats.changed.append("tom")
    done = cats("instantiate", "-t", "out")
    assert done.code == 1
    assert f"{cats.id('tom')}: was not transformed: " in done.err
    assert set(files(cats.folder / "out")) == {"kit.mark.x"}


def test_transforms_of_others_ask_for_trust(cats: Pets, tmp_path: Path, home: Path) -> None:
    define(cats, "mark", str(program(tmp_path, "echo > x")))
    cats.ok("transform", "-a", "mark")
    cats.ok("commit")
    (home / ".ldb" / "trust").unlink()
    cats.ok("config", "unset", "transform.mark.run")
    err = cats.fails(6, "instantiate", "-t", "out", "ds:cats")
    assert f'not trusted: transform mark, which runs ["{tmp_path}/program"]' in err
    assert not (cats.folder / "out").exists()
    once = cats.ok("instantiate", "-t", "once", "--trust", "ds:cats")
    assert "running this once:" in once.err
    assert "kit.mark.x" in files(cats.folder / "once")
    cats.fails(6, "instantiate", "-t", "out", "ds:cats")
    result = cats("trust")
    assert result.code == 6
    assert result.out.splitlines()[0].split()[:2] == ["new", "transform"]
    assert f"['{tmp_path}/program']" in result.out
    cats.ok("trust", "--yes", "ds:cats")
    cats.ok("instantiate", "-t", "out", "ds:cats")


def test_names_and_programs_that_are_not_there(cats: Pets) -> None:
    err = cats.fails(3, "transform", "-a", "nothing")
    assert "transform not found: nothing (there is self)" in err
    assert "ldb config set transform.nothing.run" in err
    assert "a name is made of small letters" in cats.fails(2, "transform", "-a", "No/thing")
    cats.ok("config", "set", "transform.bad.run", "nonsense")
    assert "is not a JSON array of words" in cats.fails(2, "transform", "-a", "bad")
    assert "would have none" in cats.fails(2, "transform", "-r", "self")
    define(cats, "gone", "/no/such/program")
    cats.ok("transform", "-a", "gone")
    cats.fails(3, "instantiate", "-t", "out")
    assert not (cats.folder / "out").exists()
    cats.fails(2, "transform", "ds:cats")
    cats.fails(2, "transform", "-a", "self", "-s", "self")


def test_only_what_the_draft_holds_is_changed(cats: Pets) -> None:
    define(cats, "mark", "true")
    err = cats.ok("transform", "-a", "mark", "ds:root").err
    assert "for 2 of 2 data objects in the draft; 4 selected are not in it" in err
    assert cats.names() == CATS
    cats.ok("add", "ds:root", "--query", "class == 'dog'")
    shown = {each["name"]: each["objects"] for each in cats.json("transform")}
    assert shown == {"self": 4, "mark": 2}
    cats.ok("add", "ds:root")
    assert {each["name"]: each["objects"] for each in cats.json("transform")} == {
        "self": len(ALL), "mark": 2,
    }  # fmt: skip
    assert cats.names() >= DOGS


def test_a_draft_of_another_workspace_brings_its_transforms(cats: Pets, tmp_path: Path) -> None:
    define(cats, "mark", str(program(tmp_path, "echo > x")))
    cats.ok("transform", "-s", "mark")
    other = cats.at(tmp_path / "other")
    other.ok("stage", "ds:more")
    other.ok("add", f"ws:{cats.folder}")
    other.ok("commit")
    assert cats.ok("fsck").code == 0
    other.ok("instantiate", "-t", "out", f"ws:{cats.folder}")
    assert set(files(other.folder / "out")) == {"kit.mark.x", "tom.mark.x"}
    other.ok("instantiate", "-t", "saved", "ds:more")
    assert set(files(other.folder / "saved")) == {"kit.mark.x", "tom.mark.x"}


def test_apply(cats: Pets, tmp_path: Path) -> None:
    program(cats.folder, 'cat "$1" > "$2"; echo >> "$2"', "mine")
    define(cats, "mark", str(program(tmp_path, "echo > x")))
    cats.ok("transform", "-a", "mark", cats.id("kit"))
    cats.ok("instantiate", "-t", "out", "--apply", "./mine", "{data}", "y", "--limit", "9")
    found = files(cats.folder / "out")
    assert found["tom.apply.y"] == "cats/tom.jpg\n"
    assert set(found) == {
        "kit.png", "kit.json", "kit.mark.x", "kit.apply.y", "tom.jpg", "tom.json", "tom.apply.y",
    }  # fmt: skip
    err = cats.fails(3, "instantiate", "-t", "o", "--apply", "./other")
    assert "program not found: ./other" in err
    assert "failed with exit code 1" in cats.fails(1, "instantiate", "-t", "o", "--apply", "false")
    assert not (cats.folder / "o").exists()


def test_annotations_only_runs_nothing(cats: Pets) -> None:
    define(cats, "bad", "false")
    cats.ok("transform", "-a", "bad")
    cats.ok("instantiate", "-t", "out", "--annotations-only")
    assert set(files(cats.folder / "out")) == {"kit.json", "tom.json"}


def test_ctrl_c_ends_the_programs(cats: Pets, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    define(cats, "slow", str(program(tmp_path, f"echo $$ >> {pids}; sleep 60")))
    cats.ok("transform", "-a", "slow")

    def interrupt() -> None:
        while not pids.exists() or len(pids.read_text().split()) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = cats("instantiate", "-t", "out")
    thread.join()
    assert (result.code, result.err) == (130, "\ninterrupted\n")
    assert not (cats.folder / "out").exists()
    for pid in pids.read_text().split():
        assert not Path(f"/proc/{pid}").exists()
