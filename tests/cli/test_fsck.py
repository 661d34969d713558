"""`ldb fsck` on the command line."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import Ldb
from tests.porcelain.fsck.samples import make_instance


@pytest.fixture
def base(tmp_path: Path) -> Path:
    make_instance(tmp_path)
    return tmp_path


def largest_pack(base: Path) -> Path:
    return max((base / "instance").rglob("*.pack"), key=lambda path: path.stat().st_size)


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.chmod(0o644)
    path.write_bytes(data)


def test_sound(ldb: Ldb, base: Path) -> None:
    result = ldb("--instance", str(base / "instance"), "fsck")
    assert (result.code, result.out) == (0, "")
    assert "7 versions: all sound" in result.err
    assert "nothing refers to" in ldb("--instance", str(base / "instance"), "fsck", "-v").err


def test_damage_is_named_with_exit_code_5(ldb: Ldb, base: Path) -> None:
    pack = largest_pack(base)
    flip(pack, 100)
    result = ldb("--instance", str(base / "instance"), "fsck")
    assert result.code == 5
    first, second = result.out.splitlines()
    assert first.startswith(f"objects/pack/{pack.name}: block ")
    assert second.startswith("  needed by ds:")
    assert "1 problem(s)" in result.err


def test_a_lost_pack_is_told_in_a_few_lines(ldb: Ldb, base: Path) -> None:
    """With the pack's name where files made from it are left; `-v` and --json name each blob."""
    instance = ("--instance", str(base / "instance"))
    packs = (base / "instance").rglob("*.pack")
    pack = max(packs, key=lambda path: ldb(*instance, "show-pack", str(path)).out.count("record"))
    pack.with_suffix(".record.arrow").touch()  # so small a pack has none
    pack.unlink()
    value = json.loads(ldb(*instance, "fsck", "--json").out)
    assert value["lost_packs"] == [f"objects/pack/{pack.name}"]
    total = len(value["problems"])
    whys = Counter(each["why"] for each in value["problems"])
    assert max(whys.values()) > 3
    result = ldb(*instance, "fsck")
    assert result.code == 5
    first, second, *others = result.out.splitlines()
    assert first.startswith(f"{total} problems of {len(whys)} kinds; ")
    assert second == f"objects/pack/{pack.name} is not there, and files made from it are"
    grouped = dict(line.split(" times: ") for line in others if " times: " in line)
    assert {int(count) for count in grouped} == {each for each in whys.values() if each > 3}
    assert len(others) < total
    told = ldb(*instance, "fsck", "-v").out
    assert told.startswith(first)
    assert all(f"{each['name']}: {each['why']}\n" in told for each in value["problems"])


def test_json(ldb: Ldb, base: Path) -> None:
    flip(largest_pack(base), 100)
    result = ldb("--instance", str(base / "instance"), "fsck", "--json")
    value = json.loads(result.out)
    assert result.code == 5
    assert set(value) == {"sound", "problems", "more", "lost_packs", "notes", "checked"}
    assert set(value["problems"][0]) == {"name", "why", "needed_by"}
    assert value["checked"]["versions"] == 7


def test_the_workspace_around_the_user(ldb: Ldb, base: Path) -> None:
    """Its damaged state names no instance any more, so the settings' is checked with it."""
    workspace = str(base / "cats")
    assert ldb("-C", workspace, "fsck").code == 0
    state = base / "cats" / ".ldb_workspace" / "state"
    flip(state, 50)
    assert ldb("-C", workspace, "fsck").code == 3
    ldb("config", "set", "core.instance", str(base / "instance"))
    for args in (("-C", workspace, "fsck"), ("fsck", "--workspace", workspace)):
        result = ldb(*args)
        assert result.code == 5
        assert str(state) in result.out


def test_no_such_workspace(ldb: Ldb, base: Path) -> None:
    instance = str(base / "instance")
    assert ldb("--instance", instance, "fsck", "--workspace", str(base)).code == 3


def test_damaged_instance_file(ldb: Ldb, base: Path) -> None:
    flip(base / "instance" / "instance", 30)
    result = ldb("--instance", str(base / "instance"), "fsck")
    assert result.code == 5
    assert result.out.startswith("instance: ")
    assert "1 problem(s)" in result.err


def test_repair_from_a_copy(ldb: Ldb, base: Path) -> None:
    """Told what was mended, and then checked as without `--repair`."""
    shutil.copytree(base / "instance", base / "copy")
    instance = ("--instance", str(base / "instance"))
    pack = largest_pack(base)
    flip(pack, 100)
    alone = ldb(*instance, "fsck", "--repair")
    assert alone.code == 5
    assert "not mended: " in alone.err
    done = ldb("-C", str(base), *instance, "fsck", "--repair", "--from", "copy")
    assert done.code == 0
    assert f"mended: objects/pack/{pack.name}: taken from the copy" in done.err
    value = json.loads(ldb(*instance, "fsck", "--repair", "--json").out)
    assert (value["sound"], value["mended"], value["lost"]) == (True, [], [])
    assert ldb(*instance, "fsck", "--from", "copy").code == 2
    assert ldb(*instance, "fsck", "--repair", "--from", str(base / "data")).code == 3
