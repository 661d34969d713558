"""Azure Blob Storage: each library against Azurite."""

from __future__ import annotations

import pytest

from ldb.clouds.base import Get
from tests.clouds.buckets import Bucket
from tests.contracts.client import ClientContract
from tests.contracts.client_faults import ClientFaults


class TestAdlfs(ClientContract):
    odd_keys = ("a//b", "/a", "dir/")  # HTTP has no way to ask for the others

    @pytest.fixture
    def store(self, az_bucket: Bucket) -> Bucket:
        return az_bucket


class TestObstore(TestAdlfs):
    """Reads by obstore, the rest as above."""

    library = "obstore"

    def test_obstore_is_what_reads(self, store: Bucket) -> None:
        store.raw.put("a/key", b"value")
        with store.proxied() as other:
            client = other.client(library=self.library)
            assert client.get(Get("a/key", 1)) == b"alue"
            assert other.proxy is not None
            assert [seen.agent.partition("/")[0] for seen in other.proxy.log] == ["object_store"]


class TestAdlfsFaults(ClientFaults):
    @pytest.fixture
    def store(self, az_bucket: Bucket) -> Bucket:
        return az_bucket


@pytest.mark.slow  # each kind of fault is tried every day on S3
class TestObstoreFaults(TestAdlfsFaults):
    library = "obstore"
