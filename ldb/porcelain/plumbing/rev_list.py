"""What can be reached from commits: other commits, and every blob they need.

A commit needs its parents, the nodes of its maps and of the maps kept by its operations,
and what the rows of these name: annotations, transform sets, records and the annotations
in their history. Commits that operations name as their sources are not followed: they say
where something came from, and it is there without them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import annotations_of, record_rows
from ldb.errors import Corrupt, NotFound
from ldb.history import Commit, load_commit, roots_of
from ldb.ids import OID_BYTES, Oid
from ldb.instance import Instance
from ldb.maps import nodes
from ldb.maps.decode import unpack
from ldb.objects.model import Blob, BlobType
from ldb.objects.oidtable import heads
from ldb.refs.name import SETTINGS

Oids = NDArray[np.bytes_]
"""Sorted, each once, dtype S32."""

Reached = dict[BlobType, Oids]

_NODES = 8192
"""Map nodes whose rows are looked at together."""

_FIELDS = {
    "dataset": (BlobType.ANNOTATION, BlobType.TRANSFORM),
    "objects": (BlobType.RECORD, BlobType.ANNOTATION),
    "paths": (),
}
"""What the first fields of each schema's rows name."""


def rev_list(
    instance: Instance, starts: Iterable[Oid], without: Iterable[Oid] = ()
) -> list[tuple[Oid, Commit]]:
    """Commits reachable from `starts` and not from `without`, newest first, each once."""
    hidden = {oid for oid, _ in _walk(instance, without, set())}
    return list(_walk(instance, starts, hidden))


def _walk(
    instance: Instance, starts: Iterable[Oid], seen: set[Oid]
) -> Iterator[tuple[Oid, Commit]]:
    waiting: list[tuple[int, int, bytes, Commit]] = []

    def add(oids: Iterable[Oid]) -> None:
        for oid in oids:
            if oid not in seen:
                seen.add(oid)
                commit = load_commit(instance, oid)
                heapq.heappush(waiting, (-commit.time, -commit.number, oid, commit))

    add(starts)
    while waiting:
        *_, raw, commit = heapq.heappop(waiting)
        yield Oid(raw), commit
        add(commit.parents)


def reachable(
    instance: Instance,
    commits: Iterable[tuple[Oid, Commit]],
    without: Iterable[tuple[Oid, Commit]] = (),
) -> Reached:
    """Oids by type that the commits need and those in `without` do not.

    Raises `NotFound` where one is not there.
    """
    listed = list(commits)
    found = _closure(instance, (commit for _, commit in listed))
    found[BlobType.COMMIT] = oid_set([np.array([oid for oid, _ in listed], "S32")])
    hidden = _closure(instance, (commit for _, commit in without))
    left = {kind: _minus(oids, hidden.get(kind)) for kind, oids in found.items()}
    for kind, oids in left.items():
        _check_there(instance, kind, oids)
    return left


def settings_list(instance: Instance) -> list[Oid]:
    """Every version of the instance's settings, newest first."""
    return [ref.target for ref in instance.refs.history(SETTINGS) if ref.target]


def oid_list(oids: Oids) -> list[Oid]:
    """The column as oids."""
    raw = oids.tobytes()
    return [Oid(raw[at : at + 32]) for at in range(0, len(raw), 32)]


def as_column(oids: NDArray[np.uint8]) -> Oids:
    """An (n, 32) array of oids as a column."""
    return np.ascontiguousarray(oids).view("S32").ravel()


def oid_array(oids: Oids) -> NDArray[np.uint8]:
    """The column as an (n, 32) array."""
    return np.frombuffer(oids.tobytes(), np.uint8).reshape(-1, OID_BYTES)


def _closure(instance: Instance, commits: Iterable[Commit]) -> Reached:
    seen: set[Oid] = set()
    parts: dict[BlobType, list[Oids]] = {kind: [] for kind in BlobType}
    for commit in commits:
        for root in roots_of(commit):
            _read_rows(instance, nodes(instance.objects, root, seen), parts)
    parts[BlobType.MAP] = [np.frombuffer(b"".join(seen), "S32")]
    records = oid_set(parts[BlobType.RECORD])
    parts[BlobType.ANNOTATION] += _histories(instance, records)
    return {kind: oid_set(columns) for kind, columns in parts.items()}


def _read_rows(instance: Instance, found: Iterator[Oid], parts: dict[BlobType, list[Oids]]) -> None:
    """Add what the rows of these nodes name."""
    while batch := list(islice(found, _NODES)):
        wanted = np.frombuffer(b"".join(batch), np.uint8).reshape(-1, 32)
        columns: dict[BlobType, list[bytes]] = {}
        for positions, payloads in instance.objects.scan(wanted, BlobType.MAP):
            for position, payload in zip(positions.tolist(), payloads):
                node = unpack(batch[position], Blob(BlobType.MAP, payload))
                if node["level"]:
                    continue
                if node["schema"] not in _FIELDS:
                    raise Corrupt(batch[position], "map node of unknown schema")
                for kind, column in zip(_FIELDS[node["schema"]], node["fields"]):
                    columns.setdefault(kind, []).append(column)
        for kind, raw in columns.items():
            parts[kind].append(oid_set([np.frombuffer(b"".join(raw), "S32")]))


def _histories(instance: Instance, records: Oids) -> list[Oids]:
    """Every annotation that the objects of these records ever had."""
    wanted = oid_array(records)
    return [oid_set([annotations_of(rows)]) for rows in record_rows(instance, wanted)]


def oid_set(columns: list[Oids]) -> Oids:
    """All oids of the columns, sorted, without the one of zeros, which is none."""
    together = oid_array(np.concatenate([*columns, np.zeros(0, "S32")]))
    numbers = heads(together)
    order = np.argsort(numbers)  # a tenth of the time that sorting all 32 bytes takes
    together, numbers = together[order], numbers[order]
    fresh = np.ones(len(together), np.bool_)
    fresh[1:] = (together[1:] != together[:-1]).any(axis=1)
    if (fresh[1:] & (numbers[1:] == numbers[:-1])).any():  # 8 bytes alike and not the others
        oids: Oids = np.unique(as_column(together))
    else:
        oids = as_column(together[fresh])
    return oids[1:] if len(oids) and oids[0] == b"" else oids


def _minus(oids: Oids, others: Oids | None) -> Oids:
    if others is None or not len(others):
        return oids
    left: Oids = oids[~np.isin(oids, others, assume_unique=True)]
    return left


def _check_there(instance: Instance, kind: BlobType, oids: Oids) -> None:
    there = instance.objects.contains(oid_array(oids))
    if not there.all():
        missing = oid_list(oids[~there])
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise NotFound(kind.value, f"{missing[0]}{more}", "`ldb fsck` tells what needs it")
