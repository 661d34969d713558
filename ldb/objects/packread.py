"""Reading one pack: lookups, blocks, blobs. Nothing is believed before it is checked.

Opening reads the trailer and the directory; the oid table, which grows with the blobs, is
read a slice at a time for single lookups and whole for many. A flipped bit in the table
can only hide a blob, so a miss is believed after `check_slice`, not before. Blobs are
checked against their oids by whoever asks for them. Rules: docs/formats/pack.md.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from struct import unpack_from
from typing import TYPE_CHECKING

from ldb.backends.base import Backend, Buffer, Entry, Range
from ldb.errors import Corrupt
from ldb.ids import Oid
from ldb.objects import frames
from ldb.objects.model import TYPE_OF_CODE, BlobType
from ldb.objects.packformat import (
    BLOCK,
    FANOUT,
    FIRST_AT,
    MAGIC,
    TRAILER_BYTES,
    Block,
    Trailer,
    check_directory,
    max_raw,
    read_trailer,
    slice_ranges,
    slice_sum,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ldb.objects.oidtable import Columns

OPENING_READ = 64 * 1024
"""Bytes read from the end of a pack to open it: more than the directory nearly always."""

SMALL = 16 * 1024
"""Packs up to this many bytes, as most commits write them, are read at once and kept."""

WHOLE_TABLE = 128 * 1024
"""Tables up to this many bytes are read at once."""

SLICES = 16
"""After this many slices of a larger table the whole of it is read."""

OPENED_TOGETHER = 32
"""Packs far away that are opened together; twice as many each time that this was not enough."""

READ_AHEAD = 4 * 1024 * 1024
"""Bytes of blocks asked of the backend at a time."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One of the 256 parts of the oid table: oids with the same first byte."""

    keys: Sequence[int]
    rests: memoryview
    ordinals: Sequence[int]

    def rows(self, oid: bytes) -> int:
        """The row of an oid, -1 where absent."""
        number = int.from_bytes(oid[:8], "big")
        row = bisect_left(self.keys, number)
        while row < len(self.keys) and self.keys[row] == number:
            if self.rests[24 * row : 24 * row + 24] == oid[8:]:
                return row
            row += 1
        return -1

    def oid(self, row: int) -> Oid:
        """The oid in a row."""
        rest = self.rests[24 * row : 24 * row + 24]
        return Oid(self.keys[row].to_bytes(8, "big") + bytes(rest))


@dataclass(frozen=True, slots=True)
class Payloads:
    """A block decompressed: `raw[edges[i]:edges[i + 1]]` is its blob number i."""

    block: Block
    raw: bytes
    edges: list[int]

    def blob(self, ordinal: int) -> bytes | None:
        """The payload of a blob of the pack; None where it is not in this block."""
        place = ordinal - self.block.first
        if not 0 <= place < self.block.count:
            return None
        return self.raw[self.edges[place] : self.edges[place + 1]]

    def all(self) -> list[bytes]:
        """Every payload, in order."""
        return [self.raw[low:high] for low, high in pairwise(self.edges)]


def likely_first(entries: Iterable[Entry]) -> list[Entry]:
    """Packs in an order that finds most blobs soon: the newest and the largest come first.

    Of thousands of small packs, one a commit, few are opened then.
    """
    named = sorted(entries, key=lambda each: each.key)
    ranks = dict.fromkeys((each.key for each in named), len(named))
    for weight in (lambda each: each.stored, lambda each: each.size):
        for rank, entry in enumerate(sorted(named, key=weight, reverse=True)):
            ranks[entry.key] = min(rank, ranks[entry.key])
    return sorted(named, key=lambda each: ranks[each.key])


def opening(packs: Sequence[PackReader]) -> Iterator[PackReader]:
    """The packs, to look into one by one until all is found.

    Where each fetch would be a request, what opening them needs is fetched together, for more
    packs each time: what is looked for mostly lies in the first.
    """
    start, size = 0, OPENED_TOGETHER
    while start < len(packs):
        group = packs[start : start + size]
        waiting = [each for each in group if each.backend.far and not each.is_open]
        if len(waiting) > 1:
            waiting[0].backend.prefetch([each.opening_range for each in waiting])
        yield from group
        start, size = start + size, 2 * size


