"""The servers for tests do what the tests of the clients rely on."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.clouds import servers
from tests.clouds.buckets import Bucket

KEYS = {"a/1": b"one", "a/2 ü&+%": b"", "b": b"\0\xff"}


def test_raw_keeps_values(bucket: Bucket) -> None:
    bucket.fill(KEYS)
    assert bucket.raw.list() == sorted(KEYS)
    assert bucket.raw.list("a/") == ["a/1", "a/2 ü&+%"]
    assert {key: bucket.raw.get(key) for key in KEYS} == KEYS
    bucket.raw.put("b", b"other")
    bucket.raw.delete("a/1")
    assert (bucket.raw.get("b"), bucket.raw.list()) == (b"other", ["a/2 ü&+%", "b"])


@pytest.mark.cloud
@pytest.mark.parametrize("fixture", ["hot_s3_bucket", "fake_gs_bucket"])
def test_raw_on_other_servers(fixture: str, request: pytest.FixtureRequest) -> None:
    bucket: Bucket = request.getfixturevalue(fixture)
    bucket.raw.put("a/b", b"value")
    assert bucket.raw.get("a/b") == b"value"


def test_one_server_for_all(s3_bucket: Bucket, server_folder: Path) -> None:
    assert servers.shared("seaweedfs", server_folder) == s3_bucket.server


def test_proxy_in_between(gs_bucket: Bucket) -> None:
    gs_bucket.raw.put("k", b"0123456789")
    with gs_bucket.proxied() as other:
        assert other.proxy is not None
        url = f"{other.address}/storage/v1/b/{other.name}/o/k?alt=media"

        def fetch() -> bytes:
            with urllib.request.urlopen(url, timeout=10) as answer:
                data: bytes = answer.read()
                return data

        assert fetch() == b"0123456789"
        other.proxy.add("status", times=1, code=418)
        with pytest.raises(urllib.error.HTTPError, match="418"):
            fetch()
        for action in ("reset", "lost_response", "truncate"):
            other.proxy.add(action, times=1, after=3)
            with pytest.raises((OSError, ValueError, EOFError)):
                fetch()
            assert other.proxy.log[-1].action == action
        for action in ("delay", "throttle", "twice"):
            other.proxy.add(action, times=1, seconds=0.01, rate=1e6)
            assert fetch() == b"0123456789"
        assert other.proxy.log[-1].status == 200
