"""Runs that are killed, interrupted, or meet a full disk: no half file under a final name."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldb.errors import StoreFailed
from ldb.instantiate.manifest import instantiated_files
from tests.instantiate.conftest import World

COUNT = 400

PROGRAM = """
import sys
import numpy as np
from ldb.backends.local import LocalBackend
from ldb.catalog import open_catalog
from ldb.instance import open_instance
from ldb.instantiate.options import InstantiateOptions
from ldb.instantiate.run import instantiate
instance = open_instance(LocalBackend(sys.argv[1]))
catalog = open_catalog(instance)
rows = list(catalog.rows())
ids = np.concatenate([each.keys for each in rows])
annotations = np.concatenate([each.fields[1] for each in rows])
options = InstantiateOptions(folder=sys.argv[2], processes=int(sys.argv[3]), link=sys.argv[4])
print("ready", flush=True)
instantiate(instance, catalog, ids, annotations, options)
print("done", flush=True)
"""


@pytest.fixture
def full_world(world: World) -> World:
    """Enough files for some batches, large enough that a stop finds one half-written."""
    for number in range(COUNT):
        world.put(f"f{number}.bin", number.to_bytes(4, "little") * 25_000, b'{"a": [1, 2]}')
    world.index()
    return world


def check(world: World) -> int:
    """Every file there is whole and listed; how many there are."""
    files = world.tree()
    for name, data in files.items():
        if name.endswith(".json"):
            assert data == b'{\n  "a": [\n    1,\n    2\n  ]\n}\n'
        else:
            assert hashlib.md5(data).hexdigest() in name
    assert set(files) <= set(instantiated_files(str(world.target)))
    return len(files)


def start(world: World, processes: int, link: str = "auto") -> subprocess.Popen[str]:
    root = world.instance.url.removeprefix("file://")
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, root, str(world.target), str(processes), link],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert program.stdout
    assert program.stdout.readline() == "ready\n"
    return program


def wait_for_files(world: World, count: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if world.target.is_dir() and len(os.listdir(world.target)) > count:
            return
        time.sleep(0.001)
    raise AssertionError("nothing is written")


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_leaves_whole_files_and_the_next_goes_on(
    full_world: World, sent: signal.Signals, processes: int
) -> None:
    world = full_world
    for already in (0, 100) if processes == 2 else (0,):
        program = start(world, processes)
        wait_for_files(world, already + 20)
        program.send_signal(sent)
        out, _ = program.communicate()
        assert program.returncode != 0, out
        wait_until_unlocked(world)
        if sent == signal.SIGINT:
            assert not (world.target / ".ldb_instantiating").exists()
        there = {name: data for name, data in world.tree().items() if "/" not in name}
        assert len(there) < 2 * COUNT
        shutil.rmtree(world.target / ".ldb_instantiating", ignore_errors=True)
        assert check(world) > 10
    before = check(world)
    report = world.run()
    assert report.already_there == before
    assert (report.problems, check(world)) == ([], 2 * COUNT)
    assert not (world.target / ".ldb_instantiating").exists()


def test_a_killed_run_of_hard_links_goes_on(full_world: World) -> None:
    world = full_world
    for path in world.source.iterdir():
        os.utime(path, ns=(10**18, 10**18))
    world.index()
    program = start(world, 2, "hardlink")
    wait_for_files(world, 20)
    program.kill()
    program.communicate()
    wait_until_unlocked(world)
    shutil.rmtree(world.target / ".ldb_instantiating", ignore_errors=True)
    before = check(world)
    assert before > 10
    report = world.run(link="hardlink", processes=2)
    assert report.already_there == before
    assert (report.problems, check(world)) == ([], 2 * COUNT)
    for number in range(COUNT):
        (made,) = world.target.glob(f"f{number}-*.bin")
        assert made.samefile(world.source / f"f{number}.bin")


def wait_until_unlocked(world: World) -> None:
    """Workers of a killed parent end by themselves, and soon."""
    import fcntl

    fd = os.open(world.target, os.O_RDONLY)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                assert time.monotonic() < until
                time.sleep(0.01)
    finally:
        os.close(fd)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        made = False
    if not made:
        pytest.skip("may not mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_ends_the_run_clearly(
    full_world: World, small_disk: Path, processes: int
) -> None:
    world = World(full_world.instance, full_world.source, small_disk / "target")
    with pytest.raises(StoreFailed, match="No space left") as caught:
        world.run(processes=processes)
    assert "free some space" in caught.value.hint
    assert check(world) > 0
    assert not (world.target / ".ldb_instantiating").exists()
    subprocess.run(["mount", "-o", "remount,size=90m", str(small_disk)], check=True)
    assert world.run(processes=processes).problems == []
    assert check(world) == 2 * COUNT


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_target_without_the_right_to_write(full_world: World) -> None:
    full_world.target.mkdir(mode=0o555)
    with pytest.raises(StoreFailed, match="Permission denied"):
        full_world.run()
