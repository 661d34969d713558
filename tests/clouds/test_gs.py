"""Google Cloud Storage: each library against our own small server."""

from __future__ import annotations

import pytest

from ldb.clouds.base import Get
from tests.clouds.buckets import Bucket
from tests.contracts.client import ClientContract
from tests.contracts.client_faults import ClientFaults


class TestGcsfs(ClientContract):
    @pytest.fixture
    def store(self, gs_bucket: Bucket) -> Bucket:
        return gs_bucket


class TestObstore(TestGcsfs):
    """Reads by obstore, the rest as above."""

    library = "obstore"

    def test_obstore_is_what_reads(self, store: Bucket) -> None:
        store.raw.put("a/key", b"value")
        with store.proxied() as other:
            client = other.client(library=self.library)
            assert client.get(Get("a/key", 1)) == b"alue"
            assert other.proxy is not None
            assert [seen.agent.partition("/")[0] for seen in other.proxy.log] == ["object_store"]


class TestGcsfsFaults(ClientFaults):
    @pytest.fixture
    def store(self, gs_bucket: Bucket) -> Bucket:
        return gs_bucket


@pytest.mark.slow  # each kind of fault is tried every day on S3
class TestObstoreFaults(TestGcsfsFaults):
    library = "obstore"
