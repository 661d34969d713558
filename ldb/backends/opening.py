"""From the address of a store to the backend that serves it.

An absolute path or `file://` is a local folder; `memory://name` is a store of this
process, the same one whenever the same name is opened.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.errors import BadInput, Unsupported

_shared: dict[str, MemoryBackend] = {}


def open_backend(url: str) -> Backend:
    """Open the store at `url`; nothing is read or made yet.

    Raises `BadInput` for an address that cannot be one, `Unsupported` for a scheme that
    this build has no backend for.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return LocalBackend(url)
    scheme = scheme.lower()
    if scheme == "file":
        return LocalBackend(_file_path(url))
    if scheme == "memory":
        return _shared.setdefault(rest, MemoryBackend(rest))
    raise Unsupported(
        f"an instance at {scheme}://", "give a folder: an absolute path, or file:///path"
    )


def _file_path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise BadInput(url, "names another host", "a file address starts with file:///")
    if parts.query or parts.fragment:
        raise BadInput(url, "'?' and '#' must be written %3F and %23 in a file address")
    return unquote(parts.path)
