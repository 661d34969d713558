"""Names of places in storage: local paths and URLs, and how one becomes the other.

A place is named by a URI: `file:///folder/name` for local ones, not percent-encoded, so
that it reads as the path it is. Pure functions; the caller passes the working directory.
"""

from __future__ import annotations

import os
import re

from ldb.errors import BadInput, Unsupported

LOCAL = "file://"
WEB = ("http://", "https://")
REMOTE = ("s3://", "gs://", "az://", *WEB)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_ALIASES = {"aws": "s3", "azure": "az"}
_NEARLY = re.compile(r"(s3|gs|az|aws|azure|https?):/(?!/)", re.IGNORECASE)
_GLOB = re.compile(r"[*?\[]")


def to_uri(text: str, cwd: str) -> str:
    """The URI of a path or URL as the user typed it, without a trailing slash."""
    found = _SCHEME.match(text)
    if found:
        scheme = found[1].lower()
        scheme = _ALIASES.get(scheme, scheme)
        if scheme != "file":
            return _remote_uri(scheme, text[found.end() :].rstrip("/"))
        text = text[found.end() :]
    if not text:
        raise BadInput("path", "is empty")
    check_slashes(text)
    return LOCAL + os.path.normpath(os.path.join(cwd, text))


def _remote_uri(scheme: str, rest: str) -> str:
    host, slash, path = rest.partition("/")
    if "@" in host:
        raise BadInput(
            f"{scheme}://***@{host.rpartition('@')[2]}",
            "holds a name or a password, which would go into the index",
            "leave out what is before the @",
        )
    if f"{scheme}://" in WEB:
        query = path.find("?")
        if query >= 0 and "=" in path[query:]:  # else it is a wildcard
            raise BadInput(
                f"{scheme}://{host}/{path[:query]}?…",
                "has a query, which may be secret and stop working",
                "download the file, and index that",
            )
        from urllib.parse import unquote  # most runs do without

        path = unquote(path)
    return f"{scheme}://{host}{slash}{path}"


def check_slashes(text: str) -> None:
    """Raises `BadInput` on `s3:/bucket`, which would be a folder called `s3:`."""
    if found := _NEARLY.match(text):
        url = f"{found[1]}://{text[found.end() :]}"
        raise BadInput(text, "lacks a slash", f"write {url}; a folder of that name is ./{text}")


def is_web(uri: str) -> bool:
    """Whether a URI names a place on an HTTP server."""
    return uri.startswith(WEB)


def absolute(text: str, cwd: str) -> str:
    """A path or URL as the user typed it, made to mean the same in every folder."""
    check_slashes(text)
    return text if has_scheme(text) else os.path.normpath(os.path.join(cwd, text))


def is_local(uri: str) -> bool:
    """Whether a URI names a place in the local file system."""
    return uri.startswith(LOCAL)


def is_remote(uri: str) -> bool:
    """Whether a URI names a place in an object store or on an HTTP server."""
    return uri.startswith(REMOTE)


def local_path(uri: str) -> str:
    """The local path of a `file://` URI; raises `Unsupported` for any other."""
    if not is_local(uri):
        raise Unsupported(f"{uri} as a local path", f"known are {', '.join((LOCAL, *REMOTE))}")
    return uri[len(LOCAL) :]


def shown(uri: str) -> str:
    """A URI as users write it: local ones as plain paths."""
    return uri[len(LOCAL) :] if is_local(uri) else uri


def is_glob(text: str) -> bool:
    """Whether a path holds a wildcard."""
    return bool(_GLOB.search(text))


def has_scheme(text: str) -> bool:
    """Whether `text` is a URL rather than a plain path."""
    return bool(_SCHEME.match(text))
