"""Web servers, to read from: files by their URL, and folders where the server shows an index.

An index page is HTML for people, so what is taken from it are names only; sizes and times come
from a request for each. Pins are compared here, because few servers look at `If-Match`. Plain
requests with fsspec's own HTTP library, aiohttp: fsspec's file system asks for a size first.
What servers may leave out (ranges, sizes, HEAD): docs/design/010-clouds.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from html import unescape
from typing import NoReturn
from urllib.parse import quote, unquote, urljoin, urlsplit

from ldb.clouds import web
from ldb.clouds.base import Changed, Get, Stat
from ldb.clouds.options import Options, check_tls
from ldb.clouds.wire import Ask, Failure, Got, Page, Try, nanoseconds
from ldb.errors import Unsupported

HEADS_AT_ONCE = 16
SMALL = 2 << 20
"""Bytes of a range up to which the rest is not kept, from a server that sends all."""
MOST_WHOLE = 256 << 20
"""Bytes that are kept of an object in pieces, from a server that cannot send pieces."""
_NO_HEAD = (405, 501)
_LINK = re.compile(r"""<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_BY_FOLDER = "by folder"


class HttpWire:
    """A web server."""

    part_size = 0
    deletes = 1
    by_folder = True

    def __init__(self, url: str, options: Options) -> None:
        self._url, self._options = url, options

    async def open(self) -> None:
        check_tls(self._options, self._url, self._url)
        self._web = web.Web(self._options.timeout or 20.0)

    async def close(self) -> None:
        await self._web.close()

    def _address(self, key: str) -> str:
        return f"{self._url}/{quote(key, safe='/~')}"

    async def get(self, wanted: Get) -> Got:
        answer = await self._web.ask(
            "GET", self._address(wanted.key), _most(wanted), headers=web.range_header(wanted)
        )
        token = _token(answer.headers)
        if wanted.token and token != wanted.token:
            raise Changed(f"{self._url}/{wanted.key}")
        if answer.status == 206:
            return Got(answer.body, token, answer.size(wanted))
        return self._of_all(wanted, answer, token)

    def _of_all(self, wanted: Get, answer: web.Answer, token: str) -> Got:
        """A range out of the answer of a server that knows none."""
        body, start, stop = answer.body, wanted.start, wanted.stop
        told = answer.headers.get("content-length", "")
        if stop is None:
            return Got(body[start:], token, len(body))
        size = int(told) if told.isdigit() else -1
        if stop - start <= SMALL:
            return Got(body[start:stop], token, size)
        if max(size, len(body)) > MOST_WHOLE:
            raise Unsupported(
                f"{self._url}/{wanted.key}: more than {MOST_WHOLE >> 20} MiB from a server "
                "that knows no ranges"
            )
        return Got(body[start:stop], token, len(body), b"" if start else body[stop:])

    async def head(self, key: str) -> Stat:
        answer, size = await self._look(self._address(key))
        if answer.path.endswith("/") and key and not key.endswith("/"):
            # sent on to its index page
            raise web.Unwelcome(replace(answer, status=404), "is a folder")
        modified = parsedate_to_datetime(answer.headers.get("last-modified", _LONG_AGO))
        return Stat(key, size, nanoseconds(modified), _token(answer.headers))

    async def _look(self, address: str) -> tuple[web.Answer, int]:
        try:
            answer = await self._web.ask("HEAD", address, allow_redirects=True)
        except web.Unwelcome as error:
            if error.answer.status not in _NO_HEAD:
                raise
        else:
            size = answer.headers.get("content-length", "")
            if size.isdigit():
                return answer, int(size)
        return await self._web.measure(address)

    async def page(self, ask: Ask) -> Page:
        if not ask.folded:
            return Page((), (), _BY_FOLDER)
        folder = ask.prefix[: ask.prefix.rfind("/") + 1]
        base = self._address(folder)
        answer = await self._web.ask("GET", base)
        if "html" not in answer.headers.get("content-type", ""):
            raise Unsupported(f"listing {base}: the server shows no index of it")
        names = {name for name in _names(answer.body, base) if name}
        keys = sorted(
            key for key in (folder + name for name in names) if key.startswith(ask.prefix)
        )
        permits = asyncio.Semaphore(HEADS_AT_ONCE)

        async def head(key: str) -> Stat | None:
            async with permits:
                try:
                    return await self.head(key)
                except web.Unwelcome as error:
                    if error.answer.status in (404, 410):
                        return None  # a link that leads nowhere
                    raise

        stats = await asyncio.gather(*(head(key) for key in keys if not key.endswith("/")))
        there = [stat for stat in stats if stat is not None]
        return Page(there, [key for key in keys if key.endswith("/")])

    async def create(self, key: str, data: bytes) -> bool:
        self._refuse()

    async def put(self, key: str, data: bytes | memoryview) -> Stat:
        self._refuse()

    async def put_parts(self, key: str, parts: Sequence[memoryview], tried: Try) -> Stat:
        self._refuse()

    async def delete(self, keys: Sequence[str]) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Unsupported(f"writing to {self._url}", "use s3://, gs://, az:// or a folder")

    def explain(self, error: BaseException) -> Failure | None:
        return web.explain(error, "the web server refused")


_LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"


def _most(wanted: Get) -> int | None:
    """Bytes to read of an answer that is not the range that was asked for."""
    if wanted.stop is None:
        return None
    return wanted.stop if wanted.stop - wanted.start <= SMALL else MOST_WHOLE + 1


def _token(headers: Mapping[str, str]) -> str:
    """The ETag (marked where it is weak), else the time of the last change."""
    return headers.get("etag", "").replace('"', "") or headers.get("last-modified", "")


def _names(body: bytes, base: str) -> list[str]:
    """Names right below `base` that a page links to; folders end in a slash."""
    names, here = [], urlsplit(base)
    for groups in _LINK.findall(body.decode("utf-8", "replace")):
        target = urlsplit(urljoin(base, unescape("".join(groups)).strip()))
        below = target.path[len(here.path) :]
        if (target.scheme, target.netloc) != (here.scheme, here.netloc) or target.query:
            continue
        if target.path.startswith(here.path) and "/" not in below[:-1]:
            names.append(unquote(below))
    return names
