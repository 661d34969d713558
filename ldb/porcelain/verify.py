"""`ldb verify`: are data objects still where they were seen, and still the same?

Local files are read by worker processes, those in object stores by threads of this one.
Findings come as they are made; nothing is kept of what is in order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from multiprocessing.connection import Connection

from ldb.catalog import PATHS, Catalog, key_bytes, path_key
from ldb.history import SourceUsed
from ldb.maps import lookup
from ldb.objects.indexrows import KIND_DATA
from ldb.porcelain.clouds import reach
from ldb.porcelain.place import Place as Here
from ldb.porcelain.sources import Selection, select
from ldb.processes import batches, default_processes, hand_out
from ldb.progress import SILENT, Progress
from ldb.query.scanning import scan_records
from ldb.query.selection import FilterSpec
from ldb.refs.name import INDEX, parse_version
from ldb.storage.checking import Finding, Place, State, check_local, read_remote
from ldb.storage.fetching import Reader
from ldb.storage.location import is_local
from ldb.storage.looking import look_remote
from ldb.storage.remote import Clients

BATCH = 256
"""Most local places handed to a worker at once."""
BATCH_BYTES = 64 * 1024 * 1024
REMOTE_BATCH = 2048
FEW = 16
"""Local places that are not worth a process."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How to look."""

    quick: bool = False
    """Sizes, times and tokens only."""
    ok_too: bool = False
    """Whether findings of what is in order are wanted one by one, and not counted only."""
    processes: int = 0
    """Worker processes; 0: one for each processor."""


@dataclass(frozen=True, slots=True)
class Found:
    """Some findings, and how many places were in order besides."""

    findings: Sequence[Finding]
    ok: int = 0


@dataclass(frozen=True, slots=True)
class Verification:
    """What will be looked at, and the findings, which are made while they are taken."""

    objects: int
    found: Iterator[Found]
    of_index: bool = False
    """Whether all objects come from the index, which has those that were edited away too."""
    warnings: tuple[str, ...] = ()


def verify(
    here: Here,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    options: VerifyOptions,
    *,
    seed: int | None = None,
    progress: Progress = SILENT,
    clients: Callable[[], Clients] = Clients,
) -> Verification:
    """Look at every path of the data objects that sources and filters give."""
    chosen = select(here, sources, filters, default="staged", seed=seed, progress=progress)
    found = _verify(here, chosen, options, progress, clients)
    catalog = here.catalog
    told = (_as_indexed(catalog, some) for some in found)
    of_index = all(map(_is_index, chosen.used))
    return Verification(len(chosen.rows), told, of_index, chosen.warnings)


def _is_index(used: SourceUsed) -> bool:
    return used.spec.startswith("ds:") and parse_version(used.spec).ref == INDEX


def _as_indexed(catalog: Catalog, found: Found) -> Found:
    """The same, where those that are not there say so if the index knows it."""
    lost = (State.CHANGED, State.MISSING)
    at = [at for at, each in enumerate(found.findings) if each.state in lost]
    if not at or catalog.paths is None:
        return found
    findings = list(found.findings)
    keys = [path_key(os.fsencode(findings[each].place.uri)) for each in at]
    known, fields = lookup(catalog.instance.objects, PATHS, catalog.paths.root, PATHS.column(keys))
    known &= fields[4].ravel() == KIND_DATA
    width = catalog.instance.id_bytes
    for each, there, content in zip(at, known.tolist(), fields[0]):
        other = content[:width].tobytes()
        if not there:
            why = "was indexed as removed"
            if findings[each].state is State.CHANGED:
                why += "; what is there now is not indexed"
            findings[each] = replace(findings[each], state=State.GONE, why=why)
        elif other != findings[each].place.object_id:
            why = f"id:{other.hex()} was indexed there since"
            findings[each] = replace(findings[each], state=State.SUPERSEDED, why=why)
    return replace(found, findings=findings)


def _verify(
    here: Here,
    chosen: Selection,
    options: VerifyOptions,
    progress: Progress,
    clients: Callable[[], Clients],
) -> Iterator[Found]:
    progress.start("verifying")
    algorithm = here.instance.object_hash
    yield _without_path(chosen)
    # In two rounds: worker processes have to be gone before a client is opened.
    for found in _local(_places(chosen, local=True), algorithm, options):
        progress.advance(found.ok + len(found.findings))
        yield found
    places = _places(chosen, local=False)
    first = list(islice(places, REMOTE_BATCH))
    if not first:
        return
    reach(here)
    with clients() as opened:
        reader = Reader(opened)
        while first:
            if options.quick:
                findings = look_remote(reader, first, algorithm)
            else:
                findings = read_remote(reader, first, algorithm)
            for finding in findings:
                progress.advance()
                yield _found([finding], options.ok_too)
            first = list(islice(places, REMOTE_BATCH))


def _places(chosen: Selection, local: bool) -> Iterator[Place]:
    """The local, or the other, places of all objects, in the order of the store."""
    names = key_bytes(chosen.rows.ids)
    for positions, records in scan_records(chosen.catalog, chosen.rows.ids):
        for at, record in zip(positions.tolist(), records, strict=True):
            for seen in record.paths:
                if is_local(seen.path) == local:
                    yield Place(
                        names[at],
                        record.size,
                        seen.path,
                        seen.mtime,
                        seen.token,
                        seen.version,
                        len(record.paths),
                    )


def _without_path(chosen: Selection) -> Found:
    known = chosen.catalog.find(chosen.rows.ids).known
    return Found([
        Finding(Place(each, 0, f"id:{each.hex()}"), State.MISSING, "is not in the index")
        for each in key_bytes(chosen.rows.ids[~known])
    ])  # fmt: skip


def _local(places: Iterator[Place], algorithm: str, options: VerifyOptions) -> Iterator[Found]:
    waiting = batches(places, BATCH, BATCH_BYTES)
    first = next(waiting, [])
    processes = options.processes or default_processes()
    if len(first) <= FEW or processes < 2:
        while first:
            yield _check(first, algorithm, options)
            first = next(waiting, [])
        return
    arguments = [(algorithm, options)] * processes
    yield from hand_out(_work, arguments, chain([first], waiting), "verify")


def _work(pipe: Connection, algorithm: str, options: VerifyOptions) -> None:
    """A worker's life: batches until the parent closes the pipe or is gone."""
    while True:
        pipe.send(_check(pipe.recv(), algorithm, options))
        pipe.send(None)


def _check(batch: Sequence[Place], algorithm: str, options: VerifyOptions) -> Found:
    return _found([check_local(place, algorithm, options.quick) for place in batch], options.ok_too)


def _found(findings: Sequence[Finding], ok_too: bool) -> Found:
    if ok_too:
        return Found(findings)
    kept = [each for each in findings if each.state is not State.OK]
    return Found(kept, len(findings) - len(kept))
