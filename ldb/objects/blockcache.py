"""Decompressed blocks kept in memory, so that neighbours are not decompressed again."""

from __future__ import annotations

import threading
from collections import OrderedDict

from ldb.objects.packread import PackReader, Payloads


class BlockCache:
    """The blocks used last, up to a number of bytes; safe for threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._blocks: OrderedDict[tuple[str, int], Payloads] = OrderedDict()
        self._lock = threading.Lock()

    def payloads(self, pack: PackReader, ordinal: int) -> Payloads:
        """The block of a pack that should hold a blob; errors as the reader's."""
        name = (pack.key, pack.block_number(ordinal))
        with self._lock:
            known = self._blocks.get(name)
            if known is not None:
                self._blocks.move_to_end(name)
                return known
        made = pack.payloads(pack.block(name[1]))
        with self._lock:
            self._keep(name, made)
        return made

    def _keep(self, name: tuple[str, int], made: Payloads) -> None:
        if name in self._blocks:
            return
        self._blocks[name] = made
        self._bytes += len(made.raw)
        while self._bytes > self._max_bytes and len(self._blocks) > 1:
            _, dropped = self._blocks.popitem(last=False)
            self._bytes -= len(dropped.raw)
