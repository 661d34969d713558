"""Many writers and no locks, on real object stores: every commit and every index run is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.backends.opening import open_backend
from ldb.instance import create
from ldb.porcelain.fsck import fsck
from ldb.porcelain.gc import gc
from ldb.porcelain.place import Place
from ldb.porcelain.repack import repack
from ldb.porcelain.storage import add_storage
from tests.chaos.test_racing_commits import (
    PROJECT,
    Raced,
    commits_are_kept,
    ids_in,
    index_runs_are_kept,
)
from tests.clouds.buckets import Bucket

FULL = {"local": 16, "hot_s3_bucket": 16, "s3_bucket": 6, "gs_bucket": 16, "az_bucket": 16}
"""Writers of the races that take minutes: SeaweedFS is slow where many fight for one key."""
RUNS = 10

Ground = tuple[Place, dict[str, str]]

minutes = pytest.mark.skipif(
    "LDB_FULL_RACES" not in os.environ, reason="minutes: set LDB_FULL_RACES=1"
)


def place_in(bucket: Bucket, tmp_path: Path) -> Place:
    instance = create(open_backend(f"{bucket.url}/team/ldb", options=bucket.options))
    (tmp_path / "data").mkdir()
    found = Place(instance, str(tmp_path), "Ann")
    add_storage(found, str(tmp_path / "data"))
    return found


def environ(bucket: Bucket, tmp_path: Path) -> dict[str, str]:
    return {**bucket.environ, "RACERS_CACHE": str(tmp_path / "cache")}


@pytest.mark.parametrize("server", ["hot_s3_bucket", "gs_bucket", "az_bucket"])
@pytest.mark.slow
def test_a_few_writers(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> None:
    bucket: Bucket = request.getfixturevalue(server)
    place = place_in(bucket, tmp_path)
    commits_are_kept(place, tmp_path, 4, 4, environ(bucket, tmp_path))


@pytest.mark.slow
def test_six_writers_on_seaweedfs(s3_bucket: Bucket, tmp_path: Path) -> None:
    """Which is slow where many fight for one key."""
    place = place_in(s3_bucket, tmp_path)
    commits_are_kept(place, tmp_path, 6, 3, environ(s3_bucket, tmp_path))


@pytest.mark.parametrize("server", ["hot_s3_bucket", "gs_bucket", "az_bucket"])
@pytest.mark.slow
def test_index_runs(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> None:
    bucket: Bucket = request.getfixturevalue(server)
    index_runs_are_kept(place_in(bucket, tmp_path), tmp_path, environ=environ(bucket, tmp_path))


def full(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> Ground:
    if server != "local":
        bucket: Bucket = request.getfixturevalue(server)
        for name, value in bucket.environ.items():  # for processes that index many files
            request.getfixturevalue("monkeypatch").setenv(name, value)
        return place_in(bucket, tmp_path), environ(bucket, tmp_path)
    (tmp_path / "data").mkdir()
    place = Place(create(LocalBackend(tmp_path / "instance")), str(tmp_path), "Ann")
    add_storage(place, str(tmp_path / "data"))
    return place, {}


def told(server: str, what: str, raced: Raced) -> None:
    """For the table in docs/design/012: `pytest -rP` shows it."""
    sys.stdout.write(f"{server}: {what}: {raced}\n")


@pytest.mark.parametrize("server", FULL)
@pytest.mark.slow
@minutes
def test_fifty_commits_each(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> None:
    place, there = full(request, server, tmp_path)
    writers = FULL[server]
    raced = commits_are_kept(place, tmp_path, writers, 50, there)
    told(server, f"{writers} writers x 50 commits", raced)


@pytest.mark.parametrize("server", FULL)
@pytest.mark.slow
@minutes
def test_index_runs_of_all(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> None:
    place, there = full(request, server, tmp_path)
    writers = FULL[server]
    raced = index_runs_are_kept(place, tmp_path, writers, RUNS, there)
    told(server, f"{writers} writers x {RUNS} index runs", raced)


@pytest.mark.slow
def test_repack_and_gc_beside_a_live_writer(s3_bucket: Bucket, tmp_path: Path) -> None:
    """The writer never fails, and each version that it has told of is there."""
    place = place_in(s3_bucket, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.committing", place.instance.url],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environ(s3_bucket, tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout
        assert writer.stdin
        for _ in range(3):
            assert writer.stdout.readline()
            repack(place.refreshed().instance)
            gc(place.refreshed().instance, prune=True)
        writer.stdin.close()
        told = writer.stdout.read().split()
        assert writer.wait(60) == 0, writer.stderr and writer.stderr.read()
    count = int(told[-1]) if told else 3
    for number in range(1, count + 1):
        assert len(ids_in(place.refreshed().instance, f"ds:cats.v{number}")) == number
    assert fsck(place.instance.backend).sound
