"""The frozen instance: what a release wrote, every later one must open and read the same.

How it was made: tests/golden/make_instance.py. It is never made again for the same format.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Ldb

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
EXPECTED = json.loads((GOLDEN / "instance.json").read_text())


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the frozen instance, the one that commands use."""
    folder = tmp_path / "instance"
    shutil.copytree(GOLDEN / "instance", folder)
    monkeypatch.setenv("LDB_DIR", str(folder))
    return folder


@pytest.mark.parametrize("version", sorted(EXPECTED["versions"]))
def test_a_version_gives_the_same_objects_and_annotations(
    ldb: Ldb, opened: Path, version: str
) -> None:
    wanted = EXPECTED["versions"][version]
    listed = ldb("list", "--json", version)
    assert [json.loads(line) for line in listed.out.splitlines()] == wanted["list"]
    values = ldb("eval", "--json", version)
    assert [json.loads(line) for line in values.out.splitlines()] == wanted["eval"]
    shown = ldb("eval", "--json", version, "--file-show", "@")
    assert [json.loads(line) for line in shown.out.splitlines()] == wanted["records"]
    assert ldb("rev-parse", version).out.split() == [wanted["commit"]]


def test_its_history_is_told_the_same(ldb: Ldb, opened: Path) -> None:
    for name, wanted in EXPECTED["logs"].items():
        logged = ldb("log", "--json", name)
        assert [json.loads(line) for line in logged.out.splitlines()] == wanted


def test_it_is_sound_and_can_be_continued(ldb: Ldb, opened: Path) -> None:
    assert ldb("fsck").code == 0
    os.makedirs("work")
    os.chdir("work")
    assert ldb("stage", "ds:pets").code == 0
    assert ldb("add", "ds:pets.v1").code == 0
    assert ldb("commit", "-m", "both").code == 0
    counts = json.loads(ldb("diff", "-s", "--json", "ds:pets.v1", "ds:pets").out)
    assert counts == {"added": 1, "removed": 0, "changed": 0}
    assert ldb("fsck").code == 0


def test_nothing_in_it_was_changed_by_reading(ldb: Ldb, opened: Path) -> None:
    ldb("list", "ds:root")
    ldb("log", "ds:pets")
    ldb("fsck")
    for folder, _, names in os.walk(GOLDEN / "instance"):
        for name in names:
            frozen = Path(folder, name)
            copy = opened / frozen.relative_to(GOLDEN / "instance")
            assert copy.read_bytes() == frozen.read_bytes()
