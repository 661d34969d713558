"""Many writers and no locks, on real object stores: every commit and every index run is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.backends.opening import open_backend
from ldb.instance import create
from ldb.porcelain.place import Place
from ldb.porcelain.storage import add_storage
from tests.chaos.test_racing_commits import commits_are_kept, index_runs_are_kept
from tests.clouds.buckets import Bucket


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
    index_runs_are_kept(place_in(bucket, tmp_path), tmp_path, environ(bucket, tmp_path))


@pytest.mark.parametrize("server", ["local", "hot_s3_bucket", "gs_bucket", "az_bucket"])
@pytest.mark.slow
@pytest.mark.skipif("LDB_FULL_RACES" not in os.environ, reason="minutes: set LDB_FULL_RACES=1")
def test_sixteen_writers(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> None:
    if server == "local":
        (tmp_path / "data").mkdir()
        place = Place(create(LocalBackend(tmp_path / "instance")), str(tmp_path), "Ann")
        add_storage(place, str(tmp_path / "data"))
        return commits_are_kept(place, tmp_path, 16, 50)
    bucket: Bucket = request.getfixturevalue(server)
    place = place_in(bucket, tmp_path)
    return commits_are_kept(place, tmp_path, 16, 50, environ(bucket, tmp_path))
