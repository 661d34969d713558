"""Looking at all of a pack: its blobs one by one, and everything that could be wrong with it.

For `fsck`, `verify-pack`, `show-pack` and `unpack-objects`. Rules: docs/formats/pack.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.errors import Corrupt
from ldb.ids import Oid
from ldb.objects.bulk import digest_all
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids, as_oids
from ldb.objects.packformat import MAGIC, TABLE_ROW, Block, pack_name
from ldb.objects.packread import PackReader, Payloads


@dataclass(frozen=True, slots=True)
class PackEntry:
    """One blob of a pack."""

    oid: Oid
    type: BlobType
    ordinal: int
    """Its place among the blobs of the pack."""
    block: Block
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes of its payload."""
        return len(self.payload)


def entries(pack: PackReader) -> Iterator[PackEntry]:
    """Every blob in the order of the file, verified; raises `Corrupt` at the first bad one."""
    oids = oids_by_ordinal(pack)
    for found in pack.read_blocks(pack.blocks()):
        block = found.block
        named = oids[block.first : block.first + block.count]
        payloads = _matching(pack, found, named)
        for ordinal, (oid, payload) in enumerate(zip(named, payloads), start=block.first):
            yield PackEntry(Oid(oid.tobytes()), block.type, ordinal, block, payload)


def verify(pack: PackReader) -> list[Corrupt]:
    """Everything found wrong with a pack, named as closely as can be; empty if it is sound."""
    problems: list[Corrupt] = []

    def attempt(step: Callable[[PackReader], object]) -> bool:
        try:
            step(pack)
        except Corrupt as error:
            problems.append(error)
            return False
        return True

    if not attempt(len):
        return problems
    attempt(_check_header)
    attempt(_check_layout)
    for first_byte in range(256):
        attempt(lambda reader, byte=first_byte: reader.check_slice(byte))  # type: ignore[misc]
    if attempt(_check_order):
        oids = oids_by_ordinal(pack)
        for number in range(pack.trailer.blocks):
            attempt(lambda reader, row=number: _check_block(reader, row, oids))  # type: ignore[misc]
    if not problems:
        attempt(_check_name)
    return problems


def oids_by_ordinal(pack: PackReader) -> Oids:
    """The oids of a pack in the order of its blobs."""
    _check_order(pack)
    oids = np.empty((len(pack), 32), np.uint8)
    oids[pack.columns.ordinals] = pack.columns.oids()
    return oids


def _matching(pack: PackReader, found: Payloads, named: Oids) -> list[bytes]:
    """The payloads of a block, proven to be the blobs that the oids name."""
    block = found.block
    payloads = found.all()
    digests = as_oids(digest_all(block.type, payloads))
    wrong = np.flatnonzero((digests != named).any(axis=1))
    if len(wrong):
        oid = Oid(named[wrong[0]].tobytes())
        raise Corrupt(oid, f"{pack.key}, block {block.number}: another hash")
    return payloads


def _check_block(pack: PackReader, number: int, oids: Oids) -> None:
    block = pack.block(number)
    _matching(pack, pack.payloads(block), oids[block.first : block.first + block.count])


def _check_header(pack: PackReader) -> None:
    if pack.read(0, len(MAGIC)) != MAGIC:
        raise Corrupt(pack.key, "header at byte 0: not a pack's")


def _check_layout(pack: PackReader) -> None:
    """Blocks follow one another without a gap, numbers without a jump; padding is zero."""
    offset, first = len(MAGIC), 0
    for block in pack.blocks():
        if (block.offset, block.first) != (offset, first):
            raise Corrupt(pack.key, f"block table, row {block.number}: gap or overlap")
        offset, first = block.stop, first + block.count
    if first != len(pack):
        raise Corrupt(pack.key, f"block table has {first} blobs, trailer {len(pack)}")
    trailer = pack.trailer
    for start, stop in (
        (offset, trailer.table),
        (trailer.table + TABLE_ROW * len(pack), trailer.directory),
    ):
        if stop - start >= 8 or pack.read(start, stop).strip(b"\0"):
            raise Corrupt(pack.key, f"padding at byte {start}: not under 8 zeros")


def _check_order(pack: PackReader) -> None:
    """Oids ascend without repeats, first bytes agree with the fan-out, ordinals are all there."""
    columns = pack.columns
    oids = columns.oids()
    if len(oids) > 1 and not _ascending(oids).all():
        raise Corrupt(pack.key, "oid table: not in order")
    bounds = np.searchsorted(oids[:, 0], np.arange(256), side="right")
    if bounds.tolist() != list(pack.fanout):
        raise Corrupt(pack.key, "oid table: does not agree with its fan-out")
    if not np.array_equal(np.sort(columns.ordinals), np.arange(len(oids))):
        raise Corrupt(pack.key, "oid table: ordinals repeat")


def _ascending(oids: Oids) -> NDArray[np.bool_]:
    """For each oid but the last whether the next one is greater."""
    words = np.ascontiguousarray(oids).view(">u8").reshape(-1, 4)
    above = words[1:] > words[:-1]
    equal = words[1:] == words[:-1]
    greater: NDArray[np.bool_] = above[:, 3]
    for column in (2, 1, 0):
        greater = above[:, column] | (equal[:, column] & greater)
    return greater


def _check_name(pack: PackReader) -> None:
    if hashlib.sha256(pack.view(0, pack.size)).hexdigest() != pack_name(pack.key):
        raise Corrupt(pack.key, "content has another hash than its name")
