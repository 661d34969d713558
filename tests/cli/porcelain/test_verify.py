"""`ldb verify` of local files."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.cli.porcelain.conftest import ALL, Pets


@pytest.fixture
def pets(own_pets: Pets) -> Pets:
    """These tests change files."""
    return own_pets


def states(pets: Pets, *args: str) -> dict[str, str]:
    """State of each path, by the pet's name."""
    lines = [json.loads(line) for line in pets("verify", "--json", *args).out.splitlines()]
    return {Path(line["path"]).stem: line["state"] for line in lines}


def tom(pets: Pets) -> Path:
    return pets.data / "cats/tom.jpg"


def rot(path: Path) -> None:
    """Other bytes; size and time of change as they were."""
    was = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_all_is_well(pets: Pets, quick: list[str]) -> None:
    done = pets.ok("verify", *quick)
    assert done.out == ""
    assert "verified 6 paths of 6 data objects, 6 ok" in done.err
    assert states(pets, *quick) == dict.fromkeys(ALL, "ok")


def test_rot_is_found_by_reading(pets: Pets) -> None:
    rot(tom(pets))
    pets.ok("verify", "--quick")
    done = pets("verify")
    assert done.code == 5
    [line] = done.out.splitlines()
    assert line.startswith(f"changed     {tom(pets)}: its hash is ")
    assert "1 data object without a good path" in done.err


@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_edited_and_missing(pets: Pets, quick: list[str]) -> None:
    tom(pets).unlink()
    assert pets("verify", *quick).code == 3
    (pets.data / "dogs/rex.jpg").write_text("another size")
    done = pets("verify", *quick)
    assert done.code == 5
    assert "4 ok, 1 changed, 1 missing" in done.err
    found = states(pets, *quick)
    assert found == {**dict.fromkeys(ALL, "ok"), "tom": "missing", "rex": "changed"}


@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_edited_and_indexed_again(pets: Pets, quick: list[str]) -> None:
    """The index passes, for it knows what is there; no path is left of what was there before."""
    was = pets.id("tom")
    tom(pets).write_text("other content")
    assert pets("verify", *quick).code == 5, "not indexed yet"
    pets.ok("index", str(pets.data))
    done = pets.ok("verify", *quick)
    new = hashlib.md5(b"other content").hexdigest()
    assert done.out == f"superseded  {tom(pets)}: id:{new} was indexed there since\n"
    assert "7 paths of 7 data objects, 6 ok, 1 superseded, 1 data object without a" in done.err
    assert "`ldb unindex id:…`" in done.err
    assert pets("verify", *quick, was).code == 3, "of an object that was asked for it is a loss"
    pets.ok("verify", *quick, str(pets.data / "cats"))
    tom(pets).unlink()
    assert pets("verify", *quick).code == 3, "nor is what was indexed there since"
    tom(pets).write_text("something else again")
    assert pets("verify", *quick).code == 5
    tom(pets).write_text("other content")
    pets.ok("index", str(pets.data))
    pets.ok("unindex", was)
    assert pets.ok("verify", *quick).out == ""


def test_edited_away_from_a_dataset(cats: Pets, pets: Pets) -> None:
    was = tom(pets).read_bytes()
    tom(pets).write_text("other content")
    pets.ok("index", str(pets.data))
    done = pets("verify", "ds:cats")
    assert (done.code, states(pets, "ds:cats")["kit"]) == (3, "ok")
    assert "1 superseded, 1 data object without a good path" in done.err
    pets.ok("verify", "ds:root")
    (pets.data / "again.jpg").write_bytes(was)
    pets.ok("index", str(pets.data))
    done = pets.ok("verify", "ds:cats")
    assert done.err == "verified 3 paths of 2 data objects, 2 ok, 1 superseded\n"


