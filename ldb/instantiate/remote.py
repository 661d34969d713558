"""The second round of a run: objects that only a remote place has, fetched by threads.

Workers have handed these back, and are gone: no client works across a fork. Everything
else (names, listing, what may be replaced) is as for local files.
docs/design/014-fetching.md.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput
from ldb.instantiate.caching import CachedFetcher
from ldb.instantiate.items import Chosen, Items
from ldb.instantiate.layout import Layout
from ldb.instantiate.listing import Before
from ldb.instantiate.model import Item
from ldb.instantiate.naming import Name
from ldb.instantiate.write import BatchResult, WriteOptions, Writer
from ldb.storage.bringing import Needed, bring
from ldb.storage.cache import CacheOptions, clean, may_be_cleaned
from ldb.storage.fetching import Reader
from ldb.storage.location import is_local
from ldb.storage.remote import Clients

BATCH = 2048
"""Most objects of a batch: only at the end of each are fewer under way than could be."""

BATCH_BYTES = 1 << 30


def write_deferred(
    items: Items,
    ids: Sequence[bytes],
    options: WriteOptions,
    before: Before,
    clients: Callable[[], Clients],
) -> Generator[BatchResult, None, None]:
    """Write the objects with these ids."""
    assert options.cache is not None  # or nothing would have been deferred
    tidy = _Tidy(options.cache)
    with clients() as opened, ExitStack() as stack:
        writer = RemoteWriter(_part(items, ids), options, before, opened)
        stack.enter_context(writer)
        for start in range(0, len(ids), BATCH):
            for result in writer.write(start, min(start + BATCH, len(ids))):
                yield result
                tidy.after(writer.added)
    tidy.end()


class RemoteWriter(Writer):
    """Writes items of which some are in remote places only."""

    def __init__(
        self, items: Items, options: WriteOptions, before: Before, clients: Clients
    ) -> None:
        super().__init__(items, options, before)
        self._reader = Reader(clients)

    @property
    def added(self) -> int:
        """Bytes that were put into the cache."""
        return self._cache.added if self._cache else 0

    def write(self, start: int, stop: int) -> Iterator[BatchResult]:
        for batch in self._items.batches(start, stop, BATCH, BATCH_BYTES):
            yield self._write_batch(batch)

    def _with_data(self, batch: list[Item], result: BatchResult) -> list[Item]:
        there = super()._with_data(batch, result)
        away = set(result.deferred)
        result.deferred.clear()
        waiting = [item for item in batch if item.id in away]
        fetcher, cache = self._fetcher, self._cache
        assert isinstance(fetcher, CachedFetcher)
        assert cache is not None
        for at, brought in bring(self._reader, cache, [needed(item) for item in waiting]):
            item = waiting[at]
            fetcher.brought = {item.id: brought}
            if self._write_data(item, result):
                there.append(item)
        fetcher.brought = {}
        return there


def needed(item: Item) -> Needed:
    remote = [seen for seen in item.paths if not is_local(seen["path"])]
    return Needed(item.id, item.size, [(seen["path"], seen.get("version", "")) for seen in remote])


@dataclass(frozen=True)
class _Renumbered:
    """The names that a layout gives, for some of its objects."""

    layout: Layout
    places: NDArray[np.int64]

    def name(self, position: int, object_id: str, path: str, type: str) -> Name:  # noqa: A002
        return self.layout.name(int(self.places[position]), object_id, path, type)

    def part(self, start: int, stop: int) -> Layout:
        return _Renumbered(self.layout, self.places[start:stop])


def _part(items: Items, ids: Sequence[bytes]) -> Items:
    """The items with these ids, in their order."""
    chosen, wanted = items.chosen, set(ids)
    raw, width = chosen.ids.tobytes(), chosen.ids.shape[1]
    places = np.array(
        [at for at in range(len(chosen.ids)) if raw[at * width : at * width + width] in wanted],
        np.int64,
    )
    part = Chosen(chosen.ids[places], chosen.records[places], chosen.annotations[places])
    return Items(items.instance, part, _Renumbered(items.layout, places), items.writer)


class _Tidy:
    """Keeps the cache below its limit."""

    def __init__(self, options: CacheOptions) -> None:
        self._options = options
        self._cleaned_at = 0
        if options.limit is not None and not may_be_cleaned(options.folder):
            raise BadInput(
                "core.cache_size",
                f"{options.folder} was not made by LDB, which removes nothing from it",
                "unset core.cache_size, or set core.cache_dir to another folder",
            )

    def after(self, added: int) -> None:
        """Look now and then: counting what is there takes a while."""
        limit = self._options.limit
        if limit is not None and added - self._cleaned_at > limit // 10:
            self._cleaned_at = added
            self.end()

    def end(self) -> None:
        """Remove what is too much."""
        if self._options.limit is not None:
            clean(self._options.folder, self._options.limit)
