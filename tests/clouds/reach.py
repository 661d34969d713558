"""Does everything that a client can do, with what the environment says of the bucket.

python -m tests.clouds.reach URL LIBRARY
"""

from __future__ import annotations

import sys

from ldb.clouds.base import Client, Get, Put
from ldb.clouds.opening import open_client


def use(client: Client) -> None:
    """Everything that a client can do."""
    assert client.create("a/new", b"first") is Put.CREATED
    assert client.create("a/new", b"second") is Put.EXISTS
    client.put("a/other", b"12345")
    assert client.get(Get("a/other", 1, 3)) == b"23"
    assert dict(client.get_many([Get("a/new"), Get("a/other")])) == {0: b"first", 1: b"12345"}
    assert b"".join(client.stream(Get("a/other"))) == b"12345"
    assert client.head("a/new").size == 5
    assert [stat.key for stat in client.list("a/")] == ["a/new", "a/other"]
    assert [stat.key for stat in client.list_parallel("a/")] == ["a/new", "a/other"]
    assert list(client.folders("")) == ["a"]
    client.delete(["a/new", "a/other"])
    assert list(client.list()) == []


if __name__ == "__main__":
    use(open_client(sys.argv[1], {"library": sys.argv[2]}))
