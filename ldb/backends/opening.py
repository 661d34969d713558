"""From the address of a store to the backend that serves it.

An absolute path or `file://` is a local folder; `s3://bucket/prefix`, `gs://` and `az://` are
buckets (`aws://` and `azure://` are other names of the first and the last); `memory://name` is a
store of this process, the same one whenever the same name is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.errors import BadInput, Unsupported
from ldb.system import local_part

if TYPE_CHECKING:
    from ldb.backends.objectcache import CacheSettings

BUCKETS = ("s3", "gs", "az")
ALIASES = {"aws": "s3", "azure": "az"}

_shared: dict[str, MemoryBackend] = {}


def open_backend(
    url: str, cache: CacheSettings | None = None, options: Mapping[str, Any] | None = None
) -> Backend:
    """Open the store at `url`; nothing is read or made yet.

    `cache` and `options` (of `clouds.opening`) are for buckets. Raises `BadInput` for an address
    that cannot be one, `Unsupported` for a scheme that this build has no backend for.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return LocalBackend(url)
    scheme = ALIASES.get(scheme.lower(), scheme.lower())
    if scheme == "file":
        return LocalBackend(_file_path(url))
    if scheme == "memory":
        return _shared.setdefault(rest, MemoryBackend(rest))
    if scheme in BUCKETS:
        return _bucket(f"{scheme}://{rest}", cache, options)
    raise Unsupported(
        f"an instance at {scheme}://",
        "give a folder, or a bucket and a prefix: s3://bucket/prefix, gs://…, az://…",
    )


def _bucket(url: str, cache: CacheSettings | None, options: Mapping[str, Any] | None) -> Backend:
    # Loaded here: who works on a folder does without.
    from ldb.backends.bucket import BucketBackend
    from ldb.clouds.opening import open_client
    from ldb.clouds.options import options_for

    # Settled here: a worker process knows nothing of what is configured.
    backend = BucketBackend(url, open_client, options_for(url) if options is None else options)
    if cache is None:
        return backend
    from ldb.backends.cached import CachedBackend

    return CachedBackend(backend, cache)


def _file_path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise BadInput(url, "names another host", "a file address starts with file:///")
    if parts.query or parts.fragment:
        raise BadInput(url, "'?' and '#' must be written %3F and %23 in a file address")
    return local_part(unquote(parts.path))
