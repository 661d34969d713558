"""Writing one pack: blobs in, the bytes of a file out. Rules: docs/formats/pack.md.

Blobs are gathered by type into blocks, each compressed as soon as it is full, so what is
held in memory is about the file plus 150 bytes a blob. The same blobs added in the same
order give the same file. A pack exists for others only once its bytes are stored whole.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from struct import pack as pack_struct
from struct import unpack_from

from ldb.backends.base import Buffer
from ldb.errors import BadInput
from ldb.ids import Oid
from ldb.objects import frames
from ldb.objects.codec import encode
from ldb.objects.columnsink import COLUMN_TYPES, ColumnSink
from ldb.objects.model import MAX_PAYLOAD, Blob, BlobType, hash_many, oid_of
from ldb.objects.packformat import (
    BLOCK,
    FANOUT,
    MAGIC,
    MAX_BLOCK,
    PACK_BYTES,
    TABLE_ROW,
    TRAILER_BYTES,
    Trailer,
    aligned,
    block_target,
    pack_key,
)

TRIED = 32
"""One block in so many is compressed both ways; where fast costs less than 1.6 %, the others
are compressed fast."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The bytes of a finished pack."""

    name: str
    data: Buffer
    blobs: int

    @property
    def key(self) -> str:
        return pack_key(self.name)


@dataclass(slots=True)
class _Block:
    """A block being filled or, once `stored` is set, in the file."""

    type: BlobType
    target: int
    oids: list[Oid] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    raw: int = 4
    offset: int = 0
    stored: int = 0
    crc: int = 0


class _Level:
    """Chooses how hard to compress the blocks of one type, by trying some of them both ways.

    So the same blocks give the same frames, and the first is compressed well.
    """

    def __init__(self) -> None:
        self._blocks = 0
        self._fast = False

    def compress(self, raw: bytes) -> bytes:
        tried = self._blocks % TRIED == 0
        self._blocks += 1
        if self._fast and not tried:
            return frames.compress_fast(raw)
        frame = frames.compress(raw)
        if tried:
            self._fast = len(frames.compress_fast(raw)) * 63 < len(frame) * 64
        return frame


