"""Many blobs at once, in numpy columns: where they are, and reading them block by block.

The other half of `store.py`, apart because importing numpy takes longer than a command
that reads a few blobs may last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.errors import Corrupt, NotFound
from ldb.ids import Oid
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids, as_oids, find, heads
from ldb.objects.packread import PackReader, Payloads, opening

ABSENT = -1

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Located:
    """For each of n oids the place it was found at."""

    pack: NDArray[np.int32]
    """Place in the list of packs; `ABSENT` where in none."""
    ordinal: NDArray[np.int64]
    damaged: list[Corrupt]
    """Packs that could not be looked into."""

    def packs(self) -> list[int]:
        """Places in the list of packs of those that anything was found in."""
        # Not np.unique, here or elsewhere on this way: it loads numpy.ma, 15 ms of a short query.
        counts = np.bincount(self.pack[self.pack != ABSENT], minlength=1)
        return list(np.flatnonzero(counts).tolist())

    @property
    def missing(self) -> Positions:
        """Positions of the oids found nowhere."""
        return np.flatnonzero(self.pack == ABSENT)


@dataclass(frozen=True, slots=True)
class Stored:
    """A block as it is in a pack."""

    frame: memoryview
    raw: int
    """Bytes once decompressed."""
    crc: int


@dataclass(frozen=True, slots=True)
class Group:
    """Blobs read from one block: `payloads[i]` is the blob of `oids[positions[i]]`."""

    type: BlobType
    positions: Positions
    payloads: list[bytes]
    whole: Stored | None = None
    """The block itself, where these are all of its blobs, in their order."""

    def moved(self, places: Positions) -> Group:
        """The same group in a longer column, of which `places` are the positions looked at."""
        return Group(self.type, places[self.positions], self.payloads, self.whole)


def locate(packs: Sequence[PackReader], oids: Oids) -> Located:
    """Look all oids up in all packs; the first pack that has a blob is taken."""
    pack = np.full(len(oids), ABSENT, np.int32)
    ordinal = np.full(len(oids), -1, np.int64)
    damaged: list[Corrupt] = []
    numbers = heads(oids)
    left = np.argsort(numbers)
    numbers = numbers[left]
    for place, reader in enumerate(opening(packs)):
        if not len(left):
            break
        try:
            found = find(reader.columns, oids, numbers, left)
        except Corrupt as error:
            damaged.append(error)
            continue
        except NotFound:  # removed since it was listed
            continue
        hit = found >= 0
        pack[left[hit]] = place
        ordinal[left[hit]] = found[hit]
        if hit.any():
            left, numbers = left[~hit], numbers[~hit]
    return Located(pack, ordinal, damaged)


def among(oids: Oids, known: Collection[bytes]) -> NDArray[np.bool_]:
    """Which of the oids are in a set."""
    if not known:
        return np.zeros(len(oids), np.bool_)
    return np.fromiter((row.tobytes() in known for row in oids), np.bool_, len(oids))


def read_groups(packs: Sequence[PackReader], oids: Oids, at: Located) -> Iterator[Group]:
    """Every located blob, verified, in the order of the packs; each block is read once."""
    for place in at.packs():
        positions = np.flatnonzero(at.pack == place)
        ordinals = at.ordinal[positions]
        order = np.argsort(ordinals, kind="stable")
        yield from _read_pack(packs[place], oids, positions[order], ordinals[order])


def _read_pack(
    reader: PackReader, oids: Oids, positions: Positions, ordinals: NDArray[np.int64]
) -> Iterator[Group]:
    if ordinals[-1] >= len(reader):
        raise Corrupt(reader.key, f"oid table: blob {ordinals[-1]} of {len(reader)}")
    numbers = np.searchsorted(reader.firsts, ordinals, side="right") - 1
    cuts = np.flatnonzero(np.diff(numbers)) + 1
    starts = [0, *cuts.tolist()]
    stops = [*cuts.tolist(), len(numbers)]
    wanted = [reader.block(max(number, 0)) for number in numbers[starts].tolist()]
    for (found, frame), start, stop in zip(reader.read_stored(wanted), starts, stops):
        block = found.block
        places = (ordinals[start:stop] - block.first).tolist()
        where = positions[start:stop]
        payloads = _verified(reader, found, places, oids[where])
        whole = Stored(frame, block.raw, block.crc) if places == [*range(block.count)] else None
        yield Group(block.type, where, payloads, whole)


def _verified(reader: PackReader, found: Payloads, places: list[int], oids: Oids) -> list[bytes]:
    """Payloads at the given places of a block, proven to be the blobs that the oids name."""
    if not 0 <= places[0] <= places[-1] < found.block.count:
        raise Corrupt(reader.key, f"block table: blobs of block {found.block.number} overlap")
    raw, edges = found.raw, found.edges
    payloads = [raw[edges[place] : edges[place + 1]] for place in places]
    digests = digest_all(found.block.type, payloads)
    if digests != oids.tobytes():
        wrong = np.flatnonzero((as_oids(digests) != oids).any(axis=1))[0]
        block = found.block.number
        raise Corrupt(Oid(oids[wrong].tobytes()), f"{reader.key}, block {block}: another hash")
    return payloads


def digest_all(kind: BlobType, payloads: Sequence[bytes]) -> bytes:
    """Oids of payloads of one type, end to end."""
    sha256, header = hashlib.sha256, kind.header
    return b"".join(
        [sha256(b"%s%d\0%s" % (header, len(payload), payload)).digest() for payload in payloads]
    )


def oids_by_type(reader: PackReader, kind: BlobType | None) -> Oids:
    """The oids of a pack, of one type or of all, in table order; slices are checked."""
    for first_byte in range(256):
        reader.check_slice(first_byte)
    oids = reader.columns.oids()
    if kind is None:
        return oids
    wanted = np.array([block.type is kind for block in reader.blocks()])
    number = np.searchsorted(reader.firsts, reader.columns.ordinals, side="right") - 1
    mask: NDArray[np.bool_] = wanted[number]
    return oids[mask]
