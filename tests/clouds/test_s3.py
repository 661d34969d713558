"""S3: each library against SeaweedFS, which checks credentials and keeps what it has taken."""

from __future__ import annotations

import pytest

from ldb.clouds.base import Get
from tests.clouds.buckets import Bucket
from tests.contracts.client import ClientContract
from tests.contracts.client_faults import ClientFaults


class TestS3fs(ClientContract):
    odd_keys = ()  # SeaweedFS refuses some and alters the others

    @pytest.fixture
    def store(self, s3_bucket: Bucket) -> Bucket:
        return s3_bucket


class TestObstore(TestS3fs):
    """Reads by obstore, the rest as above."""

    library = "obstore"

    def test_obstore_is_what_reads(self, store: Bucket) -> None:
        store.raw.put("a/key", b"value")
        with store.proxied() as other:
            client = other.client(library=self.library)
            assert client.get(Get("a/key", 1)) == b"alue"
            assert other.proxy is not None
            assert [seen.agent.partition("/")[0] for seen in other.proxy.log] == ["object_store"]


class TestS3fsFaults(ClientFaults):
    @pytest.fixture
    def store(self, s3_bucket: Bucket) -> Bucket:
        return s3_bucket


class TestObstoreFaults(TestS3fsFaults):
    library = "obstore"