@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_removed_and_indexed_again(pets: Pets, quick: list[str]) -> None:
    """Missing until the index has seen it; from then on no fault of the index."""
    was = pets.id("tom")
    tom(pets).unlink()
    assert pets("verify", "ds:root", *quick).code == 3, "nobody said that it should be gone"
    pets.ok("index", str(pets.data))
    done = pets.ok("verify", "ds:root", *quick)
    assert done.out == f"gone        {tom(pets)}: was indexed as removed\n"
    assert "6 paths of 6 data objects, 5 ok, 1 gone, 1 data object without a good" in done.err
    assert "gone: the file was removed, and the index knows; `ldb unindex id:…`" in done.err
    assert pets("verify", *quick, was).code == 3, "of an object that was asked for it is a loss"
    tom(pets).write_text("not indexed")
    done = pets.ok("verify", "ds:root", *quick)
    assert "was indexed as removed; what is there now is not indexed" in done.out
    (pets.data / "dogs/rex.jpg").unlink()
    assert pets("verify", "ds:root", *quick).code == 3, "others are still told"
    pets.ok("index", str(pets.data))
    pets.ok("unindex", was, pets.id("rex"))
    assert pets.ok("verify", "ds:root", *quick).out == ""


def test_removed_from_under_a_dataset(cats: Pets, pets: Pets) -> None:
    was = tom(pets).read_bytes()
    tom(pets).unlink()
    pets.ok("index", str(pets.data))
    done = pets("verify", "ds:cats")
    assert (done.code, states(pets, "ds:cats")) == (3, {"tom": "gone", "kit": "ok"})
    assert "1 gone, 1 data object without a good path" in done.err
    pets.ok("verify", "ds:root")
    (pets.data / "again.jpg").write_bytes(was)
    pets.ok("index", str(pets.data))
    assert states(pets, "ds:cats") == {"again": "ok", "kit": "ok", "tom": "gone"}
    pets.ok("verify", "ds:cats")


def test_touched_is_a_change_to_a_quick_look_only(pets: Pets) -> None:
    os.utime(tom(pets), (1, 1))
    assert pets("verify", "--quick").code == 5
    pets.ok("verify")


def test_what_cannot_be_read(pets: Pets) -> None:
    tom(pets).unlink()
    tom(pets).mkdir()
    done = pets("verify")
    assert done.code == 1
    assert done.out == f"unreadable  {tom(pets)}: is not a regular file any more\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_right_to_read(pets: Pets) -> None:
    tom(pets).chmod(0)
    done = pets("verify")
    assert done.code == 1
    assert "Permission denied" in done.out


def test_an_object_with_another_path_is_not_lost(pets: Pets) -> None:
    copy = pets.data / "cats/copy.jpg"
    copy.write_bytes(tom(pets).read_bytes())
    pets.ok("index", str(pets.data))
    tom(pets).unlink()
    done = pets("verify")
    assert done.code == 3
    assert "without a good path" not in done.err
    assert "6 ok, 1 missing" in done.err


def test_sources_and_filters(cats: Pets, pets: Pets) -> None:
    assert set(states(pets)) == {"tom", "kit"}, "the draft, in a workspace"
    assert set(states(pets, "ds:root")) == ALL
    assert set(states(pets, "ds:root", "--query", "class == 'dog'")) == {"rex", "pup"}
    assert set(states(pets, str(pets.data / "birds"))) == {"ara", "owl"}
    assert pets("verify", "ds:nothing").code == 3


def test_verbose_tells_of_all(pets: Pets) -> None:
    lines = pets.ok("verify", "-v").out.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("ok ") for line in lines)


def test_many_in_worker_processes(pets: Pets) -> None:
    many = pets.data / "many"
    many.mkdir()
    for number in range(600):
        (many / f"{number}.txt").write_text(f"no. {number}")
    pets.ok("index", str(pets.data))
    for number in range(0, 600, 100):
        rot(many / f"{number + 99}.txt")
    done = pets("verify")
    assert done.code == 5
    assert len(done.out.splitlines()) == 6
    assert len(states(pets)) == 606


def test_nothing_is_written(pets: Pets, tmp_path: Path) -> None:
    def look(folder: Path) -> dict[str, Any]:
        return {
            str(path): (found.st_mtime_ns, found.st_size)
            for path in folder.rglob("*")
            if stat.S_ISREG((found := path.stat()).st_mode)
        }

    before = look(tmp_path)
    pets("verify")
    assert look(tmp_path) == before
