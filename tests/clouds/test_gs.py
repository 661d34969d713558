"""Google Cloud Storage: each library against our own small server."""

from __future__ import annotations

import pytest

from tests.clouds.buckets import Bucket
from tests.contracts.client import ClientContract, ObstoreReads
from tests.contracts.client_faults import ClientFaults


class TestGcsfs(ClientContract):
    @pytest.fixture
    def store(self, gs_bucket: Bucket) -> Bucket:
        return gs_bucket


class TestObstore(ObstoreReads, TestGcsfs):
    """Reads by obstore, the rest as above."""


class TestGcsfsFaults(ClientFaults):
    @pytest.fixture
    def store(self, gs_bucket: Bucket) -> Bucket:
        return gs_bucket


@pytest.mark.slow  # each kind of fault is tried every day on S3
class TestObstoreFaults(TestGcsfsFaults):
    library = "obstore"
