"""Taking data objects from the cache, and keeping those there that come from elsewhere.

What is in the cache is used like any local file, hashed on its way. What is in a remote
place and not in the cache is for remote.py: `Elsewhere`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ldb.instantiate.options import Link
from ldb.instantiate.source import (
    PIECE,
    REFLINK_FROM,
    Elsewhere,
    Fetcher,
    Stale,
    source_path,
    unreadable,
)
from ldb.instantiate.target import Target
from ldb.storage.bringing import Brought
from ldb.storage.cache import Cache, Wrong
from ldb.storage.location import is_local, uri_of


class CachedFetcher(Fetcher):
    """A `Fetcher` that goes through a cache for remote places and, if asked to, local ones."""

    def __init__(
        self, target: Target, algorithm: str, link: Link, cache: Cache, local: bool
    ) -> None:
        super().__init__(target, algorithm, link)
        self._cache = cache
        self._local = local
        self.brought: dict[bytes, Brought] = {}
        """What was brought into the cache just now, by data object id."""

    def fetch(self, uri: str, object_id: bytes, size: int) -> None:
        local = is_local(uri)
        if local and not self._local:
            super().fetch(uri, object_id, size)
            return
        brought = self.brought.get(object_id)
        if not local and brought is not None:
            self._take(uri, brought, object_id, size)
        elif self._from_cache(object_id, size):
            return
        elif local:
            super().fetch(self._keep(uri, object_id, size), object_id, size)
        else:
            raise Elsewhere

    def _from_cache(self, object_id: bytes, size: int) -> bool:
        """Whether the cache had it. What turns out to be damaged there is brought again."""
        path = self._cache.find(object_id, size)
        if path is None:
            return False
        try:
            super().fetch(uri_of(path), object_id, size)
        except Stale:
            self._target.drop()
            return False
        return True

    def _take(self, uri: str, brought: Brought, object_id: bytes, size: int) -> None:
        why = brought.failures.get(uri)
        if why is not None or not brought.path:
            raise Stale(why or "was not read")
        copied = self._link == "copy" or (self._link == "auto" and size < REFLINK_FROM)
        if brought.data is not None and copied:
            self._target.make(brought.data)
        else:
            super().fetch(uri_of(brought.path), object_id, size)

    def _keep(self, uri: str, object_id: bytes, size: int) -> str:
        """Put a local file's content into the cache; the URI it has there."""
        try:
            return uri_of(self._cache.keep(object_id, size, _pieces(source_path(uri))))
        except Wrong as error:
            raise Stale(error.why) from None


def _pieces(path: bytes) -> Iterator[bytes]:
    """The content of a local file; raises `Stale` where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            while piece := file.read(PIECE):
                yield piece
    except OSError as error:
        raise unreadable(error) from None
