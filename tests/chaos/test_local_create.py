"""`create` in a folder: killed at every step, failed at every step, raced by processes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ldb.backends.base import Outcome
from ldb.backends.local import LocalBackend
from ldb.errors import NotFound
from tests.chaos import racing_create
from tests.chaos.stopped_create import KEY, OLD, OTHER, SCENARIOS, VALUE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills forked processes")

PROJECT = Path(__file__).parents[2]
PUBLISHING = {"link", "replace", "rename_new"}


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a folder: what a kill does is the same there, and the
    thousands of flushes of these tests do not wait for a busy disk."""
    memory = "/dev/shm"
    if not os.access(memory, os.W_OK | os.X_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="ldb-test-", dir=memory) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Trial:
    root: Path
    calls: list[str]
    """In order; `refused X` where the system refused X, `fault X` where the test did."""
    said: str
    """Outcome or error; empty where the process was killed."""

    @property
    def published(self) -> bool:
        return bool(PUBLISHING.intersection(self.calls))

    def temporaries(self) -> list[Path]:
        folder = self.root / "tmp"
        return sorted(folder.iterdir()) if folder.exists() else []


def _trials(base: Path, scenario: str, fault: str) -> list[Trial]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.stopped_create", str(base), scenario, fault],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Trial(Path(one["root"]), one["calls"], one["said"]) for one in json.loads(done.stdout)]


def _value(backend: LocalBackend) -> bytes | None:
    try:
        return bytes(backend.read(KEY))
    except NotFound:
        return None


def _check_all_or_nothing(trial: Trial, scenario: str) -> bytes | None:
    """What a reader finds now: the whole value or none, and nothing besides."""
    backend = LocalBackend(trial.root)
    value = _value(backend)
    wanted = {"taken": OLD, "replaced": VALUE}.get(scenario, VALUE if trial.published else None)
    assert value == wanted, trial
    sizes = {KEY: len(value)} if value is not None else {}
    if scenario in ("taken", "replaced", "new key", "no links"):
        sizes[OTHER] = len(OLD)
        assert backend.read(OTHER) == OLD
    elif scenario == "new folder":
        sizes["instance"] = 2
    assert {entry.key: entry.size for entry in backend.list()} == sizes, trial
    assert backend.folders("refs/") == (["datasets"] if sizes.keys() & {KEY, OTHER} else [])
    return value


def _check_works_again(trial: Trial, value: bytes | None) -> None:
    """A repeated `create` succeeds; what was left behind is found, and can go."""
    backend = LocalBackend(trial.root)
    outcome = Outcome.CREATED if value is None else Outcome.EXISTS
    assert backend.create(KEY, VALUE) is outcome
    stale = backend.stale_temporaries(older_than=time.time() + 60)
    assert stale == trial.temporaries()
    assert backend.stale_temporaries(older_than=time.time() - 60) == []
    for path in stale:
        path.unlink()
    assert _value(backend) == (VALUE if value is None else value)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_every_step(base: Path, scenario: str) -> None:
    *killed, last = _trials(base, scenario, "kill")
    left = [len(trial.temporaries()) for trial in killed]
    assert set(left) == {0, 1}
    for trial in killed:
        assert trial.said == ""
        value = _check_all_or_nothing(trial, scenario)
        _check_works_again(trial, value)
    assert last.said == ("exists" if scenario == "taken" else "created")
    assert last.temporaries() == []
    # Before each call, after each that was done, and once amid the write.
    refused = sum(call.startswith("refused") for call in last.calls)
    assert len(killed) == 2 * len(last.calls) - refused + 1
    assert Counter(last.calls)["write"] == 1


@pytest.mark.parametrize("fault", ["ENOSPC", "EIO", "EACCES"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_failed_at_every_step(base: Path, scenario: str, fault: str) -> None:
    *failed, _ = _trials(base, scenario, fault)
    why = os.strerror(getattr(errno, fault))
    for trial in failed:
        failing = next(call for call in trial.calls if call.startswith("fault "))
        value = _check_all_or_nothing(trial, scenario)
        if trial.said in ("created", "exists"):
            # Without its old name gone, or with fewer readers, the value is still whole.
            assert failing in ("fault unlink", "fault chmod")
        else:
            assert trial.said.startswith("StoreFailed")
            assert str(trial.root) in trial.said
            assert why in trial.said
            assert trial.temporaries() == []
        _check_works_again(trial, value)
    assert {"fault open", "fault write", "fault fsync"} <= {
        call for trial in failed for call in trial.calls
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_order_of_calls_is_durable(base: Path, scenario: str) -> None:
    """Bytes reach the disk before the name, folders above before it, the name after it."""
    calls = [call for call in _trials(base, scenario, "EIO")[-1].calls if call != "close"]
    publishing = {
        "taken": ["refused link", "unlink"],
        "replaced": ["replace", "refused unlink"],
        "no links": ["rename_new", "refused unlink"],
    }
    named = publishing.get(scenario, ["link", "unlink"])
    end = ["open", "write", "fsync", *named, "open", "fsync"]
    before = calls[: -len(end)]
    assert calls == [*before, *end]
    # refs/datasets, refs and the root, whoever made the folders in them; above, whom we made.
    assert before.count("fsync") == 3 + (scenario == "new store")
    assert before.count("mkdir") == {"new store": 5, "new folder": 3}.get(scenario, 0)


def test_processes_race(tmp_path: Path) -> None:
    writers, readers, keys = 8, 2, 60
    command = [sys.executable, "-m", "tests.chaos.racing_create", str(tmp_path / "s"), str(keys)]
    processes = [
        subprocess.Popen(
            [*command, role],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role in [*map(str, range(writers)), *["reader"] * readers]
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    start = time.time() + 0.1
    for process in processes:
        assert process.stdin
        process.stdin.write(f"{start}\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs

    backend = LocalBackend(tmp_path / "s")
    winners: dict[int, int] = {}
    for writer in range(writers):
        for line in outputs[writer][0].splitlines():
            assert int(line) not in winners, f"key {line} was won twice"
            winners[int(line)] = writer
    assert sorted(winners) == list(range(keys))
    for number, writer in winners.items():
        value = backend.read(racing_create.key_of(number))
        assert value == racing_create.value_of(writer, number)
    assert len(list(backend.list())) == keys
    assert list((tmp_path / "s" / "tmp").iterdir()) == []
