"""pytest plugin: buckets on real object-store servers, for the tests of every folder.

    def test_something(bucket: Bucket) -> None:            # three times: s3, gs, az
    def test_other(s3_bucket: Bucket) -> None:             # or gs_bucket, az_bucket, hot_s3_bucket

Whatever uses one is marked `cloud`. Without the server the test is skipped and says why; with CI
set, that is a failure. One server of a kind runs for the whole session and all its workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clouds import servers
from tests.clouds.buckets import Bucket, fresh_bucket

FIXTURES = {
    "s3_bucket": ("s3", "seaweedfs"),
    "gs_bucket": ("gs", "minigcs"),
    "az_bucket": ("az", "azurite"),
    "hot_s3_bucket": ("s3", "ministack"),
    "fake_gs_bucket": ("gs", "fakegcs"),
}
"""Scheme and server of each. SeaweedFS checks credentials and keeps what it acknowledged, but is
slow where many fight for one key; ministack is fast there and checks no credentials."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"bucket", *FIXTURES} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.cloud)


@pytest.fixture(scope="session")
def server_folder(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """Where the workers of this session note the servers that run."""
    base = tmp_path_factory.getbasetemp()
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    folder = (base.parent if worker else base) / "servers"
    yield folder
    if not worker:
        servers.stop_all(folder)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The process that started the workers stops the servers at their end."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    distributed = session.config.pluginmanager.hasplugin("dsession")
    if factory is not None and distributed:
        servers.stop_all(factory.getbasetemp() / "servers")


def _bucket(fixture: str, folder: Path) -> Iterator[Bucket]:
    scheme, kind = FIXTURES[fixture]
    why = servers.missing(kind)
    if why and os.environ.get("CI"):
        pytest.fail(why)
    if why:
        pytest.skip(why)
    with fresh_bucket(scheme, kind, folder) as bucket:
        yield bucket


@pytest.fixture
def s3_bucket(server_folder: Path) -> Iterator[Bucket]:
    yield from _bucket("s3_bucket", server_folder)


@pytest.fixture
def gs_bucket(server_folder: Path) -> Iterator[Bucket]:
    yield from _bucket("gs_bucket", server_folder)


@pytest.fixture
def az_bucket(server_folder: Path) -> Iterator[Bucket]:
    yield from _bucket("az_bucket", server_folder)


@pytest.fixture
def hot_s3_bucket(server_folder: Path) -> Iterator[Bucket]:
    """For many writers of one key."""
    yield from _bucket("hot_s3_bucket", server_folder)


@pytest.fixture
def fake_gs_bucket(server_folder: Path) -> Iterator[Bucket]:
    yield from _bucket("fake_gs_bucket", server_folder)


@pytest.fixture(params=["s3", "gs", "az"])
def bucket(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[Bucket]:
    """A fresh bucket, in turn on S3, Google Cloud Storage and Azure."""
    yield from _bucket(f"{request.param}_bucket", server_folder)
