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

from ldb.catalog import load_records
from ldb.errors import Corrupt, NotFound
from ldb.history import Commit, load_commit, roots_of
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.maps import nodes
from ldb.maps.decode import unpack
from ldb.objects.model import Blob, BlobType
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
    found[BlobType.COMMIT] = _unique([np.array([oid for oid, _ in listed], "S32")])
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


def _closure(instance: Instance, commits: Iterable[Commit]) -> Reached:
    seen: set[Oid] = set()
    parts: dict[BlobType, list[Oids]] = {kind: [] for kind in BlobType}
    for commit in commits:
        for root in roots_of(commit):
            _read_rows(instance, nodes(instance.objects, root, seen), parts)
    parts[BlobType.MAP] = [np.frombuffer(b"".join(seen), "S32")]
    records = _unique(parts[BlobType.RECORD])
    parts[BlobType.ANNOTATION] += _histories(instance, records)
    return {kind: _unique(columns) for kind, columns in parts.items()}


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
            parts[kind].append(_unique([np.frombuffer(b"".join(raw), "S32")]))


def _histories(instance: Instance, records: Oids) -> list[Oids]:
    """Every annotation that the objects of these records ever had."""
    wanted = np.frombuffer(records.tobytes(), np.uint8).reshape(-1, 32)
    return [
        _unique([np.frombuffer(b"".join(o for each in found for o in each.annotations), "S32")])
        for _, found in load_records(instance, wanted)
    ]


def _unique(columns: list[Oids]) -> Oids:
    """All oids of the columns, sorted, without the one of zeros, which is none."""
    together: Oids = np.unique(np.concatenate([*columns, np.zeros(0, "S32")]))
    return together[1:] if len(together) and together[0] == b"" else together


def _minus(oids: Oids, others: Oids | None) -> Oids:
    if others is None or not len(others):
        return oids
    left: Oids = oids[~np.isin(oids, others, assume_unique=True)]
    return left


def _check_there(instance: Instance, kind: BlobType, oids: Oids) -> None:
    there = instance.objects.contains(np.frombuffer(oids.tobytes(), np.uint8).reshape(-1, 32))
    if not there.all():
        missing = oid_list(oids[~there])
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise NotFound(kind.value, f"{missing[0]}{more}", "`ldb fsck` tells what needs it")
