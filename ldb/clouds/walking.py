"""Listings of stores that sort by folder: `b/1` before `b-1`, as SeaweedFS does.

There a page with all keys below a prefix comes in the wrong order (`-` sorts before `/`), and one
that starts after a key leaves some out. So such a store is asked folder by folder. The names
within a folder come in order; only a folder's own place is wrong, by few names, and put right.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from ldb.clouds.base import Stat
from ldb.clouds.wire import Ask, Page

AskPage = Callable[[Ask], Awaitable[Page]]
Entry = tuple[str, "Stat | str"]
"""What is right below a prefix, an object or a folder, after its key."""


def in_order(page: Page) -> Page:
    """The same page, of a whole listing, with its keys in order."""
    return Page(sorted(page.stats, key=lambda stat: stat.key))


async def walk(
    ask_page: AskPage, prefix: str, after: str = "", ahead: int = 2
) -> AsyncIterator[Page]:
    """Pages of all keys below `prefix` that sort after `after`; so many folders asked ahead."""
    first = asyncio.ensure_future(_as_task(ask_page, Ask(prefix, folded=True)))
    async for page in _level(ask_page, prefix, after, ahead, first):
        yield page


async def _as_task(ask_page: AskPage, ask: Ask) -> Page:
    # Called in here: a task that is ended before it began would leave a coroutine behind.
    return await ask_page(ask)


async def _level(
    ask_page: AskPage, prefix: str, after: str, ahead: int, first: asyncio.Task[Page]
) -> AsyncIterator[Page]:
    async for entries in _batches(ask_page, prefix, first):
        folders = deque(
            entry for _, entry in entries if isinstance(entry, str) and _end(entry) > after
        )
        asked: deque[asyncio.Task[Page]] = deque()
        stats: list[Stat] = []
        try:
            for key, entry in entries:
                if isinstance(entry, Stat):
                    if key > after:
                        stats.append(entry)
                    continue
                if _end(entry) <= after:
                    continue
                if stats:
                    yield Page(stats)
                    stats = []
                while folders and len(asked) < ahead:
                    ask = Ask(folders.popleft(), folded=True)
                    asked.append(asyncio.ensure_future(_as_task(ask_page, ask)))
                async for page in _level(ask_page, entry, after, ahead, asked.popleft()):
                    yield page
            if stats:
                yield Page(stats)
        finally:
            for task in asked:
                task.cancel()


async def _batches(
    ask_page: AskPage, prefix: str, first: asyncio.Task[Page]
) -> AsyncIterator[list[Entry]]:
    """What is right below `prefix`, in the order of keys, a page or so at a time."""
    page, held = await first, list[Entry]()
    while True:
        stats: list[Entry] = [(stat.key, stat) for stat in page.stats]
        folders: list[Entry] = [(folder, folder) for folder in page.folders]
        held = sorted(held + stats + folders, key=lambda entry: entry[0])
        if not page.following:
            yield held
            return
        # Names that are still to come sort after all of this page's, without their slash.
        reached = max((key.rstrip("/") for key, _ in stats + folders), default="")
        yield [entry for entry in held if entry[0] <= reached]
        held = [entry for entry in held if entry[0] > reached]
        page = await ask_page(Ask(prefix, folded=True, following=page.following))


def _end(folder: str) -> str:
    """What all keys in the folder sort before."""
    return folder[:-1] + chr(ord("/") + 1)
