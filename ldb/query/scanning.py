"""Annotations and records one by one: what goes row by row where columns cannot serve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, Record, load_records
from ldb.instance import Instance
from ldb.objects.codec import decode
from ldb.objects.model import BlobType
from ldb.query.filters import Failure


def scan_annotations(
    instance: Instance, annotations: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.int64], list[Any]]]:
    """Annotation values for a column of oids, in the store's order: positions and values.

    Zero oids (no annotation) come last, with the value None.
    """
    there = annotations.any(axis=1)
    where = np.flatnonzero(there)
    for positions, payloads in instance.objects.scan(annotations[where], BlobType.ANNOTATION):
        yield where[positions], [decode(payload) for payload in payloads]
    without = np.flatnonzero(~there)
    if len(without):
        yield without, [None] * len(without)


def scan_records(
    catalog: Catalog, ids: NDArray[np.bytes_]
) -> Iterator[tuple[NDArray[np.int64], list[Record]]]:
    """Object records of ids in any order: positions and records. Unknown ids are left out."""
    found = catalog.find(ids)
    where = np.flatnonzero(found.known)
    for positions, records in load_records(catalog.instance, found.records[where]):
        yield where[positions], records


class Names(Sequence[object]):
    """Ids of rows for messages, made only when one is asked for."""

    def __init__(self, ids: NDArray[np.bytes_], positions: NDArray[np.int64]) -> None:
        self._ids = ids
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, at: Any) -> Any:
        place = int(self._positions[at])
        return "id:" + self._ids[place : place + 1].tobytes().hex()


class Tally(Protocol):
    """What counts failures."""

    @property
    def failures(self) -> int: ...
    @property
    def first_failure(self) -> Failure | None: ...


def failure_line(option: str, tally: Tally) -> str:
    """The one warning for a query that failed on some objects; empty where it did not."""
    first = tally.first_failure
    if first is None:
        return ""
    more = f" (and on {tally.failures - 1:,} more)" if tally.failures > 1 else ""
    return f"{option} failed on {first.name}: {first.why}{more}"
