"""`ldb status`: the draft, or a dataset, at a glance."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.porcelain.conftest import Pets


def test_new_dataset(pets: Pets) -> None:
    pets.ok("stage", "ds:dogs")
    assert pets.ok("status").out == "ds:dogs, new\n0 data objects\nno changes\n"
    pets.ok("add", pets.id("rex"))
    assert pets.ok("status").out == (
        "ds:dogs, new\n1 data object\nchanges: 1 added, 0 removed, 0 with another annotation\n"
    )


def test_changes(cats: Pets) -> None:
    cats.annotate("tom", {"class": "cat"})
    cats.ok("add", cats.id("tom"), cats.id("rex"), cats.id("pup"))
    cats.ok("del", cats.id("kit"))
    assert cats.ok("status").out == (
        "ds:cats, staged from ds:cats.v1\n3 data objects\n"
        "changes: 2 added, 1 removed, 1 with another annotation\n"
    )
    (value,) = cats.json("status")
    assert value == {
        "workspace": str(cats.folder), "dataset": "ds:cats", "base": "ds:cats.v1", "objects": 3,
        "added": 2, "removed": 1, "changed": 1, "newest": "ds:cats.v1", "behind": 0,
        "transforms": 0, "deleted": False, "renamed": None,
    }  # fmt: skip


def test_from_a_folder_below(cats: Pets) -> None:
    assert cats.at(cats.folder / "a" / "b").ok("status").out == cats.ok("status").out


def test_other_transforms(cats: Pets) -> None:
    """Told as what they are; an object with another annotation too counts as one of those."""
    cats.ok("config", "set", "transform.small.run", '["true"]')
    cats.ok("transform", "-a", "small")
    line = "changes: 0 added, 0 removed, 0 with another annotation, 2 with other transforms"
    assert cats.ok("status").out.splitlines()[-1] == line
    cats.annotate("tom", {"class": "lion"})
    cats.ok("pull")
    cats.ok("del", cats.id("kit"))
    cats.ok("add", cats.id("rex"))
    line = "changes: 1 added, 1 removed, 1 with another annotation"
    assert cats.ok("status").out.splitlines()[-1] == line
    cats.ok("commit")
    cats.ok("transform", "-s", "self", cats.id("tom"))
    (value,) = cats.json("status")
    assert (value["changed"], value["transforms"]) == (1, 1)


def test_behind(cats: Pets, tmp_path: Path) -> None:
    other = cats.at(tmp_path / "other")
    other.ok("stage", "ds:cats")
    for name in ("rex", "pup"):
        other.ok("add", other.id(name))
        other.ok("commit")
    assert cats.ok("status").out.splitlines()[-1] == (
        "ds:cats.v3 is newer: `ldb commit` merges with it"
    )
    assert cats.json("status")[0]["behind"] == 2


def test_draft_without_a_name(pets: Pets) -> None:
    pets.ok("get", pets.id("tom"))
    assert pets.ok("status").out.startswith("a draft without a name, new\n1 data object\n")
    assert pets.json("status")[0]["dataset"] is None


def test_dataset(cats: Pets, tmp_path: Path) -> None:
    outside = cats.at(tmp_path / "outside")
    first, second, third = outside.ok("status", "ds:cats").out.splitlines()
    assert first.startswith("ds:cats.v1, 20")
    assert (second, third) == ("2 data objects", "the cats")
    assert outside.ok("status", "ds:root").out.startswith("ds:root.v1, ")
    (value,) = outside.json("status", "ds:cats")
    assert (value["version"], value["objects"], value["newest"]) == ("ds:cats.v1", 2, "ds:cats.v1")


def test_older_and_deleted_versions(cats: Pets) -> None:
    cats.ok("del", cats.id("kit"))
    cats.ok("commit")
    for name in ("ds:cats.v1", "ds:cats~1"):
        assert cats.ok("status", name).out.splitlines()[-1] == "ds:cats.v2 is newer"
    cats.ok("ds", "del", "ds:cats")
    assert cats.ok("status", "ds:cats.v1").out.splitlines()[-1] == "the dataset was deleted since"
    assert "versions up to .v2" in cats.fails(3, "status", "ds:cats")


def test_of_another_instance(cats: Pets, tmp_path: Path) -> None:
    other = str(tmp_path / "second")
    cats.ok("init", other)
    for command in (("status",), ("commit",)):
        assert "hint: use its own: ldb --instance " in cats.fails(4, "--instance", other, *command)


def test_no_workspace(pets: Pets) -> None:
    assert "ldb stage ds:NAME" in pets.fails(3, "status")


def test_unknown_names(pets: Pets) -> None:
    assert "`ldb ds list`" in pets.fails(3, "status", "ds:none")
    assert "contains '/'" in pets.fails(2, "status", "ds:a/b")


def test_another_instance(cats: Pets, tmp_path: Path) -> None:
    cats.ok("init", str(tmp_path / "second"))
    message = cats.fails(4, "--instance", str(tmp_path / "second"), "status")
    assert str(tmp_path / "instance") in message


def test_loads_no_arrays(cats: Pets, environment: dict[str, str]) -> None:
    code = "import sys; from ldb.cli.main import main; main(['status']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cats.folder, env=environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("ds:cats")
    assert "numpy" not in done.stdout.split()
