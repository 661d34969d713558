"""Google Cloud Storage: each library against our own small server."""

from __future__ import annotations

import pytest

from tests.clouds.buckets import Bucket
from tests.contracts.client import ClientContract


class TestGcsfs(ClientContract):
    @pytest.fixture
    def store(self, gs_bucket: Bucket) -> Bucket:
        return gs_bucket
