"""Runs that are killed or interrupted: nothing is half-visible, and the next run works."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldb.indexing.scan import BATCH
from tests.indexing.conftest import Box, wait_for

ROOT = Path(__file__).resolve().parents[2]
FILES = 8 * BATCH

pytestmark = pytest.mark.skipif(
    not os.path.exists(f"/proc/{os.getpid()}/task"), reason="needs /proc to find the workers"
)


@pytest.fixture
def full_box(box: Box) -> Box:
    """Enough files for several batches a worker."""
    for number in range(FILES):
        (box.folder / f"{number}.jpg").write_text(f"image {number}")
    return box


@contextlib.contextmanager
def process(*words: object) -> Iterator[subprocess.Popen[str]]:
    """Python with these arguments, in a process group of its own; killed at the end."""
    with subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as run:
        try:
            yield run
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)


@contextlib.contextmanager
def paused(box: Box) -> Iterator[subprocess.Popen[str]]:
    """A run with two workers, in the middle."""
    script = Path(__file__).with_name("paused_run.py")
    with process(script, box.instance.url, box.folder, 2) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "middle\n"
        yield run


def children(pid: int) -> list[int]:
    """The running children of a process."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def next_run_works(box: Box) -> None:
    assert box.version() == 0
    box.instance.objects.refresh()
    report = box.index(processes=2)
    assert (report.found_objects, report.new_objects, report.problems) == (FILES, FILES, [])
    assert len(box.objects()) == FILES


def test_paused_run_goes_on(full_box: Box) -> None:
    """The other tests here mean something: without the kill this run ends well."""
    with paused(full_box) as run:
        assert full_box.version() == 0
        assert run.communicate("\n")[0] == "done\n"
    assert full_box.version() == 1


def test_worker_killed(full_box: Box) -> None:
    with paused(full_box) as run:
        workers = children(run.pid)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        wait_for(lambda: not running(workers[0]))
        out = run.communicate("\n")[0]
        assert "StoreFailed" in out
        assert "a worker process died" in out
        wait_for(lambda: not running(workers[1]))
    next_run_works(full_box)


def test_parent_killed(full_box: Box) -> None:
    with paused(full_box) as run:
        workers = children(run.pid)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        wait_for(lambda: not any(map(running, workers)))
    next_run_works(full_box)


def test_everything_killed(full_box: Box) -> None:
    with paused(full_box) as run:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    next_run_works(full_box)


@pytest.mark.parametrize("delay", [0, 0.02])
def test_interrupted(full_box: Box, delay: float) -> None:
    """Ctrl-C goes to the whole process group, from the moment that workers start."""
    main = ("-m", "ldb.cli.main", "--instance", full_box.instance.url)
    add = [sys.executable, *main, "add-storage", str(full_box.folder)]
    subprocess.run(add, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    with process(*main, "index", full_box.folder) as run:
        wait_for(lambda: children(run.pid) or run.poll() is not None)
        workers = children(run.pid)
        time.sleep(delay)
        os.killpg(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=60)
        assert (run.returncode, err.strip()) == (130, "interrupted")
        wait_for(lambda: not any(map(running, workers)))
    next_run_works(full_box)
