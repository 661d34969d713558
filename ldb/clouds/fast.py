"""Reading objects by obstore where it is installed, and listing S3: a fifth of the processor time.

Everything else stays with the other wire, which also answers where obstore has none: obstore hides
how long a store asks to wait, takes a 409 for "exists", and cannot name some keys (`a//b`). So what
a failed request means is told in one way, at the price of one more. Where address and keys are
known without the other wire (`plain.py`), it is opened when it is first needed.

Stores that obstore makes are made in `obstores.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ldb.clouds.base import Get, Stat
from ldb.clouds.obstores import answered, asked, is_plain_key, is_plain_prefix, may_use, stats_of
from ldb.clouds.walking import in_order
from ldb.clouds.wire import Ask, Failure, Got, Page, Try, Wire, opening

_AFTER = "\0"
"""Begins what a page of obstore's goes on from, a key; the other wire's are the store's own."""


class FastWire:
    """A wire that reads by obstore, over one that does the rest."""

    def __init__(
        self, exact: Wire, make_store: Callable[[], Any], by_version: bool = False
    ) -> None:
        self._exact, self._make_store, self._by_version = exact, make_store, by_version
        """Whether the token is the version, as Google's is: read by it, and compare nothing."""
        self._store: Any = None
        self._opening: asyncio.Task[None] | None = None
        self.part_size, self.deletes = exact.part_size, exact.deletes

    @property
    def by_folder(self) -> bool:
        return self._exact.by_folder

    async def open(self) -> None:
        await self._other()
        if may_use():
            self._store = self._make_store()

    async def _other(self) -> Wire:
        """The wire below, open."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(opening(self._exact))
        try:
            await asyncio.shield(self._opening)
        except BaseException:
            if self._opening.done():
                self._opening = None
            raise
        return self._exact

    async def get(self, wanted: Get) -> Got:
        if self._store is not None and is_plain_key(wanted.key):
            try:
                return await self._get(wanted)
            except Exception:  # noqa: BLE001  (of many kinds; the other wire tells what it is)
                pass
        return await (await self._other()).get(wanted)

    async def _get(self, wanted: Get) -> Got:
        options = asked(wanted, self._by_version)
        answer = await self._store.get_async(wanted.key, options=options)
        return answered(answer, bytes(await answer.bytes_async()), self._by_version)

    async def head(self, key: str) -> Stat:
        # Whether the token is an MD5, obstore does not tell: it hides who encrypts.
        return await (await self._other()).head(key)

    async def page(self, ask: Ask) -> Page:
        return await (await self._other()).page(ask)

    async def create(self, key: str, data: bytes) -> bool:
        return await (await self._other()).create(key, data)

    async def put(self, key: str, data: bytes | memoryview) -> Stat:
        return await (await self._other()).put(key, data)

    async def put_parts(self, key: str, parts: Sequence[memoryview], tried: Try) -> Stat:
        return await (await self._other()).put_parts(key, parts, tried)

    async def delete(self, keys: Sequence[str]) -> None:
        await (await self._other()).delete(keys)

    async def close(self) -> None:
        self._store = None
        if self._opening is not None:
            self._opening = None
            await self._exact.close()

    def explain(self, error: BaseException) -> Failure | None:
        return self._exact.explain(error)


class FastS3(FastWire):
    """The same for S3, which obstore lists as well.

    `plain`: address and keys are known (`plain.py`), and `address` is the bucket's, None for
    Amazon's; else the wire below finds them.
    """

    def __init__(
        self, exact: Wire, make_store: Callable[[], Any], plain: bool, address: str | None
    ) -> None:
        super().__init__(exact, make_store)
        self._plain, self._address = plain, address
        self._by_folder: bool | None = None
        """Whether the store sorts so; None: not known yet."""

    @property
    def by_folder(self) -> bool:
        return bool(self._by_folder) or self._exact.by_folder

    async def open(self) -> None:
        if not self._plain:
            await super().open()
        elif may_use():
            self._store = self._make_store()

    async def page(self, ask: Ask) -> Page:
        ours = not ask.following or ask.following.startswith(_AFTER)
        if self._plain and self._store is not None and ours and is_plain_prefix(ask.prefix):
            try:
                found = await (self._folded(ask) if ask.folded else self._page(ask))
            except Exception:  # noqa: BLE001  (of many kinds; the other wire tells what it is)
                found = None
            if found is not None:
                return found
        if ask.following.startswith(_AFTER):
            ask = replace(ask, after=ask.following[1:], following="")
        return await (await self._other()).page(ask)

    async def _page(self, ask: Ask) -> Page | None:
        """Keys that follow one: obstore tells no token to go on from. None: ask elsewhere."""
        after = ask.following[1:] or ask.after
        chunks = self._store.list(ask.prefix or None, offset=after or None, chunk_size=ask.limit)
        stats = stats_of(await anext(chunks, []))
        if stats is None:
            return None
        if len(stats) < ask.limit and not after:  # all of it, in whatever order
            return in_order(Page(stats))
        if self._by_folder is None:
            self._by_folder = await asyncio.to_thread(sorts_by_folder, self._address)
        return Page(stats, (), _AFTER + stats[-1].key if len(stats) == ask.limit else "")

    async def _folded(self, ask: Ask) -> Page | None:
        """A whole folder at once, which only stores that sort by folder are asked for: of others
        it may be too long."""
        if not self._by_folder:
            return None
        answer = await self._store.list_with_delimiter_async(ask.prefix or None)
        stats = stats_of(answer["objects"])
        folders = [f"{folder}/" for folder in answer["common_prefixes"]]
        return None if stats is None else Page(stats, folders)


def sorts_by_folder(url: str | None) -> bool:
    """Whether the server is SeaweedFS (`walking.py`), which obstore does not tell.

    Asked for a bucket without a signature; raises `OSError` where there is no answer.
    """
    if url is None or ".amazonaws.com" in url:
        return False
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(url, method="HEAD"), timeout=10) as answer:
            headers = answer.headers
    except HTTPError as error:
        headers = error.headers
        error.close()
    return str(headers.get("Server", "")).startswith("SeaweedFS")
