"""Plain HTTP requests on asyncio, for the stores whose library has no call that is exact enough.

Bodies come as they are stored: what is kept compressed is not unpacked, or sizes, ranges and
hashes would be of something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ldb.clouds.base import Get
from ldb.clouds.wire import UNREACHED, Failure, Kind, from_status

CONNECTIONS = 128


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    path: str = ""
    """Of the URL that answered, after all redirections."""

    def size(self, wanted: Get) -> int:
        """Of the whole object that this is a range of."""
        whole = self.headers.get("content-range", "").rpartition("/")[2]
        return int(whole) if whole.isdigit() else wanted.start + len(self.body)


class Unwelcome(Exception):
    """An answer that is an error."""

    def __init__(self, answer: Answer, why: str) -> None:
        super().__init__(why)
        self.answer, self.why = answer, why


class Web:
    """A pool of connections."""

    def __init__(self, timeout: float) -> None:
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=min(timeout, 10.0), sock_read=timeout
            ),
            auto_decompress=False,
            trust_env=True,
        )

    async def ask(self, method: str, url: str, most: int | None = None, **more: Any) -> Answer:
        """The answer, whole; raises `Unwelcome` where its status is an error.

        Of a 200 no more is read than `most` bytes and what came with the last of them.
        """
        async with self._request(method, url, **more) as got:
            if most is None or got.status != 200:
                body = await got.read()
            else:
                body = await _beginning(got.content, most)
            answer = _answer(got, body)
        if got.status >= 400 or got.status == 304:
            text = body[:2000].decode("utf-8", "replace") if method != "HEAD" else ""
            raise Unwelcome(answer, text or got.reason or "")
        return answer

    async def measure(self, url: str) -> tuple[Answer, int]:
        """The answer to a GET without its body, and how long that is: counted where the server
        does not say."""
        async with self._request("GET", url) as got:
            answer, size = _answer(got, b""), got.content_length
            if got.status >= 400:
                raise Unwelcome(answer, got.reason or "")
            if size is None:
                size = 0
                async for part in got.content.iter_any():
                    size += len(part)
        return answer, size

    def _request(self, method: str, url: str, **more: Any) -> Any:
        from yarl import URL

        headers = {"Accept-Encoding": "identity", **more.pop("headers", {})}
        return self._session.request(method, URL(url, encoded=True), headers=headers, **more)

    async def close(self) -> None:
        await self._session.close()


def _answer(got: Any, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in got.headers.items()}
    return Answer(got.status, headers, body, got.url.raw_path)


async def _beginning(content: Any, most: int) -> bytes:
    parts, count = [], 0
    async for part in content.iter_any():
        parts.append(part)
        count += len(part)
        if count >= most:
            break
    return b"".join(parts)


def range_header(wanted: Get) -> dict[str, str]:
    """The header that asks for a range, where it is not the whole object."""
    if not wanted.start and wanted.stop is None:
        return {}
    return {"Range": f"bytes={wanted.start}-{'' if wanted.stop is None else wanted.stop - 1}"}


def explain(error: BaseException, why: str = "") -> Failure | None:
    """What an error of `Web.ask` means."""
    import aiohttp

    if isinstance(error, Unwelcome):
        return from_status(error.answer.status, why or error.why, error.answer.headers)
    text = str(error) or type(error).__name__
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return Failure(Kind.BUSY, text, hint=UNREACHED)
    if isinstance(error, aiohttp.TooManyRedirects):
        return Failure(Kind.REFUSED, "redirects in a circle, or too often")
    if isinstance(error, aiohttp.InvalidURL):
        return Failure(Kind.REFUSED, text)
    if isinstance(error, (aiohttp.ClientError, OSError, asyncio.TimeoutError)):
        return Failure(Kind.PASSING, text)
    return None
