"""Finding places: of oids by search, of a map's rows by the place files of its leaves.

Leaves whose pack has no place file, or which are in no pack, are read and searched for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ldb.columns.model import spread
from ldb.errors import Corrupt, NotFound
from ldb.maps.leaves import Leaves
from ldb.objects.bulk import locate
from ldb.objects.model import BlobType
from ldb.objects.packformat import pack_name
from ldb.objects.packread import PackReader
from ldb.objects.store import ObjectStore
from ldb.places.file import FIELDS, PlaceFile, Section, most_bytes, parse_places, places_key
from ldb.places.model import LIMIT, UNKNOWN, Numbers, Places, Table
from ldb.places.search import search
from ldb.places.write import write_places

MANY = 64
"""For fewer leaves of a pack than this nobody makes its place file."""


def places_of_map(store: ObjectStore, leaves: Leaves, field: str) -> Places:
    """Places of the blobs that a field of a map names, a row each, in the order of its keys."""
    table = Table(FIELDS[field][1])
    numbers = np.full(leaves.size, UNKNOWN, np.uint32)
    packs = [pack for pack in store.all_packs() if _may_hold_maps(pack)]
    at = locate(packs, leaves.oids)
    for place in at.packs():
        wanted = np.flatnonzero(at.pack == place)
        file = _file_of(store, packs[place], len(wanted))
        section = file.section(field) if file else None
        if file is not None and section is not None:
            hits = _rows_of(section, at.ordinal[wanted])
            shift = _Shift(file, field, table, store.all_packs())
            _copy(leaves, wanted[hits >= 0], section, hits[hits >= 0], shift, numbers)
    unknown = np.flatnonzero(numbers == UNKNOWN)
    if len(unknown):
        rest = np.unique(np.searchsorted(leaves.starts, unknown, side="right") - 1)
        _search_leaves(store, leaves, rest, field, table, numbers)
    return Places(table, numbers)


def _may_hold_maps(pack: PackReader) -> bool:
    try:
        return len(pack.runs(BlobType.MAP)) > 0
    except (NotFound, Corrupt):  # whoever looks for a blob in it says what is wrong
        return True


def _file_of(store: ObjectStore, pack: PackReader, leaves: int) -> PlaceFile | None:
    """The place file of a pack; made now where it is missing and many leaves would need it."""
    file = load_places(pack)
    if file is None and leaves >= MANY:
        data = write_places(store, pack)
        file = parse_places(data, pack.key) if data else None
    return file


def load_places(pack: PackReader) -> PlaceFile | None:
    """The place file beside a pack; None where there is none, or a damaged one."""
    key = places_key(pack_name(pack.key) or "")
    if pack.backend.last_listed(pack.key) and not pack.backend.last_listed(key):
        return None  # as most packs of small commits have none
    most = most_bytes(pack.size)
    for _ in range(2):
        try:
            return parse_places(pack.backend.read(key, 0, most + 1), key, most)
        except NotFound:
            return None
        except Corrupt:
            if not pack.backend.forget(key):
                return None
    return None


def _rows_of(section: Section, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which leaf of the section each ordinal is; -1 where none."""
    if not len(section.leaves):
        return np.full(len(ordinals), -1, np.int64)
    at = np.minimum(np.searchsorted(section.leaves, ordinals), len(section.leaves) - 1)
    return np.where(section.leaves[at] == ordinals, at, -1)


class _Shift:
    """Turns the numbers of a place file into those of a table."""

    def __init__(
        self, file: PlaceFile, field: str, table: Table, packs: Sequence[PackReader]
    ) -> None:
        by_name = {pack_name(pack.key): pack for pack in packs}
        ends, shifts, base = [], [], 0
        for named in file.packs:
            count = named.count(field)
            if count:
                shifts.append(_shift(table, by_name.get(named.name), base, count))
                base += count
                ends.append(base)
        self._ends = np.array(ends, np.int64)
        self._shifts = np.array([*shifts, _GONE], np.int64)
        self._idle = not any(shifts)
        self._known = base

    def __call__(self, numbers: Numbers) -> Numbers:
        if self._idle:
            beyond = (numbers >= self._known) & (numbers < np.uint32(LIMIT))
            return np.where(beyond, UNKNOWN, numbers) if beyond.any() else numbers
        shift = self._shifts[np.searchsorted(self._ends, numbers, side="right")]
        moved = np.where(shift == _GONE, int(UNKNOWN), numbers + shift).astype(np.uint32)
        return np.where(numbers >= np.uint32(LIMIT), numbers, moved)


def _shift(table: Table, pack: PackReader | None, base: int, count: int) -> int:
    """How far the numbers of a pack move, from `base` in a file to their base in the table."""
    if pack is None:
        return _GONE
    try:
        at = table.add(pack)
    except (NotFound, Corrupt):
        return _GONE
    fits = table.bases[at + 1] - table.bases[at] == count
    return table.bases[at] - base if fits else _GONE


_GONE = np.iinfo(np.int64).max
"""Shift of numbers whose pack is not there any more, or is another."""


def _copy(
    leaves: Leaves,
    wanted: NDArray[np.intp],
    section: Section,
    hits: NDArray[np.int64],
    shift: _Shift,
    numbers: Numbers,
) -> None:
    """Fill in the rows of leaves from a section; neighbours in both are copied together."""
    if not len(wanted):
        return
    begin, length = section.starts[hits], section.starts[hits + 1] - section.starts[hits]
    if not np.array_equal(length, leaves.counts[wanted]):
        return  # written for leaves of other sizes: these stay unknown, and are asked row by row
    target = leaves.starts[wanted]
    broken = (target[1:] != target[:-1] + length[:-1]) | (begin[1:] != begin[:-1] + length[:-1])
    firsts = np.concatenate((np.zeros(1, np.intp), np.flatnonzero(broken) + 1))
    lasts = np.concatenate((firsts[1:], np.array([len(wanted)]))) - 1
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        size = int(target[last] + length[last] - target[first])
        source = section.numbers[begin[first] : begin[first] + size]
        numbers[target[first] : target[first] + size] = shift(source)


def _search_leaves(
    store: ObjectStore,
    leaves: Leaves,
    wanted: NDArray[np.intp],
    field: str,
    table: Table,
    numbers: Numbers,
) -> None:
    """Fill in the rows of leaves by reading them and looking up every oid."""
    at = [name for name, _ in leaves.schema.fields].index(field)
    targets = spread(leaves.starts[wanted], leaves.counts[wanted])
    numbers[targets] = search(table, store.all_packs(), leaves.read(wanted).fields[at])
