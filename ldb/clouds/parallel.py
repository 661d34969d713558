"""A long listing by several requests at once, in the order of a listing.

Stores list one page after the other, so a listing is split into stretches of keys, each of which
is listed by itself. Where to cut is read off the folders right under the prefix; where these hold
few objects each, or there are none, cutting would only cost requests, and nothing is split.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from ldb.clouds.base import Stat, Stretch
from ldb.clouds.wire import Ask, Page

PAGE = 1000
WORTH = 2000
"""Objects that a stretch should have, at least, for the request or two that it costs more."""
BUFFERED = 25
"""Pages that a stretch may be ahead of its turn: 8 stretches of 25 pages are about 80 MB."""


class Pages(Protocol):
    """Pages of a listing, in order."""

    def __call__(
        self, prefix: str, after: str = ..., limit: int | None = ...
    ) -> AsyncGenerator[Page, None]: ...


AskPage = Callable[[Ask], Awaitable[Page]]


async def list_in_parallel(
    ask_page: AskPage, pages: Pages, prefix: str, first: Page, concurrency: int
) -> AsyncIterator[Page]:
    """All pages under `prefix`, `first` being the first of them.

    `pages` lists one after the other, `ask_page` asks for one.
    """
    if first.stats:
        yield first
    seen = first.stats[-1].key if first.stats else ""
    folders = {key[: key.find("/", len(prefix)) + 1] for key in (s.key for s in first.stats)}
    density = len(first.stats) / max(1, len(folders - {""}))
    stretches = _stretches(ask_page, prefix, seen, max(1, round(WORTH / max(1.0, density))))
    running: deque[_Running] = deque()
    try:
        while True:
            while len(running) < concurrency:
                stretch = await anext(stretches, None)
                if stretch is None:
                    break
                running.append(_Running(pages, prefix, stretch))
            if not running:
                return
            while (page := await running[0].arrived.get()) is not None:
                if isinstance(page, BaseException):
                    raise page
                yield page
            running.popleft()
    finally:
        for each in running:
            each.task.cancel()


async def _stretches(
    ask_page: AskPage, prefix: str, seen: str, folders_each: int
) -> AsyncIterator[Stretch]:
    """What comes after the key `seen`, cut behind every so many folders."""
    if folders_each >= PAGE:
        yield Stretch(seen)
        return
    after, following, asked, count = seen, "", False, 0
    while following or not asked:
        asked = True
        page = await ask_page(Ask(prefix, seen, folded=True, following=following))
        for folder in page.folders:
            last = folder[:-1] + chr(ord("/") + 1)  # all that begin with the folder sort before
            if last <= after:
                continue
            count += 1
            if count == folders_each:
                yield Stretch(after, last)
                after, count = last, 0
        following = page.following
    yield Stretch(after)


async def pages_of(
    pages: Pages, prefix: str, stretch: Stretch, limit: int | None = None
) -> AsyncGenerator[Sequence[Stat], None]:
    """What a stretch holds, in order, as it comes; never empty.

    Where about `limit` keys are wanted, pages need not be longer.
    """
    async with aclosing(pages(prefix, stretch.after, limit)) as found:
        async for page in found:
            stats = page.stats
            over = not stretch.holds(stats[-1].key)
            if over:
                stats = [stat for stat in stats if stretch.holds(stat.key)]
            if stats:
                yield stats
            if over:
                return


async def list_some(
    pages: Pages, prefix: str, stretch: Stretch, most: int
) -> tuple[Sequence[Stat], str]:
    """A stretch as far as `most` keys and the rest of a page; where it goes on, if it does."""
    found: list[Stat] = []
    async with aclosing(pages_of(pages, prefix, stretch, most)) as parts:
        async for stats in parts:
            found += stats
            if len(found) >= most:
                return found, found[-1].key
    return found, ""


class _Running:
    """A stretch being listed, as far ahead of its turn as `BUFFERED` allows."""

    def __init__(self, pages: Pages, prefix: str, stretch: Stretch) -> None:
        self.arrived: asyncio.Queue[Page | BaseException | None] = asyncio.Queue(BUFFERED)
        self.task = asyncio.ensure_future(self._list(pages, prefix, stretch))

    async def _list(self, pages: Pages, prefix: str, stretch: Stretch) -> None:
        try:
            async for stats in pages_of(pages, prefix, stretch):
                await self.arrived.put(Page(stats))
            await self.arrived.put(None)
        except Exception as error:  # noqa: BLE001  (raised again where it is taken)
            await self.arrived.put(error)
