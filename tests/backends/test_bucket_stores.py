"""The store of instances on real object-store servers, by each library, and with the cache.

Each test has a prefix of its own in a bucket that they share: making one takes longer than a test.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldb.backends.base import Backend
from ldb.backends.cached import CachedBackend
from ldb.backends.objectcache import CacheSettings
from ldb.backends.opening import open_backend
from tests.clouds.buckets import Bucket, fresh_bucket
from tests.clouds.fixtures import FIXTURES
from tests.contracts.backend import BackendContract

pytestmark = pytest.mark.cloud
_numbers = itertools.count()


@pytest.fixture(scope="module", params=["s3_bucket", "gs_bucket", "az_bucket"])
def shared(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[Bucket]:
    with fresh_bucket(*FIXTURES[request.param], server_folder) as bucket:
        yield bucket


@pytest.fixture(params=["fsspec", "obstore", "cached"])
def backend(request: pytest.FixtureRequest, shared: Bucket, tmp_path: Path) -> Backend:
    url = f"{shared.url}/{next(_numbers)}/ldb"
    if request.param == "cached":  # what it does is the same above all libraries
        cache = CacheSettings(str(tmp_path / "cache"), 1 << 30)
        found = open_backend(url, cache, shared.options)
        assert isinstance(found, CachedBackend)
        found._marker, found._confirmed = b"an instance", True
        return found
    return open_backend(url, options={**shared.options, "library": request.param})


class TestBucketStores(BackendContract):
    writers = 6
    rounds = 2

    @pytest.mark.parametrize("key", ["", "../a", "_a", "é"])
    def test_hostile_keys(self, backend: Backend, key: str) -> None:
        """Which of them are refused is tested without a store."""
        super().test_hostile_keys(backend, key)

    def test_folder_without_values_is_none(  # type: ignore[override]
        self, backend: Backend, shared: Bucket
    ) -> None:
        if shared.scheme == "s3":
            pytest.skip("SeaweedFS goes on listing a folder that was emptied")
        super().test_folder_without_values_is_none(backend)
