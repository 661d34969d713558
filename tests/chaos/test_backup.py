"""Copies made by plain tools beside a process that commits: sound when refs were copied first."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.instance import create
from ldb.porcelain.fsck import fsck

pytestmark = pytest.mark.skipif(os.name == "nt", reason="uses cp")

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "guide" / "backup.md"


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Path]:
    """The folder of an instance that somebody commits to all the time."""
    create(LocalBackend(tmp_path / "instance"))
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.committing", str(tmp_path / "instance")],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    yield tmp_path
    writer.communicate("stop\n", timeout=60)
    assert writer.returncode == 0


def commands(word: str) -> list[str]:
    """The shell commands of the page that begin with a word."""
    return [
        line.strip()
        for line in PAGE.read_text("utf-8").splitlines()
        if re.match(rf"    .*\b{word} -a", line)
    ]


def wait_for_a_commit(folder: Path) -> None:
    """Until the writer has committed once more: how fast it is, only the machine knows."""
    refs = folder / "refs" / "datasets"
    before, end = len(list(refs.rglob("*"))), time.monotonic() + 60
    while len(list(refs.rglob("*"))) <= before:
        assert time.monotonic() < end, "the writer has stopped"
        time.sleep(0.01)


def versions(folder: Path) -> int:
    report = fsck(LocalBackend(folder))
    assert report.sound, report.problems
    return report.checked.versions


def test_cp_beside_a_writer(busy: Path) -> None:
    (command,) = commands("cp")
    for _ in range(5):
        subprocess.run(command, shell=True, cwd=busy, check=True)
        assert versions(busy / "backup") >= 1
        shutil.rmtree(busy / "backup")
        wait_for_a_commit(busy / "instance")
    assert versions(busy / "instance") > 5


def test_copying_again_adds_what_is_new(busy: Path) -> None:
    """As `rsync --ignore-existing` does, with or without rsync on this machine."""
    steps = commands("rsync")
    assert len(steps) == 3
    counts = []
    for _ in range(4):
        for step in steps:
            *_, source, target = step.split()
            _copy_new(busy / source, busy / target, source)
        counts.append(versions(busy / "backup"))
        wait_for_a_commit(busy / "instance")
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


@pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync here")
def test_rsync_beside_a_writer(busy: Path) -> None:
    (busy / "backup").mkdir()
    for _ in range(3):
        for step in commands("rsync"):
            subprocess.run(step, shell=True, cwd=busy, check=True)
        assert versions(busy / "backup") >= 1


def test_objects_first_is_not_sound(tmp_path: Path) -> None:
    """Why the order matters: the same steps the other way round, a commit in between."""
    create(LocalBackend(tmp_path / "instance"))
    once = [sys.executable, "-m", "tests.chaos.committing", str(tmp_path / "instance")]
    (tmp_path / "backup").mkdir()
    shutil.copytree(tmp_path / "instance" / "objects", tmp_path / "backup" / "objects") if (
        tmp_path / "instance" / "objects"
    ).exists() else None
    writer = subprocess.Popen(
        once, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    writer.communicate("stop\n", timeout=60)
    shutil.copytree(tmp_path / "instance" / "refs", tmp_path / "backup" / "refs")
    shutil.copy(tmp_path / "instance" / "instance", tmp_path / "backup" / "instance")
    assert not fsck(LocalBackend(tmp_path / "backup")).sound


def test_restoring_is_copying_back(busy: Path) -> None:
    (command,) = commands("cp")
    subprocess.run(command, shell=True, cwd=busy, check=True)
    saved = versions(busy / "backup")
    shutil.copytree(busy / "backup", busy / "restored")
    assert versions(busy / "restored") == saved


def _copy_new(source: Path, target: Path, name: str) -> None:
    if not name.endswith("/"):
        target.mkdir(parents=True, exist_ok=True)
        target = target / source.name
        if not target.exists():
            shutil.copy2(source, target)
        return
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if path.is_file() and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, there)
