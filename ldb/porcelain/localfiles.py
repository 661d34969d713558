"""A local file for each data object of a selection: where it lies, or fetched into the cache.

For programs and encoders, which read files. Nothing is hashed here; who needs to be sure of what
is in a file hashes it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ldb.catalog import Catalog, Record, key_bytes
from ldb.porcelain.clouds import reach
from ldb.porcelain.place import Place
from ldb.progress import Progress
from ldb.query.scanning import scan_records
from ldb.query.selected import Selected
from ldb.storage.bringing import Brought, Needed, bring
from ldb.storage.cache import Cache
from ldb.storage.fetching import Reader
from ldb.storage.location import is_local, local_path
from ldb.storage.remote import Clients

BATCH = 2048
"""Remote objects fetched together."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """Where one data object can be read."""

    at: int
    """Position in the selection."""
    path: str
    """Absolute; empty where the object cannot be had."""
    size: int
    why: str = ""
    """Why it cannot."""


def local_files(
    place: Place,
    catalog: Catalog,
    rows: Selected,
    progress: Progress,
    clients: Callable[[], Clients] = Clients,
) -> Iterator[LocalFile]:
    """A file for each of `rows`, in any order; those in object stores last."""
    names = key_bytes(rows.ids)
    away: list[tuple[int, Record]] = []
    for file, record in lying(catalog, rows):
        if record is None or file.path or not remote_places(record):
            yield file
        else:
            away.append((file.at, record))
    if away:
        progress.start("fetching", len(away))
        yield from _fetched(place, names, away, progress, clients)


def lying(catalog: Catalog, rows: Selected) -> Iterator[tuple[LocalFile, Record | None]]:
    """For each of `rows` the file that it lies in, if there is one, and what the index knows."""
    known = catalog.find(rows.ids).known
    for at in np.flatnonzero(~known).tolist():
        yield LocalFile(at, "", 0, "is not in the index"), None
    for positions, records in scan_records(catalog, rows.ids):
        for at, record in zip(positions.tolist(), records):
            path, why = _local(record)
            yield LocalFile(at, path, record.size, why), record


def _local(record: Record) -> tuple[str, str]:
    """The first of its local paths at which a file of its size lies, or why there is none."""
    why = "no path of it is known"
    for seen in record.paths:
        if not is_local(seen.path):
            continue
        path = local_path(seen.path)
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            why = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
            continue
        if stat.S_ISREG(found.st_mode) and found.st_size == record.size:
            return path, ""
        why = f"{path} has changed since it was indexed"
    return "", why


def remote_places(record: Record) -> list[tuple[str, str]]:
    """URI and version (or empty) of those of its paths that are in object stores."""
    return [(seen.path, seen.version) for seen in record.paths if not is_local(seen.path)]


def _fetched(
    place: Place,
    names: list[bytes],
    away: list[tuple[int, Record]],
    progress: Progress,
    clients: Callable[[], Clients],
) -> Iterator[LocalFile]:
    options = place.own.cache
    if options is None:
        yield from (LocalFile(at, "", each.size, "there is no cache for it") for at, each in away)
        return
    left: list[tuple[int, Record]] = []
    with Cache(options.folder, place.instance.object_hash) as cache:
        for at, record in away:
            path = cache.find(names[at], record.size)
            if path is None:
                left.append((at, record))
            else:
                progress.advance()
                yield LocalFile(at, path, record.size)
        if not left:
            return
        reach(place)
        with clients() as opened:
            reader = Reader(opened)
            for start in range(0, len(left), BATCH):
                some = left[start : start + BATCH]
                needed = [Needed(names[at], each.size, remote_places(each)) for at, each in some]
                for number, brought in bring(reader, cache, needed):
                    at, record = some[number]
                    progress.advance()
                    yield LocalFile(at, brought.path, record.size, _why(brought))


def _why(brought: Brought) -> str:
    return "; ".join(f"{uri} {why}" for uri, why in brought.failures.items())


def left_out(what: str, count: int, first: str) -> str:
    """The one warning for objects that `what` could not deal with."""
    others = f", and {count - 1} more" if count > 1 else ""
    return f"{what} leaves out {first}{others}"