class PackWriter:
    """Collects blobs of any types; each is stored once however often it is added."""

    def __init__(self, max_bytes: int = PACK_BYTES) -> None:
        self.max_bytes = max_bytes
        self._file = bytearray(MAGIC)
        self._open = {kind: _Block(kind, block_target(kind)) for kind in BlobType}
        self._written: list[_Block] = []
        self._levels = {kind: _Level() for kind in BlobType}
        self._places: dict[bytes, _Block] = {}
        self._sinks = {kind: ColumnSink() for kind in COLUMN_TYPES}

    def __len__(self) -> int:
        """Number of blobs."""
        return len(self._places)

    def __contains__(self, oid: object) -> bool:
        return oid in self._places

    def lacks(self, oids: Iterable[Oid]) -> bool:
        """Whether it has none of these blobs."""
        return self._places.keys().isdisjoint(oids)

    @property
    def size(self) -> int:
        """About how many bytes the file would have now: open blocks count at half."""
        blocks = len(self._written) + len(self._open)
        fixed = BLOCK.size * blocks + 2 * FANOUT.size + TRAILER_BYTES
        pending = sum(block.raw for block in self._open.values()) // 2
        return len(self._file) + pending + TABLE_ROW * len(self._places) + fixed

    @property
    def empty(self) -> bool:
        """Whether nothing has been added."""
        return not self._places

    @property
    def full(self) -> bool:
        """Whether the file has reached the size at which it should be finished."""
        return len(self._file) + TABLE_ROW * len(self._places) >= self.max_bytes

    def add(self, kind: BlobType, payload: bytes, oid: Oid | None = None) -> Oid:
        """Add one blob; `oid` saves hashing it where the caller has just done so."""
        named = oid_of(kind, payload) if oid is None else oid
        if named not in self._places:
            self._take(self._open[kind], named, payload)
        return named

    def add_many(
        self, kind: BlobType, payloads: Sequence[bytes], oids: Sequence[Oid] | None = None
    ) -> list[Oid]:
        """Add blobs of one type, in order; their oids."""
        named = hash_many(kind, payloads) if oids is None else list(oids)
        fresh = dict(zip(named, payloads, strict=True))
        if not self._places.keys().isdisjoint(fresh):
            fresh = {oid: fresh[oid] for oid in fresh if oid not in self._places}
        self._fill(kind, list(fresh), list(fresh.values()))
        return named

    def _fill(self, kind: BlobType, oids: list[Oid], payloads: list[bytes]) -> None:
        """Put new blobs into blocks, as many at once as leave the block open."""
        ends = list(accumulate([len(payload) + 4 for payload in payloads]))
        block = self._open[kind]
        start = before = 0
        while start < len(ends):
            full = bisect_left(ends, before + block.target - block.raw, start)
            if full > start:
                block.oids += oids[start:full]
                block.payloads += payloads[start:full]
                block.raw += ends[full - 1] - before
                self._places.update(dict.fromkeys(oids[start:full], block))
            if full < len(ends):
                block = self._take(block, oids[full], payloads[full])
                before = ends[full]
            start = full + 1

    def _take(self, block: _Block, oid: Oid, payload: bytes) -> _Block:
        """Put a new blob into a block; the block to go on with."""
        length = len(payload) + 4
        if length > MAX_PAYLOAD + 4:
            raise BadInput(block.type.value, f"{len(payload)} bytes, more than {MAX_PAYLOAD}")
        if block.raw + length > MAX_BLOCK and block.oids:
            block = self._write(block)
        self._places[oid] = block
        block.oids.append(oid)
        block.payloads.append(payload)
        block.raw += length
        return self._write(block) if block.raw >= block.target else block

    def salt(self) -> None:
        """Add a random blob, so that the pack's name is new: docs/design/011-garbage.md."""
        self.add(BlobType.ANNOTATION, encode(secrets.token_hex(16)))

    def add_block(
        self,
        kind: BlobType,
        oids: list[Oid],
        payloads: Sequence[bytes],
        frame: Buffer,
        raw: int,
        crc: int,
    ) -> None:
        """Add a block as another pack has it, of blobs that this one has none of yet.

        The caller has checked it: `raw` bytes once decompressed, CRC-32 and every blob.
        """
        block = _Block(kind, 0, oids, raw=raw, offset=len(self._file), stored=len(frame), crc=crc)
        self._file += frame
        self._written.append(block)
        self._places.update(dict.fromkeys(oids, block))
        if kind in self._sinks:
            self._sinks[kind].add(payloads)

    def get(self, oid: Oid) -> Blob | None:
        """A blob added before; None where it is not in this pack."""
        block = self._places.get(oid)
        if block is None:
            return None
        place = block.oids.index(oid)
        if block.payloads:
            return Blob(block.type, block.payloads[place])
        frame = bytes(self._file[block.offset : block.offset + block.stored])
        raw = frames.decompress(frame, block.raw, oid, "pack being written")
        return Blob(block.type, _payloads(raw)[place])

    def finish(self) -> Pack | None:
        """The whole file, None where nothing was added. Nothing may be added afterwards."""
        for kind in BlobType:
            if self._open[kind].oids:
                self._write(self._open[kind])
        if not self._places:
            return None
        data = memoryview(self._close())
        return Pack(hashlib.sha256(data).hexdigest(), data, len(self._places))

    def columns(self) -> Iterator[tuple[BlobType, bytes]]:
        """The column files that go beside the finished pack."""
        for kind, sink in self._sinks.items():
            if data := sink.finish():
                yield kind, data

    def _write(self, block: _Block) -> _Block:
        """Compress a block into the file; the block to go on with."""
        lengths = list(map(len, block.payloads))
        head = pack_struct(f"<{len(lengths) + 1}I", len(lengths), *lengths)
        frame = self._levels[block.type].compress(head + b"".join(block.payloads))
        block.offset, block.stored = len(self._file), len(frame)
        block.crc = zlib.crc32(frame)
        if block.type in self._sinks:
            self._sinks[block.type].add(block.payloads)
        block.payloads = []
        self._file += frame
        self._written.append(block)
        following = self._open[block.type] = _Block(block.type, block.target)
        return following

    def _close(self) -> bytearray:
        """Append oid table, directory and trailer."""
        from ldb.objects.oidtable import as_oids, build  # numpy: only when packs are made

        self._pad()
        start = len(self._file)
        oids = b"".join([oid for block in self._written for oid in block.oids])
        table, fanout = build(as_oids(oids))
        self._file += table
        trailer = Trailer(start, len(self._file), len(self._places), len(self._written))
        directory = self._block_table() + fanout
        self._file += directory
        self._file += trailer.pack(directory)
        return self._file

    def _block_table(self) -> bytes:
        rows, first = [], 0
        for block in self._written:
            count = len(block.oids)
            place = (block.offset, block.stored, block.raw)
            rows.append(BLOCK.pack(*place, first, count, block.crc, block.type.code))
            first += count
        return b"".join(rows)

    def _pad(self) -> None:
        self._file += bytes(aligned(len(self._file)) - len(self._file))


def _payloads(raw: bytes) -> list[bytes]:
    """The blobs of a decompressed block."""
    (count,) = unpack_from("<I", raw)
    lengths = unpack_from(f"<{count}I", raw, 4)
    return [raw[low:high] for low, high in pairwise(accumulate(lengths, initial=4 + 4 * count))]
