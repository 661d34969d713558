"""A web server on loopback that writes down what it was asked, and misbehaves when it is told.

Python's own, with ETags and ranges added: what nginx and the like do for a folder of files.
"""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(slots=True)
class Request:
    """One request that came."""

    method: str
    path: str
    """As it was sent."""
    range: str
    """The header; empty: none."""
    sent: int = 0
    """Bytes of the body that went out."""


@dataclass
class Site:
    """A folder that is served, and how."""

    folder: Path
    url: str = ""
    log: list[Request] = field(default_factory=list)
    ranges: bool = True
    tokens: bool = True
    """Whether ETag and Last-Modified are sent."""
    sizes: bool = True
    """Whether Content-Length is sent: without, bodies come in chunks."""
    heads: bool = True
    """Whether HEAD is answered."""
    cuts: list[int] = field(default_factory=list)
    """After so many bytes of a body the connection is cut, once each."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Paths, and where each has gone."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Paths that are answered by an error."""

    def write(self, name: str, data: bytes) -> str:
        """Put a file there; gives its URL."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return f"{self.url}/{name}"

    def asked(self, method: str, path: str = "") -> list[Request]:
        """The requests of one kind, whose path begins so."""
        return [each for each in self.log if each.method == method and each.path.startswith(path)]


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """A site over a folder, until the context is left."""
    site = Site(folder)
    folder.mkdir(parents=True, exist_ok=True)

    class Handler(_Handler):
        pass

    Handler.site = site
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


class _Handler(http.server.SimpleHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(self.site.folder))

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(Request("HEAD", self.path, self.headers.get("Range", "")))

    def do_GET(self) -> None:
        self._answer(Request("GET", self.path, self.headers.get("Range", "")))

    def _answer(self, request: Request) -> None:
        self.site.log.append(request)
        path = urlsplit(self.path).path
        if request.method == "HEAD" and not self.site.heads:
            self._head(HTTPStatus.METHOD_NOT_ALLOWED, {}, 0)
        elif path in self.site.redirects:
            self._head(HTTPStatus.FOUND, {"Location": self.site.redirects[path]}, 0)
        elif path in self.site.statuses:
            self._head(self.site.statuses[path], {}, 0)
        elif (self.site.folder / unquote(path).lstrip("/")).is_dir():
            (super().do_HEAD if request.method == "HEAD" else super().do_GET)()
        else:
            self._file(request, self.site.folder / unquote(path).lstrip("/"))

    def _file(self, request: Request, path: Path) -> None:
        if not path.is_file():
            self._head(HTTPStatus.NOT_FOUND, {}, 0)
            return
        data = path.read_bytes()
        headers = {"Content-Type": "application/octet-stream"}
        if self.site.tokens:
            headers["ETag"] = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
            headers["Last-Modified"] = self.date_time_string(int(path.stat().st_mtime))
        status, whole = HTTPStatus.OK, len(data)
        if self.site.ranges and request.range.startswith("bytes="):
            first, _, last = request.range[6:].partition("-")
            start, stop = int(first), int(last) + 1 if last else whole
            if start >= whole:
                self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers, 0)
                return
            data, status = data[start:stop], HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {start}-{start + len(data) - 1}/{whole}"
        self._head(status, headers, len(data) if self.site.sizes else None)
        if request.method == "GET":
            self._body(request, data)

    def _head(self, status: int, headers: dict[str, str], size: int | None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if size is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(size))
        self.end_headers()

    def _body(self, request: Request, data: bytes) -> None:
        cut = next((each for each in self.site.cuts if each < len(data)), None)
        if cut is not None:
            self.site.cuts.remove(cut)
        part = data if cut is None else data[:cut]
        request.sent = len(part)
        if self.site.sizes:
            self.wfile.write(part)
        elif part:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        if cut is not None:
            self.wfile.flush()
            time.sleep(0.05)  # or what was sent might be thrown away with the connection
            self.close_connection = True
        elif not self.site.sizes:
            self.wfile.write(b"0\r\n\r\n")
