"""One request to an object store, by one library: what `client.py` needs of s3fs and the rest.

A wire asks once: it retries nothing, remembers nothing and raises its library's own errors. What
such an error means is told by `explain`, in the words of `Kind`; whether to ask again, and what
became of a create whose answer got lost, is decided in one place above, the same for all.
All methods run on the event loop of `loops.py`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol, TypeVar

from ldb.clouds.base import Get, Stat

T = TypeVar("T")
UNREACHED = "check the server's address and the network, or try again later"
"""Hint where there is no connection."""
_MD5 = re.compile("[0-9a-fA-F]{32}")


class Kind(Enum):
    """What a failed request means."""

    NO_KEY = "no such object"
    NO_BUCKET = "no such bucket"
    CONDITION = "the condition of the request does not hold"
    RANGE = "the range begins behind the end"
    BUSY = "nothing was done, and it may pass: no connection, 429, 409"
    PASSING = "it may pass, and the request may have been done: 5xx, resets, time-outs"
    REFUSED = "asking again will not help: no rights, a bad request"


@dataclass(frozen=True, slots=True)
class Failure:
    """A library's error, understood."""

    kind: Kind
    why: str
    pause: float | None = None
    """Seconds that the store asks to wait for (Retry-After)."""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Got:
    """Bytes of an object, and which object they are of."""

    data: bytes
    token: str = ""
    size: int = -1
    """Of the whole object; -1: not told."""
    rest: bytes = b""
    """All that follows the range, from a server that sends more than it is asked for."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing, and where it goes on: empty at its end."""

    stats: Sequence[Stat]
    folders: Sequence[str] = ()
    """Whole prefixes, with the slash at their end."""
    following: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """Which part of a listing."""

    prefix: str = ""
    after: str = ""
    limit: int = 1000
    folded: bool = False
    """Give what lies right under `prefix`: objects and folders."""
    following: str = ""


class Unsure(Exception):
    """A create found something there, and the library may have sent it twice."""


class Try(Protocol):
    """Asks until there is an answer, or no hope of one."""

    def __call__(self, call: Callable[[], Awaitable[T]]) -> Awaitable[T]: ...


class Wire(Protocol):
    """One bucket, one request a call."""

    part_size: int
    """Larger values are sent in parts of this size; 0: the library does so by itself."""

    deletes: int
    """Keys that one request can remove."""

    @property
    def by_folder(self) -> bool:
        """Whether the store sorts its listings by folder (`walking.py`); known after a page."""
        ...

    async def open(self) -> None:
        """Make ready; called once, before anything else. Asks nothing of the store."""
        ...

    async def get(self, wanted: Get) -> Got:
        """`wanted.start < wanted.stop`, if there is a stop."""
        ...

    async def head(self, key: str) -> Stat: ...

    async def page(self, ask: Ask) -> Page: ...

    async def create(self, key: str, data: bytes) -> bool:
        """A conditional write: False where something is there.

        Raises `Unsure` where something is, but may be what this very call has written.
        """
        ...

    async def put(self, key: str, data: bytes | memoryview) -> Stat: ...

    async def put_parts(self, key: str, parts: Sequence[memoryview], tried: Try) -> Stat:
        """The same for a value of several parts, a few at a time; each request goes by `tried`."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """At most `deletes` keys; a missing one is no error."""
        ...

    async def close(self) -> None: ...

    def explain(self, error: BaseException) -> Failure | None:
        """What an error of these calls means; None: it is a mistake in the program."""
        ...


async def opening(wire: Wire) -> None:
    """Open a wire; one that cannot be opened is closed again, as far as it is open."""
    try:
        await wire.open()
    except BaseException:
        with suppress(Exception):
            await wire.close()
        raise


def from_status(
    status: int, why: str, headers: Mapping[str, str] | None = None, *, bucket: bool = False
) -> Failure:
    """What an HTTP status means where the store's own code says nothing better."""
    pause = retry_after(headers or {})
    text = f"{why or 'refused'} (HTTP {status})"
    if status == 404:
        return Failure(Kind.NO_BUCKET if bucket else Kind.NO_KEY, text)
    if status in (304, 412):
        return Failure(Kind.CONDITION, text)
    if status == 416:
        return Failure(Kind.RANGE, text)
    if status in (409, 429):
        return Failure(Kind.BUSY, text, pause)
    if status == 408 or status >= 500:
        return Failure(Kind.PASSING, text, pause)
    hint = "check your credentials and rights" if status in (401, 403) else ""
    return Failure(Kind.REFUSED, text, hint=hint)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait for, as the header `Retry-After` says, which may hold a date as well."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        return max(0.0, float(text))
    except ValueError:
        if not text:
            return None
    from email.utils import parsedate_to_datetime  # takes longer to load than a cached query may

    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return max(0.0, (until - datetime.now(until.tzinfo)).total_seconds())


def md5_of(token: str) -> bytes | None:
    """The MD5 that an ETag of S3 is: 32 hex digits. One of a multipart upload has a dash."""
    return bytes.fromhex(token) if _MD5.fullmatch(token) else None


def nanoseconds(moment: datetime) -> int:
    """Since 1970, exactly (a float of seconds is not)."""
    return int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1000
