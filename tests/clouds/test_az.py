"""Azure Blob Storage: each library against Azurite."""

from __future__ import annotations

import pytest

from tests.clouds.buckets import Bucket
from tests.contracts.client import ClientContract


class TestAdlfs(ClientContract):
    odd_keys = ("a//b", "/a", "dir/")  # HTTP has no way to ask for the others

    @pytest.fixture
    def store(self, az_bucket: Bucket) -> Bucket:
        return az_bucket
