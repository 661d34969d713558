"""Does a place file lead from each row to the blob that the row names?

Numbers are compared by the first 8 bytes of oids: enough to tell a wrong blob from the right
one, and a quarter of the memory.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ldb.backends.base import Buffer
from ldb.columns.model import spread
from ldb.errors import Corrupt
from ldb.objects.oidtable import Oids, as_oids, heads
from ldb.objects.packread import PackReader
from ldb.objects.ranks import Ranks
from ldb.places.file import FIELDS, HEADER, PlaceFile, Section
from ldb.places.model import LIMIT, NO_BLOB, UNKNOWN
from ldb.places.write import Gathered, gather


def check_header(data: Buffer, where: str) -> None:
    """Raise Corrupt unless the only bytes that no sum covers are zero."""
    if any(memoryview(data)[HEADER.size - 4 : HEADER.size]):
        raise Corrupt(where, "place file: header")


def check_places(
    file: PlaceFile, pack: PackReader, packs: Mapping[str, PackReader], where: str
) -> None:
    """Raise Corrupt at the first thing that is not as `pack` and `packs` (by name) have it.

    Packs that are named and not in `packs` are passed over.
    """
    leaves = gather(pack)
    fields = [section.field for section in file.sections]
    if len(set(fields)) < len(fields):
        raise Corrupt(where, "a field has two sections")
    for each in file.packs:
        if each.name in packs:
            for field, (_, kind) in FIELDS.items():
                count = Ranks(packs[each.name], kind).count
                if each.count(field) != count:
                    why = f"says {each.count(field)} {kind.value}s in pack {each.name}: {count}"
                    raise Corrupt(where, why)
    for section in file.sections:
        named = _oids_named(section, leaves[section.field], where)
        _check_numbers(file, section, named, packs, where)


def _oids_named(section: Section, leaves: Gathered, where: str) -> Oids:
    """The oids that the leaves of a section name, a row each."""
    known = np.array(leaves.leaves, np.int64)
    ordinals = section.leaves.astype(np.int64)
    at = np.searchsorted(known, ordinals)
    if (np.diff(ordinals) <= 0).any():
        raise Corrupt(where, f"{section.field}: leaves are not in order")
    if len(ordinals) and (at[-1] == len(known) or (known[at] != ordinals).any()):
        raise Corrupt(where, f"{section.field}: leaves that its pack has not")
    starts = np.array(leaves.starts, np.int64)
    lengths = np.diff(starts)[at]
    if not np.array_equal(np.diff(section.starts), lengths):
        raise Corrupt(where, f"{section.field}: leaves of other sizes than its pack has")
    oids = as_oids(b"".join(leaves.oids))
    return oids if len(ordinals) == len(known) else oids[spread(starts[at], lengths)]


def _check_numbers(
    file: PlaceFile,
    section: Section,
    named: Oids,
    packs: Mapping[str, PackReader],
    where: str,
) -> None:
    field, (_, kind) = section.field, FIELDS[section.field]
    numbers = section.numbers
    ends = np.cumsum([each.count(field) for each in file.packs], dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    there = named.any(axis=1)
    wrong = (numbers == NO_BLOB) & there
    known = numbers < np.uint32(LIMIT)
    wrong |= known & (~there | (numbers >= total))
    wrong |= ~known & (numbers != NO_BLOB) & (numbers != UNKNOWN)
    rows = np.flatnonzero(known & ~wrong)
    wanted = heads(named)
    which = np.searchsorted(ends, numbers[rows], side="right")
    for place in np.flatnonzero(np.bincount(which, minlength=1)).tolist() if len(rows) else ():
        pack = packs.get(file.packs[place].name)
        if pack is not None:
            mine = rows[which == place]
            first = ends[place] - file.packs[place].count(field)
            found = _heads_by_rank(pack, Ranks(pack, kind))
            wrong[mine] = found[numbers[mine] - first] != wanted[mine]
    count = int(np.count_nonzero(wrong))
    if count:
        raise Corrupt(where, f"{field}: {count} rows lead to other blobs than they name")


def _heads_by_rank(pack: PackReader, ranks: Ranks) -> NDArray[np.uint64]:
    """The first 8 bytes of the oids of one type in a pack, in the order of the pack."""
    found = np.empty(len(pack), np.uint64)
    found[pack.columns.ordinals] = pack.columns.keys
    return found[ranks.ordinals()]
