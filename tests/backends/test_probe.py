"""Stores that cannot hold an instance are found out, and nothing of the probe stays."""

from __future__ import annotations

import time

import pytest

from ldb.backends.bucket import BucketBackend
from ldb.backends.probe import check_conditional_create, is_empty
from ldb.clouds.base import Put
from ldb.errors import StoreFailed, Unsupported
from tests.clouds.memory import MemoryClient, opener


def on(client: MemoryClient) -> BucketBackend:
    return BucketBackend("s3://bucket/team/ldb", opener(client))


class Overwrites(MemoryClient):
    def create(self, key: str, data: bytes) -> Put:
        self.put(key, data)
        return Put.CREATED


class LooksFirst(MemoryClient):
    def create(self, key: str, data: bytes) -> Put:
        if key in self.values:
            return Put.EXISTS
        time.sleep(0.05)
        self.put(key, data)
        return Put.CREATED


class SaysNo(MemoryClient):
    """Overwrites, and says that it did not."""

    def create(self, key: str, data: bytes) -> Put:
        there = key in self.values
        self.put(key, data)
        return Put.EXISTS if there else Put.CREATED


class Refuses(MemoryClient):
    def create(self, key: str, data: bytes) -> Put:
        raise StoreFailed(self.url, "you may not write here")


@pytest.mark.parametrize("kind", [Overwrites, LooksFirst, SaysNo])
def test_stores_whose_condition_does_not_hold(kind: type[MemoryClient]) -> None:
    client = kind()
    with pytest.raises(Unsupported, match="this store"):
        check_conditional_create(on(client))
    assert not client.values


def test_a_store_whose_condition_holds() -> None:
    client = MemoryClient()
    check_conditional_create(on(client))
    assert not client.values


def test_a_store_that_refuses_to_be_written_to() -> None:
    with pytest.raises(StoreFailed, match="may not"):
        check_conditional_create(on(Refuses()))


@pytest.mark.parametrize(
    ("keys", "empty"),
    [
        ([], True),
        (["team/ldb", "team/ldb2/x", "other"], True),
        (["team/ldb/"], True),  # as consoles make a folder
        (["team/ldb/probe-0123"], True),  # of an init that was killed
        (["team/ldb/x"], False),
        (["team/ldb/a file of mine.jpg"], False),
        (["team/ldb/_hidden/x"], False),
    ],
)
def test_what_an_empty_prefix_is(keys: list[str], empty: bool) -> None:
    client = MemoryClient()
    for key in keys:
        client.put(key, b"")
    assert is_empty(on(client)) is empty
