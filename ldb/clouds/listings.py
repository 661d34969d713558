"""Listing a bucket: pages in order, by one request after the other or by many at once.

What a store's own pages look like is the business of wires; here they are put in order, joined and
cut. `client.py` asks for them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from functools import partial

from ldb.clouds import loops, window
from ldb.clouds.base import Stat, Stretch
from ldb.clouds.parallel import list_in_parallel, list_some
from ldb.clouds.walking import in_order, walk
from ldb.clouds.wire import Ask, Page
from ldb.errors import StoreFailed


class Listings:
    """The listing half of a client."""

    _url: str

    async def _page(self, ask: Ask) -> Page:
        """One page, as the store gives it; raises what callers shall see."""
        raise NotImplementedError

    async def _by_folder(self) -> bool:
        """Whether the store sorts by folder, as far as that is known."""
        raise NotImplementedError

    def list(self, prefix: str = "", after: str = "", limit: int | None = None) -> Iterator[Stat]:
        left = limit
        for page in window.pulled(partial(self._pages, prefix, after, limit)):
            stats = page.stats if left is None else page.stats[:left]
            yield from stats
            if left is not None:
                left -= len(stats)
                if left <= 0:
                    return

    def list_parallel(self, prefix: str = "", concurrency: int = 8) -> Iterator[Stat]:
        for page in window.pulled(partial(self._parallel_pages, prefix, concurrency)):
            yield from page.stats

    async def _parallel_pages(self, prefix: str, concurrency: int) -> AsyncIterator[Page]:
        first = await self._page(Ask(prefix))
        if not first.following:
            yield in_order(first) if await self._by_folder() else first
        elif await self._by_folder():
            async for page in walk(self._page, prefix, ahead=concurrency):
                yield page
        else:
            async for page in list_in_parallel(self._page, self._pages, prefix, first, concurrency):
                yield page

    def cut(self, prefix: str, stretch: Stretch, pieces: int) -> Sequence[Stretch]:
        return loops.run(self._cut(prefix, stretch, pieces))

    async def _cut(self, prefix: str, stretch: Stretch, pieces: int) -> Sequence[Stretch]:
        from ldb.clouds.cutting import cut  # as most commands do without

        async def first_of(part: Stretch) -> str | None:
            async with aclosing(self._pages(prefix, part.after, 1)) as pages:
                async for page in pages:
                    key = page.stats[0].key
                    return key if part.holds(key) else None
            return None

        if await self._by_folder():
            return [stretch]
        found = await cut(first_of, prefix, stretch, pieces)
        # What sort of store it is may only be known now.
        return [stretch] if await self._by_folder() else found

    def list_stretches(
        self, prefix: str, stretches: Sequence[Stretch], most: int
    ) -> Sequence[tuple[Sequence[Stat], str]]:
        return loops.run(self._list_stretches(prefix, stretches, most))

    async def _list_stretches(
        self, prefix: str, stretches: Sequence[Stretch], most: int
    ) -> Sequence[tuple[Sequence[Stat], str]]:
        return await loops.together(
            list_some(self._pages, prefix, each, most) for each in stretches
        )

    def folders(self, prefix: str) -> Sequence[str]:
        return loops.run(self._folders(prefix))

    async def _folders(self, prefix: str) -> Sequence[str]:
        found, following = list[str](), "-"
        while following:
            token = "" if following == "-" else following
            page = await self._page(Ask(prefix, folded=True, following=token))
            found += (folder[len(prefix) : -1] for folder in page.folders)
            following = page.following
        return sorted(set(found))

    async def _pages(
        self, prefix: str, after: str = "", limit: int | None = None
    ) -> AsyncGenerator[Page, None]:
        """Pages of a listing, in order, without what is not wanted."""
        if limit is not None and limit <= 0:
            return
        last, by_folder = after, await self._by_folder()
        size = 1000 if limit is None or by_folder else min(1000, limit + bool(after))
        page = await self._page(Ask(prefix, "" if by_folder else after, size))
        if await self._by_folder():  # which may be known only now
            if after or page.following:
                async for page in walk(self._page, prefix, after):
                    yield page
                return
            page = in_order(page)
        while True:
            stats = page.stats
            if after and last == after:  # a store may begin with it, or at the prefix
                stats = [stat for stat in stats if stat.key > after]
            keys = [last, *(stat.key for stat in stats)]
            if keys != sorted(keys):
                # Whoever compares with what was seen before would take the rest for deleted.
                raise StoreFailed(self._url, "lists its keys out of order", "tell us of it")
            if stats:
                last = keys[-1]
                yield Page(stats)
            if not page.following:
                return
            page = await self._page(Ask(prefix, after, size, following=page.following))
