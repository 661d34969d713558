"""Web servers: Python's own, which shows an index and knows no ranges, and one that knows them."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldb.clouds.base import Changed, Client, Get
from ldb.clouds.opening import open_client
from ldb.errors import NotFound, StoreFailed, Unsupported
from tests.clouds.buckets import Bucket
from tests.clouds.faultproxy import FaultProxy

FILES = {"a b.txt": b"0123456789", "b-1": b"", "b/1.json": b"{}", "b/c/ü&.png": b"image"}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[http.server.ThreadingHTTPServer]:
    for name, data in FILES.items():
        (tmp_path / "www" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "www" / name).write_bytes(data)
    handler = functools.partial(Quiet, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(server: http.server.ThreadingHTTPServer) -> Iterator[Client]:
    client = open_client(f"http://127.0.0.1:{server.server_port}", {"retries": 2})
    yield client
    client.close()


def test_reading(client: Client) -> None:
    assert {key: client.get(Get(key)) for key in FILES} == FILES
    for start, stop in ((0, 3), (3, None), (8, 100), (10, None), (3, 3)):
        assert client.get(Get("a b.txt", start, stop)) == b"0123456789"[start:stop]
    assert b"".join(client.stream(Get("a b.txt"), 3)) == b"0123456789"
    with pytest.raises(NotFound):
        client.get(Get("nope"))
    assert dict(client.get_many([Get("b-1"), Get("b/1.json")])) == {0: b"", 1: b"{}"}


def test_pins(client: Client, tmp_path: Path) -> None:
    token = client.head("a b.txt").token
    assert client.get(Get("a b.txt", token=token)) == b"0123456789"
    with pytest.raises(Changed):
        client.get(Get("a b.txt", token="Thu, 01 Jan 1970 00:00:00 GMT"))


def test_listing_an_index(client: Client) -> None:
    assert [(stat.key, stat.size) for stat in client.list()] == [
        (key, len(FILES[key])) for key in sorted(FILES)
    ]
    assert [stat.key for stat in client.list("b/")] == ["b/1.json", "b/c/ü&.png"]
    assert [stat.key for stat in client.list("b", "b/1.json")] == ["b/c/ü&.png"]
    assert [stat.key for stat in client.list_parallel("b/c/")] == ["b/c/ü&.png"]
    assert client.folders("") == ["b"]


def test_nothing_is_written(client: Client) -> None:
    for call in (
        lambda: client.create("new", b""),
        lambda: client.put("new", b""),
        lambda: client.delete(["a b.txt"]),
    ):
        with pytest.raises(Unsupported):
            call()


def test_errors_are_tried_again(server: http.server.ThreadingHTTPServer) -> None:
    with FaultProxy("127.0.0.1", server.server_port) as proxy:
        client = open_client(proxy.url, {"retries": 2, "timeout": 5})
        proxy.add("status", times=2)
        assert client.get(Get("b/1.json")) == b"{}"
        proxy.add("truncate", after=1, times=1)
        assert client.get(Get("b/1.json")) == b"{}"
        proxy.add("status", code=403)
        with pytest.raises(StoreFailed, match="403"):
            client.get(Get("b/1.json"))
        client.close()


def test_a_server_with_ranges(gs_bucket: Bucket) -> None:
    gs_bucket.raw.put("key", b"0123456789")
    client = open_client(gs_bucket.address, {})
    key = f"{gs_bucket.name}/key"
    assert client.get(Get(key, 2, 5)) == b"234"
    assert b"".join(client.stream(Get(key), 4)) == b"0123456789"
    token = client.head(key).token
    gs_bucket.raw.put("key", b"other")
    with pytest.raises(Changed):
        client.get(Get(key, 1, 3, token=token))
    client.close()
