"""S3: each library against SeaweedFS, which checks credentials and keeps what it has taken."""

from __future__ import annotations

import pytest

from ldb.clouds.base import Client, Get
from ldb.errors import NotFound
from tests.clouds.buckets import Bucket
from tests.contracts.client import ClientContract
from tests.contracts.client_faults import ClientFaults


class TestS3fs(ClientContract):
    odd_keys = ()  # SeaweedFS refuses some and alters the others
    cuts = False  # it sorts by folder

    @pytest.fixture
    def store(self, s3_bucket: Bucket) -> Bucket:
        return s3_bucket


class TestObstore(TestS3fs):
    """Reads, lists and writes by obstore, the rest as above."""

    library = "obstore"

    def test_obstore_is_what_reads(self, store: Bucket) -> None:
        store.raw.put("a/key", b"value")
        with store.proxied() as other:
            client = other.client(library=self.library)
            assert client.get(Get("a/key", 1)) == b"alue"
            assert other.proxy is not None
            assert list(client.list("a/", limit=1))
            assert [seen.agent.partition("/")[0] for seen in other.proxy.log] == [
                "object_store",
                "object_store",
            ]

    def test_what_is_not_there_is_told_by_obstore_alone(self, store: Bucket) -> None:
        """A folder is looked for as an object first; loading s3fs takes longer than indexing it."""
        store.fill({"a/key": b"value"})
        with store.proxied() as other:
            client = other.client(library=self.library)
            assert other.proxy is not None
            with pytest.raises(NotFound, match=f"{other.url}/a$"):
                client.head("a")
            assert [seen.agent[:12] for seen in other.proxy.log] == ["object_store"]
            assert client.head("a/key").size == 5
            other.proxy.clear()
            with pytest.raises(NotFound):
                client.head("a")
            assert len(other.proxy.log) == 1, "the whole client is there now"

    def test_an_empty_object_is_listed_as_it_is(self, store: Bucket, client: Client) -> None:
        """obstore drops the slash that some tools mark an empty folder with."""
        store.fill({"a/full": b"x", "b/": b"", "b/empty": b""})
        assert [stat.key for stat in client.list()] == store.raw.list()

    def test_listings_of_one_page_ask_once(self, store: Bucket) -> None:
        """In the order of keys, though SeaweedFS sends `b/1` before `b-1`."""
        keys = ["a", "b-1", "b/1", "b/2/3"]
        store.fill(dict.fromkeys(keys, b"x"))
        with store.proxied() as other:
            assert other.proxy is not None
            client = other.client(library=self.library)
            for limit in (None, 1, 3, 9):
                other.proxy.clear()
                assert [stat.key for stat in client.list(limit=limit)] == keys[:limit]
                assert len(other.proxy.log) == 1


@pytest.mark.parametrize("code", [400, 501])
def test_a_store_without_deletes_of_many(s3_bucket: Bucket, code: int) -> None:
    """Some want an MD5 with it, which botocore does not send any more: one by one then."""
    s3_bucket.fill(dict.fromkeys("abc", b""))
    with s3_bucket.proxied() as other:
        assert other.proxy is not None
        other.proxy.add("status", method="POST", path="delete", code=code, body=b"")
        other.client().delete("ab")
        assert [seen.method for seen in other.proxy.log] == ["POST", "DELETE", "DELETE"]
        other.client().delete("bc")
    assert s3_bucket.raw.list() == []


class TestS3fsFaults(ClientFaults):
    @pytest.fixture
    def store(self, s3_bucket: Bucket) -> Bucket:
        return s3_bucket


class TestObstoreFaults(TestS3fsFaults):
    library = "obstore"
