"""Names of places in storage: local paths and URLs, and how one becomes the other.

A place is named by a URI: `file:///folder/name` for local ones, not percent-encoded, so
that it reads as the path it is. Pure functions; the caller passes the working directory.

On Windows it is `file:///C:/folder/name`. Wherever a path comes from a URI or becomes one it has
slashes, which Windows takes as well. docs/design/030-windows-and-macos.md
"""

from __future__ import annotations

import os
import re

from ldb.errors import BadInput, Unsupported
from ldb.system import WINDOWS, local_part

LOCAL = "file://"
WEB = ("http://", "https://")
REMOTE = ("s3://", "gs://", "az://", *WEB)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://")
"""Of two letters at least: one is a drive."""
_DRIVE = re.compile(r"([A-Za-z]):(?=/|$)")
_path = os.path
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
        text = without_scheme(text)
    if not text:
        raise BadInput("path", "is empty")
    check_slashes(text)
    return uri_of(_path.normpath(_path.join(cwd, text)))


def uri_of(path: str) -> str:
    """The URI of an absolute local path."""
    path = slashed(path)
    return LOCAL + path if path.startswith("/") else f"{LOCAL}/{path}"


def uri_bytes(path: bytes) -> bytes:
    """The same for a path as the index has it: absolute, with slashes."""
    return b"file://" + path if path[:1] == b"/" else b"file:///" + path


def path_bytes(uri: bytes) -> bytes:
    """The local path of a `file://` URI of the index."""
    path = uri[len(LOCAL) :]
    return path[1:] if WINDOWS and path[2:3] == b":" else path


def slashed(path: str) -> str:
    """A local path as it is in a URI: on Windows with slashes, and the drive as a capital."""
    if not WINDOWS:
        return path
    path = path.replace("\\", "/").removeprefix("//?/")
    drive = _DRIVE.match(path)
    return f"{drive[1].upper()}:{path[drive.end() :]}" if drive else path


def without_scheme(text: str) -> str:
    """A local path as the user typed it, without `file://` before it."""
    if text[: len(LOCAL)].lower() != LOCAL:
        return text
    return local_part(text[len(LOCAL) :])


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
    return text if has_scheme(text) else _path.normpath(_path.join(cwd, text))


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
    return without_scheme(uri)


def shown(uri: str) -> str:
    """A URI as users write it: local ones as plain paths."""
    return without_scheme(uri) if is_local(uri) else uri


def local_folder(url: str) -> str:
    """The folder of this machine that an instance's address names; empty where it is elsewhere."""
    path = without_scheme(url)
    return path if os.path.isabs(path) else ""


def is_glob(text: str) -> bool:
    """Whether a path holds a wildcard."""
    return bool(_GLOB.search(text))


def has_scheme(text: str) -> bool:
    """Whether `text` is a URL rather than a plain path."""
    return bool(_SCHEME.match(text))
