"""The backend over a bucket: its logic, on a bucket in memory.

On real servers: test_bucket_stores.py.
"""

from __future__ import annotations

import pickle
import random

import pytest

from ldb.backends.base import MAX_CONDITIONAL, Backend, Outcome, Range
from ldb.backends.bucket import BucketBackend
from ldb.clouds.base import Put, Stat
from ldb.clouds.opening import open_client
from ldb.errors import BadInput, StoreFailed
from tests.clouds.memory import MemoryClient, opener
from tests.contracts.backend import BackendContract

CREATED, EXISTS = Outcome.CREATED, Outcome.EXISTS


class TestBucketBackend(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return backend_on(MemoryClient())


def backend_on(client: MemoryClient) -> BucketBackend:
    return BucketBackend("s3://bucket/team/ldb", opener(client))


class Doubtful(MemoryClient):
    """Loses answers: `told` says of each create whether it is done, and what is answered."""

    def __init__(self, *told: tuple[bool, Put]) -> None:
        super().__init__()
        self.told = list(told)

    def create(self, key: str, data: bytes) -> Put:
        done, answer = self.told.pop(0) if self.told else (True, None)
        outcome = super().create(key, data) if done else Put.DOUBT
        return answer or outcome


def test_a_lost_answer_of_ours() -> None:
    client = Doubtful((True, Put.DOUBT))
    assert backend_on(client).create("refs/x/1", b"mine") is CREATED
    assert client.log == [("create", "team/ldb/refs/x/1"), ("get", "team/ldb/refs/x/1")]


def test_a_lost_answer_and_somebody_elses_value() -> None:
    client = Doubtful((False, Put.DOUBT))
    client.put("team/ldb/refs/x/1", b"theirs")
    assert backend_on(client).create("refs/x/1", b"mine") is EXISTS


def test_a_request_that_never_arrived_is_sent_again() -> None:
    client = Doubtful((False, Put.DOUBT), (False, Put.DOUBT))
    assert backend_on(client).create("refs/x/1", b"mine") is CREATED
    assert client.values["team/ldb/refs/x/1"][0] == b"mine"


def test_a_request_that_arrives_late_is_known_as_ours() -> None:
    """The first try is in doubt and not there; it lands before the second, which is refused."""

    class Late(MemoryClient):
        tries = 0

        def create(self, key: str, data: bytes) -> Put:
            self.tries += 1
            if self.tries == 1:
                return Put.DOUBT
            super().put(key, data)
            return super().create(key, data)

    assert backend_on(Late()).create("refs/x/1", b"mine") is CREATED


def test_no_clear_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ldb.backends.bucket.time.sleep", lambda seconds: None)
    client = Doubtful(*[(False, Put.DOUBT)] * 99)
    with pytest.raises(StoreFailed, match="no clear answer") as caught:
        backend_on(client).create("refs/x/1", b"mine")
    assert "may have been saved" in caught.value.hint


@pytest.mark.parametrize("done", [True, False])
def test_a_put_whose_answer_was_lost(done: bool) -> None:
    class Lossy(MemoryClient):
        def put(self, key: str, data: bytes | memoryview) -> Stat:
            if done:
                super().put(key, data)
            raise StoreFailed(key, "no answer")

    backend = backend_on(Lossy())
    if done:
        assert backend.create("objects/ab/cd", b"value", unconditional=True) is CREATED
    else:
        with pytest.raises(StoreFailed):
            backend.create("objects/ab/cd", b"value", unconditional=True)


def test_a_put_that_left_another_value() -> None:
    class Odd(MemoryClient):
        def put(self, key: str, data: bytes | memoryview) -> Stat:
            super().put(key, b"other")
            raise StoreFailed(key, "no answer")

    with pytest.raises(StoreFailed):
        backend_on(Odd()).create("objects/ab/cd", b"value", unconditional=True)


def test_only_small_values_are_created_conditionally() -> None:
    client = MemoryClient()
    with pytest.raises(BadInput, match="too many"):
        backend_on(client).create("refs/x/1", bytes(MAX_CONDITIONAL + 1))
    assert not client.log


def test_neighbours_are_one_request() -> None:
    client = MemoryClient()
    value = random.Random(1).randbytes(1 << 20)
    client.put("team/ldb/a", value)
    client.put("team/ldb/b", value)
    client.requests.clear()
    ranges = [Range("a", 900_000, 950_000), Range("a", 10, 20), Range("b", 5), Range("a", 20, 400)]
    found = backend_on(client).read_many(ranges)
    assert found == [value[each.start : each.stop] for each in ranges]
    assert client.requests == {"get": 3}


def test_a_listing_with_a_limit_asks_for_no_more() -> None:
    client = MemoryClient()
    for key in ("a ", "a b", "b", "c", "d"):  # the first two are nobody's keys
        client.put("team/ldb/" + key, b"")
    backend = backend_on(client)
    assert [each.key for each in backend.list("", limit=1)] == ["b"]
    assert [each.key for each in backend.list("", limit=2)] == ["b", "c"]
    assert list(backend.list("", limit=0)) == []


@pytest.mark.parametrize(
    "url",
    [
        "s3://", "s3:///a", "s3://bucket", "s3://bucket/", "s3://bucket//a", "s3://bucket/a//b",
        "s3://bucket/a/../b", "s3://bucket/.", "s3://bucket/a b", "s3://bucket/é",
        "s3://bucket/a?b", "s3://bucket/a#b", "s3://bucket/" + "a" * 401, "bucket/a",
    ],
)  # fmt: skip
def test_prefixes_that_cannot_be(url: str) -> None:
    with pytest.raises(BadInput):
        BucketBackend(url, open_client)


def test_only_keys_below_the_prefix() -> None:
    client = MemoryClient()
    for key in ("team/ldb", "team/ldb2/x", "team/ldb/", "team/ld", "other"):
        client.put(key, b"")
    backend = backend_on(client)
    backend.create("instance", b"1")
    assert [each.key for each in backend.list()] == ["instance"]
    assert backend.folders("") == []


def test_it_crosses_to_another_process_by_its_address() -> None:
    backend = BucketBackend("s3://bucket/team/ldb/", open_client, {"endpoint": "http://x"})
    other = pickle.loads(pickle.dumps(backend))
    assert other.url == backend.url == "s3://bucket/team/ldb"
