"""S3: each library against SeaweedFS, which checks credentials and keeps what it has taken."""

from __future__ import annotations

import pytest

from tests.clouds.buckets import Bucket
from tests.contracts.client import ClientContract


class TestS3fs(ClientContract):
    odd_keys = ()  # SeaweedFS refuses some and alters the others

    @pytest.fixture
    def store(self, s3_bucket: Bucket) -> Bucket:
        return s3_bucket