class PackReader:
    """One pack of a backend, opened when first used. Raises `Corrupt(key, where)`."""

    def __init__(self, backend: Backend, key: str, size: int) -> None:
        self.backend = backend
        self.key = key
        self.size = size
        self._slices: dict[int, Slice] = {}
        self._checked = bytearray(256)

    def __len__(self) -> int:
        """Number of blobs."""
        return self._opened[0].blobs

    # -- opening -----------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return "_opened" in self.__dict__

    @property
    def opening_range(self) -> Range:
        """What is read to open it, nearly always all of it."""
        return Range(self.key, max(0, self.size - OPENING_READ), self.size)

    @cached_property
    def _opened(self) -> tuple[Trailer, bytes]:
        start = self.opening_range.start
        tail = self.read(start, self.size)
        end = tail[-TRAILER_BYTES:]
        trailer = read_trailer(self.key, self.size, end)
        if trailer.directory < start:
            tail = self.read(trailer.directory, self.size)
        directory = tail[-TRAILER_BYTES - trailer.directory_bytes : -TRAILER_BYTES]
        check_directory(self.key, directory, end)
        return trailer, directory

    @property
    def trailer(self) -> Trailer:
        return self._opened[0]

    @cached_property
    def fanout(self) -> tuple[int, ...]:
        """Number of oids whose first byte is at most 0, 1, … 255."""
        at = BLOCK.size * self.trailer.blocks
        bounds = FANOUT.unpack_from(self._opened[1], at)
        if bounds[-1] != len(self) or tuple(sorted(bounds)) != bounds:
            raise Corrupt(self.key, "fan-out out of order")
        return bounds

    def _sum(self, first_byte: int) -> int:
        """The checksum of a slice of the oid table."""
        sums = BLOCK.size * self.trailer.blocks + FANOUT.size
        found: int = unpack_from("<I", self._opened[1], sums + 4 * first_byte)[0]
        return found

    def read(self, start: int, stop: int) -> bytes:
        """Exactly the bytes `[start, stop)` of the file, copied."""
        return bytes(self.view(start, stop))

    def view(self, start: int, stop: int) -> Buffer:
        """The same, without a copy where the backend can."""
        if self.size <= SMALL:
            return self._whole(self._file[start:stop], start, stop)
        return self._whole(self.backend.read(self.key, start, stop), start, stop)

    @cached_property
    def _file(self) -> memoryview:
        """All of a small pack."""
        return memoryview(bytes(self.backend.read(self.key, 0, self.size)))

    def _whole(self, data: Buffer, start: int, stop: int) -> Buffer:
        if len(data) != stop - start:
            raise Corrupt(self.key, f"bytes {start} to {stop} are not all there: truncated")
        return data

    # -- the oid table -----------------------------------------------------------------

    def find_one(self, oid: Oid) -> int:
        """Ordinal of the blob, -1 where absent; reads at most one slice of the table."""
        found = self.slice(oid[0])
        row = found.rows(oid)
        return self._ordinal(found.ordinals[row]) if row >= 0 else -1

    def slice(self, first_byte: int) -> Slice:
        """The rows of all oids that start with a byte."""
        found = self._slices.get(first_byte)
        if found is None:
            found = self._slices[first_byte] = self._read_slice(first_byte)
        return found

    def _read_slice(self, first_byte: int) -> Slice:
        start, stop = self._bounds(first_byte)
        ranges = slice_ranges(len(self), start, stop)
        if "table" in self.__dict__ or self._table_pays():
            table = memoryview(self.table)
            keys, rests, ordinals = (table[low:high] for low, high in ranges)
        else:
            base = self.trailer.table
            wanted = [Range(self.key, base + low, base + high) for low, high in ranges]
            parts = self.backend.read_many(wanted) if stop > start else [b""] * 3
            keys, rests, ordinals = (
                memoryview(self._whole(part, base + low, base + high))
                for part, (low, high) in zip(parts, ranges)
            )
        return Slice(_numbers(keys, "Q"), rests, _numbers(ordinals, "I"))

    def _bounds(self, first_byte: int) -> tuple[int, int]:
        return (self.fanout[first_byte - 1] if first_byte else 0), self.fanout[first_byte]

    def _table_pays(self) -> bool:
        return self._table_bytes <= WHOLE_TABLE or len(self._slices) >= SLICES

    @property
    def _table_bytes(self) -> int:
        return self.trailer.directory - self.trailer.table

    @cached_property
    def table(self) -> Buffer:
        """The whole oid table, padding included; not checked."""
        return self.view(self.trailer.table, self.trailer.directory)

    @cached_property
    def columns(self) -> Columns:
        """The whole oid table as numpy columns; not checked."""
        from ldb.objects.oidtable import columns  # numpy: only for bulk work

        return columns(self.table, len(self))

    @cached_property
    def firsts(self) -> NDArray[np.uint32]:
        """Ordinal of the first blob of each block; not checked, as `block` does that."""
        return self._block_rows[:, FIRST_AT // 4].copy()

    def runs(self, kind: BlobType) -> NDArray[np.int64]:
        """First ordinal and number of blobs of each block of a type, shape (n, 2), checked."""
        rows = self._block_rows
        rows = rows[rows[:, FIRST_AT // 4 + 3] & 0xFF == kind.code]
        runs: NDArray[np.int64] = rows[:, FIRST_AT // 4 : FIRST_AT // 4 + 2].astype("i8")
        if bool((runs.sum(axis=1) > self.trailer.blobs).any()):
            raise Corrupt(self.key, "block table: more blobs than the pack has")
        return runs

    @cached_property
    def _block_rows(self) -> NDArray[np.uint32]:
        import numpy as np  # only for bulk work

        words = BLOCK.size // 4
        return np.frombuffer(self._opened[1], "<u4", words * self.trailer.blocks).reshape(-1, words)

    def check_slice(self, first_byte: int) -> None:
        """Raise `Corrupt` if the slice is damaged, so that it may hide blobs."""
        if self._checked[first_byte]:
            return
        start, stop = self._bounds(first_byte)
        if start == stop and not self._sum(first_byte):  # as most are in a small pack
            return
        found = self.slice(first_byte)
        self._check(first_byte, (_bytes(found.keys), found.rests, _bytes(found.ordinals)))

    def check_table(self) -> None:
        """The same for all slices, which are not kept: as objects they take far more memory
        than the table, where thousands of packs are checked."""
        table = memoryview(self.table)
        for first_byte in range(256):
            if not self._checked[first_byte]:
                ranges = slice_ranges(len(self), *self._bounds(first_byte))
                self._check(first_byte, [table[low:high] for low, high in ranges])

    def _check(self, first_byte: int, parts: Sequence[Buffer]) -> None:
        if slice_sum(parts) != self._sum(first_byte):
            raise Corrupt(self.key, f"oid table, slice {first_byte:02x} (checksum)")
        self._checked[first_byte] = 1

    def _ordinal(self, ordinal: int) -> int:
        if ordinal >= len(self):
            raise Corrupt(self.key, f"oid table: blob {ordinal} of {len(self)}")
        return ordinal

    def oids(self) -> Iterator[Oid]:
        """Every oid, sorted; slices are checked."""
        for first_byte in range(256):
            self.check_slice(first_byte)
            found = self.slice(first_byte)
            yield from map(found.oid, range(len(found.keys)))

    def starting_with(self, prefix: str) -> list[Oid]:
        """Oids that start with lowercase hex digits, two at least."""
        found = self.slice(int(prefix[:2], 16))
        low = bisect_left(found.keys, int(prefix[:16].ljust(16, "0"), 16))
        high = bisect_right(found.keys, int(prefix[:16].ljust(16, "f"), 16))
        return [oid for oid in map(found.oid, range(low, high)) if oid.hex().startswith(prefix)]

    # -- blocks ------------------------------------------------------------------------

    def block(self, number: int) -> Block:
        """One row of the block table, its numbers proven to fit the file."""
        trailer, directory = self._opened
        offset, stored, raw, first, count, crc, code = BLOCK.unpack_from(
            directory, BLOCK.size * number
        )
        kind = TYPE_OF_CODE.get(code)
        if (
            kind is None
            or offset < len(MAGIC)
            or offset + stored > trailer.table
            or not 0 < count <= trailer.blobs - first
            or not 4 + 4 * count <= raw <= max_raw(count)
        ):
            raise Corrupt(self.key, f"block table, row {number}: does not fit the file")
        return Block(number, kind, first, count, offset, stored, raw, crc)

    def blocks(self) -> Iterator[Block]:
        """The block table, in the order of the file."""
        return map(self.block, range(self.trailer.blocks))

    def block_number(self, ordinal: int) -> int:
        """Which block holds a blob, if the block table is right."""
        directory = self._opened[1]
        rows = range(self.trailer.blocks)
        return max(0, bisect_right(rows, ordinal, key=lambda row: _first(directory, row)) - 1)

    def payloads(self, block: Block) -> Payloads:
        """The blobs of a block: checked against its checksum, not against their oids."""
        return self._unpack(block, self.view(block.offset, block.stop))

    def read_blocks(self, wanted: Iterable[Block]) -> Iterator[Payloads]:
        """The same for many blocks in file order, neighbours fetched together."""
        return (payloads for payloads, _ in self.read_stored(wanted))

    def read_stored(self, wanted: Iterable[Block]) -> Iterator[tuple[Payloads, memoryview]]:
        """The same, each with its frame as it is stored, which has passed its checksum."""
        for batch in _batches(wanted):
            runs = _runs(batch)
            ranges = [Range(self.key, run[0].offset, run[-1].stop) for run in runs]
            for run, data in zip(runs, self.backend.read_many(ranges)):
                base, view = run[0].offset, memoryview(data)
                for block in run:
                    stored = view[block.offset - base : block.stop - base]
                    yield self._unpack(block, stored), stored

    def _unpack(self, block: Block, stored: Buffer) -> Payloads:
        where = f"block {block.number} at byte {block.offset}"
        self._whole(stored, block.offset, block.stop)
        if zlib.crc32(stored) != block.crc:
            raise Corrupt(self.key, f"{where} (checksum)")
        raw = frames.decompress(stored, block.raw, self.key, where)
        count = block.count
        if unpack_from("<I", raw)[0] != count:
            raise Corrupt(self.key, f"{where}: another number of blobs than in the block table")
        edges = list(accumulate(unpack_from(f"<{count}I", raw, 4), initial=4 + 4 * count))
        if edges[-1] != len(raw):
            raise Corrupt(self.key, f"{where}: lengths do not add up")
        return Payloads(block, raw, edges)


def _first(directory: bytes, row: int) -> int:
    first: int = unpack_from("<I", directory, BLOCK.size * row + FIRST_AT)[0]
    return first


def _numbers(data: memoryview, code: str) -> Sequence[int]:
    """Little-endian numbers, in place where the machine is little-endian too."""
    if sys.byteorder == "little":
        return data.cast(code)  # type: ignore[call-overload, no-any-return]
    swapped = array(code, data.tobytes())
    swapped.byteswap()
    return swapped


def _bytes(numbers: Sequence[int]) -> Buffer:
    """The stored bytes that `_numbers` was made of."""
    if isinstance(numbers, memoryview):
        return numbers.cast("B")
    assert isinstance(numbers, array)
    swapped = array(numbers.typecode, numbers)
    swapped.byteswap()
    return swapped.tobytes()


def _batches(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    batch: list[Block] = []
    size = 0
    for block in blocks:
        if batch and size + block.stored > READ_AHEAD:
            yield batch
            batch, size = [], 0
        batch.append(block)
        size += block.stored
    if batch:
        yield batch


def _runs(batch: Sequence[Block]) -> list[list[Block]]:
    """Blocks that lie next to one another, together."""
    runs: list[list[Block]] = []
    for block in batch:
        if runs and runs[-1][-1].stop == block.offset:
            runs[-1].append(block)
        else:
            runs.append([block])
    return runs
