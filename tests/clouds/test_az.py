"""Azure Blob Storage: each library against Azurite."""

from __future__ import annotations

import pytest

from tests.clouds.buckets import Bucket
from tests.contracts.client import ClientContract, ObstoreReads
from tests.contracts.client_faults import ClientFaults


class TestAdlfs(ClientContract):
    odd_keys = ("a//b", "/a", "dir/")  # HTTP has no way to ask for the others

    @pytest.fixture
    def store(self, az_bucket: Bucket) -> Bucket:
        return az_bucket


class TestObstore(ObstoreReads, TestAdlfs):
    """Reads by obstore, the rest as above."""


class TestAdlfsFaults(ClientFaults):
    @pytest.fixture
    def store(self, az_bucket: Bucket) -> Bucket:
        return az_bucket


@pytest.mark.slow  # each kind of fault is tried every day on S3
class TestObstoreFaults(TestAdlfsFaults):
    library = "obstore"
