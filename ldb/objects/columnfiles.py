"""The column files beside packs: opened, or made again where one is missing.

A column file has a row for each blob of one type of its pack, in the order of the pack. It
is derived, so a damaged one is as good as none. Format: docs/formats/columns.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from ldb.backends.base import Backend, Buffer, Range
from ldb.columns.layout import FIRST_READ
from ldb.columns.model import Column
from ldb.columns.read import open_columns
from ldb.errors import Corrupt, LdbError, NotFound
from ldb.objects.columnsink import FEWEST_ROWS
from ldb.objects.model import BlobType
from ldb.objects.packformat import columns_key, pack_name
from ldb.objects.packread import PackReader


class ColumnFiles:
    """Columns of the packs of a store, and how much of them was read."""

    def __init__(self, keep: int = 0) -> None:
        self._keep = keep
        """How many blobs' columns are kept open, with what was read of them."""
        self._kept: dict[str, Column] = {}
        self.bytes_read = 0
        self.opened = 0
        self.rows = 0
        """Blobs in the packs whose columns were opened."""
        self.made = 0
        """Packs whose columns were missing and have been made anew."""

    def column(self, pack: PackReader, kind: BlobType, count: int) -> Column | None:
        """The `count` blobs of a type in a pack, column-wise; None: read them row by row."""
        if count < FEWEST_ROWS:
            return None
        key = columns_key(pack_name(pack.key) or "", kind)
        if key in self._kept:
            return self._kept[key]
        found = self._found(pack, kind, key)
        if found is None or found.size != count:
            return None
        if self.rows + count <= self._keep:
            self._kept[key] = found
        self.opened += 1
        self.rows += count
        return found

    def existing(self, pack: PackReader, kind: BlobType) -> Column | None:
        """The columns of a pack if they are there; none are made."""
        try:
            return self._opened_again(pack.backend, columns_key(pack_name(pack.key) or "", kind))
        except (Corrupt, NotFound):
            return None

    def forget(self, pack: PackReader, kind: BlobType) -> None:
        """Keep nothing of a column file with a damaged part: reading it anew may help."""
        key = columns_key(pack_name(pack.key) or "", kind)
        if pack.backend.forget(key):
            self._kept.pop(key, None)

    def _found(self, pack: PackReader, kind: BlobType, key: str) -> Column | None:
        try:
            return self._opened_again(pack.backend, key)
        except Corrupt:
            return None
        except NotFound:
            pass
        from ldb.columns.write import encode_columns  # what makes columns is rarely needed here

        try:
            column = shred_pack(pack, kind)
        except ValueError:  # payloads that are no MessagePack: reading them tells
            return None
        self.made += 1
        try:
            pack.backend.create(key, encode_columns(column), unconditional=True)
        except LdbError:  # a disk that is full or read-only: the next one makes them again
            pass
        return column

    def _opened_again(self, backend: Backend, key: str) -> Column:
        try:
            return self._open(backend, key)
        except Corrupt:
            if not backend.forget(key):
                raise
        return self._open(backend, key)

    def _open(self, backend: Backend, key: str) -> Column:
        size = _size(backend, key)

        def read(start: int, stop: int) -> Buffer:
            self.bytes_read += stop - start
            return backend.read(key, start, stop)

        return open_columns(read, size, key)

    def prefetch(self, packs: Iterable[PackReader], kind: BlobType) -> None:
        """Fetch together what opening the columns of these packs needs."""
        ranges = []
        for pack in packs:
            key = columns_key(pack_name(pack.key) or "", kind)
            known = pack.backend.last_listed(key) if key not in self._kept else None
            if known:
                ranges.append(Range(key, max(0, known[0].size - FIRST_READ), known[0].size))
        if len(ranges) > 1:
            pack.backend.prefetch(ranges)


def _size(backend: Backend, key: str) -> int:
    """Bytes of a column file; raises `NotFound`. One that the last listing did not show may
    have been made since."""
    for listed in (backend.last_listed(key) or (), backend.list(key, limit=1)):
        for each in listed:
            if each.key == key:
                return each.size
    raise NotFound("column file", key)


def shred_pack(pack: PackReader, kind: BlobType) -> Column:
    """Columns of the blobs of one type of a pack, made from the pack; raises `Corrupt`."""
    from ldb.columns.shred import Shredder

    shredder = Shredder()
    for block in pack.read_blocks(each for each in pack.blocks() if each.type is kind):
        shredder.add(block.all())
    return shredder.finish()
