"""Reading the users' objects in S3, Google Cloud Storage, Azure and on HTTP servers.

What was seen at a URI is read *pinned*: by its version where the store keeps versions, and
on condition that the object still has the token it had. So content and stat belong together,
and an object that was overwritten meanwhile is `Changed`, never other bytes.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ldb.clouds.base import Changed, Client, Get
from ldb.clouds.opening import open_client, split_url
from ldb.errors import LdbError, NotFound, StoreFailed
from ldb.storage.reading import HASHES

STAMP_BYTES = 16
_NO_STAMP = bytes(STAMP_BYTES)


@dataclass(frozen=True, slots=True)
class Pinned:
    """The content that was seen at a URI."""

    uri: str
    size: int
    token: str = ""
    version: str = ""

    @property
    def key(self) -> str:
        """The object's whole key in its bucket."""
        return key_of(self.uri)

    def get(self, start: int = 0, stop: int | None = None) -> Get:
        """What to ask a client for."""
        return Get(self.key, start, stop, self.token, self.version or None)


class Clients:
    """Clients of all buckets that a command reads, each opened when it is first asked for.

    `open_client` gives one client to all that ask for one bucket with the same options, so
    this only remembers which to give back. Safe to use from many threads.
    """

    def __init__(self, opener: Callable[[str], Client] = open_client) -> None:
        self._open = opener
        self._opened: dict[int, Client] = {}
        self._lock = threading.Lock()

    def of(self, uri: str) -> Client:
        """The client of the bucket that a URI is in, with the options that count for it."""
        with self._lock:
            client = self._open(uri)
            self._opened[id(client)] = client
        return client

    def close(self) -> None:
        """Give back all connections and threads."""
        with self._lock:
            clients, self._opened = list(self._opened.values()), {}
        for client in clients:
            client.close()

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def key_of(uri: str) -> str:
    """The part of a URI that names an object in its bucket, or a prefix."""
    return split_url(uri)[2]


def stream_pinned(client: Client, wanted: Pinned) -> Iterator[bytes]:
    """The content that was seen, in pieces; memory is bounded by a few of them.

    Raises `Changed` where the object is another one now, `NotFound`, `StoreFailed`. Where the
    store has no tokens the size is all that tells, so take the last piece before believing.
    """
    count = 0
    for piece in client.stream(wanted.get()):
        count += len(piece)
        yield piece
    check_size(wanted, count)


def hash_pinned(client: Client, wanted: Pinned, algorithm: str) -> bytes:
    """Digest of the content that was seen; raises as `stream_pinned` does."""
    digest = HASHES[algorithm]()
    for piece in stream_pinned(client, wanted):
        digest.update(piece)
    found: bytes = digest.digest()
    return found


def check_size(wanted: Pinned, count: int) -> None:
    """Raise `Changed` where so many bytes came."""
    if count != wanted.size:
        raise Changed(wanted.uri)


def why_unread(error: LdbError) -> str:
    """What to say of an object that could not be read, after its URI."""
    if isinstance(error, Changed):
        return "was overwritten since it was listed; index it again"
    if isinstance(error, NotFound):
        return "is gone since it was listed"
    return error.why if isinstance(error, StoreFailed) else str(error)


def stamp_of(token: str) -> bytes:
    """What stands for a token in the index: 16 bytes, zeros for none."""
    return hashlib.blake2b(token.encode(), digest_size=STAMP_BYTES).digest() if token else _NO_STAMP
