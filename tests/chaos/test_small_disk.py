"""Full and read-only disks: a clear error, exit code 1, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from tests.chaos.small_disk import READING, WRITING, Attempt

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does")

PROJECT = Path(__file__).parents[2]
OWN_MOUNTS = ["unshare", "--mount"]


def can_mount() -> bool:
    """Whether this user may mount file systems that nobody else sees."""
    if not shutil.which("unshare"):
        return False
    command = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(
    sys.platform != "linux" or not can_mount(), reason="may not mount"
)


def attempts(tmp_path: Path, trouble: str, wrapper: list[str]) -> list[Attempt]:
    disk, data = tmp_path / "disk", tmp_path / "data"
    disk.mkdir()
    data.mkdir()
    for number in range(40):
        (data / f"{number:02}.jpg").write_bytes(b"image %d" % number)
        note = {"n": number, "noise": os.urandom(200).hex()}
        (data / f"{number:02}.json").write_text(json.dumps(note))
    done = subprocess.run(
        [*wrapper, sys.executable, "-m", "tests.chaos.small_disk", str(disk), str(data), trouble],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [Attempt(**each) for each in json.loads(done.stdout)]


def check_nothing_lost(done: Attempt) -> None:
    assert not done.lost, done
    assert not done.left, done
    assert not done.problems, done
    assert done.workspace_kept, done


def check_failed(done: Attempt, *reasons: str) -> None:
    assert done.code == 1, done
    assert done.err.startswith("error: "), done
    assert "Traceback" not in done.err, done
    assert any(reason in done.err for reason in reasons), done
    check_nothing_lost(done)


def check_series(found: list[Attempt], *reasons: str) -> None:
    """Each command failed for want of room until there was enough, and then succeeded."""
    runs = [(command, list(each)) for command, each in groupby(found, lambda one: one.command)]
    assert [command for command, _ in runs] == list(WRITING)
    for _, (*failed, last) in runs:
        assert failed
        for done in failed:
            check_failed(done, *reasons)
        assert last.code == 0, last
        check_nothing_lost(last)


@needs_mounts
def test_full_disk(tmp_path: Path) -> None:
    check_series(attempts(tmp_path, "full", OWN_MOUNTS), "No space left on device")


def test_limit_on_file_size(tmp_path: Path) -> None:
    """Like a full disk that any user can make."""
    check_series(attempts(tmp_path, "limited", []), "File too large")


@needs_mounts
def test_read_only(tmp_path: Path) -> None:
    found = attempts(tmp_path, "readonly", OWN_MOUNTS)
    for done in found[: len(READING)]:
        assert done.code == 0, done
        check_nothing_lost(done)
    for done in found[len(READING) :]:
        check_failed(done, "Read-only file system")
        assert "hint: it is mounted read-only" in done.err, done
