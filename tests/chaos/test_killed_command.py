"""Commands killed or interrupted at every step: nothing is lost, nothing half-visible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.chaos.killed_command import COMMANDS, Trial

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills forked processes")

PROJECT = Path(__file__).parents[2]

DONE_ALREADY = {
    "init": (4, "found an LDB instance"),
    "unindex": (3, "not found"),
    "rename": (3, "it was renamed to ds:"),
    "delete": (3, "it was deleted"),
}
"""What the second run says where the first did all that was asked for before it ended."""

HARMLESS = (
    "nothing refers to ",
    "is named by no ref",
    "was left by a command that was killed",
    "are stored more than once",
)
"""What fsck may note after a kill."""

LONG = ("merge datasets", "split", "refresh", "import")
"""Left to the slow tests: they publish as `commit` does."""

INTERRUPTED = ("init", "first index", "index in workers", "stage", "commit", "rename")


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a folder: a kill does the same there."""
    memory = "/dev/shm"
    if not os.access(memory, os.W_OK | os.X_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="ldb-test-", dir=memory) as folder:
        yield Path(folder)


def trials(
    base: Path, scenario: str, kind: str, module: str = "killed_command", where: Sequence[str] = ()
) -> tuple[list[Trial], Trial]:
    """The stopped ones, and the one that got through; `where`: what else the module is told."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.chaos.{module}", str(base), scenario, kind, *where],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *stopped, last = [Trial(**one) for one in json.loads(done.stdout)]
    assert last.code == 0, last.said
    assert not last.problems
    return stopped, last


def check(trial: Trial, last: Trial, scenario: str) -> None:
    """What holds after a command was stopped, and after it was run again."""
    lost = [name for name in trial.lost if scenario != "gc" or not name.startswith("objects/")]
    assert not lost, trial
    assert not trial.problems, trial
    assert all(any(each in note for each in HARMLESS) for note in trial.notes), trial.notes
    assert trial.versions >= trial.versions_before
    if trial.again:
        code, said = DONE_ALREADY[scenario]
        assert trial.again == code, trial
        assert said in trial.said_again
    assert not trial.problems_again, trial
    assert trial.roots == last.roots, trial


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(each, marks=[pytest.mark.slow] * (each in LONG)) for each in COMMANDS],
)
def test_killed_at_every_step(base: Path, scenario: str) -> None:
    stopped, last = trials(base, scenario, "KILL")
    for trial in stopped:
        if scenario == "index in workers" and trial.code == 1:
            assert "a worker process died" in trial.said
        else:
            assert trial.code == -9, trial
        check(trial, last, scenario)
    points = {trial.stopped for trial in stopped}
    assert {"before write", "amid write", "before fsync"} <= points
    if scenario not in ("stage", "add"):  # which change the workspace alone
        assert "before link" in points
    assert len(stopped) > 7


@pytest.mark.parametrize("scenario", INTERRUPTED)
def test_interrupted_at_every_step(base: Path, scenario: str) -> None:
    stopped, last = trials(base, scenario, "INT")
    for trial in stopped:
        assert trial.code == 130, trial
        assert trial.said.endswith("interrupted\n")
        assert "Traceback" not in trial.said
        assert not any("left by" in note for note in trial.notes), "clean after Ctrl-C"
        check(trial, last, scenario)
    assert len(stopped) > 5
