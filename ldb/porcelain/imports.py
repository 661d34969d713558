"""`ldb ds import`: take in what `ldb ds export` wrote, by whoever and wherever.

Nothing of it is believed: the export is checked as a whole, as fsck does, before anything is
taken; nothing is unpacked, and no code can be in it. Packs go first, then the index, then
refs, so a killed import leaves nothing half-visible, and the same command finishes it.
Rules: docs/formats/export.md.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ldb.backends.archive import Archive, ArchiveBackend, is_data_name
from ldb.backends.base import Backend
from ldb.backends.files import open_to_read, refuse_special, store_errors
from ldb.backends.local import LocalBackend
from ldb.catalog import (
    PATHS,
    Catalog,
    Record,
    among_keys,
    annotations_of,
    encode_record,
    fill,
    load_records,
    objects_schema,
    record_rows,
)
from ldb.errors import BadInput, Conflict, Corrupt, NotFound
from ldb.garbage.guard import Needs, advance
from ldb.history import (
    Commit,
    MapRoot,
    Operation,
    Version,
    encode_commit,
    head,
    load_commit,
    now,
    publish,
    roots_of,
)
from ldb.ids import Oid
from ldb.instance import MAX_TRIES, Backoff, Instance, open_instance
from ldb.maps import Changes, Rows, edit, empty, lookup, scan
from ldb.objects.batch import BatchWriter
from ldb.objects.model import BlobType
from ldb.porcelain.export import before_of, copy_blobs, ids_of
from ldb.porcelain.fsck import fsck
from ldb.porcelain.index import Indexed, index
from ldb.porcelain.place import Place
from ldb.porcelain.plumbing.rev_list import as_column, oid_array, oid_set, reachable, rev_list
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX, RefKind, RefName, dataset_ref
from ldb.refs.store import Advanced, Ref
from ldb.storage.location import uri_of
from ldb.storage.reading import HASHES

LOCAL = b"file://"
PIECE = 1024 * 1024

UNITED = 128 * 1024
"""Records of known objects that are in memory together, with those they are united with."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """An export, open and found to be sound."""

    instance: Instance
    data: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)
    """Data files: name → the file that holds the bytes, their offset and number."""

    def datasets(self) -> dict[RefName, list[Ref]]:
        """Version files of each dataset in it, oldest first."""
        names = self.instance.refs.names(RefKind.DATASET)
        return {name: list(self.instance.refs.history(name))[::-1] for name in names}


@dataclass(frozen=True, slots=True)
class Imported:
    """One dataset that was taken in."""

    ref: RefName
    versions: int
    """Versions that were not there before."""
    newest: Ref


@dataclass(frozen=True, slots=True)
class ImportDone:
    """What an import did."""

    datasets: tuple[Imported, ...]
    objects: int
    """Data objects that the index did not know."""
    annotations: int
    """Annotations that known objects did not have."""


@contextmanager
def opened(where: str, progress: Progress = SILENT) -> Iterator[Parcel]:
    """Open an export, a file or a folder, and check all of it. Raises `Corrupt`."""
    if os.path.isdir(where):
        inside = os.path.join(where, "instance")
        if not os.path.isdir(inside):
            raise NotFound("export", where, "`ldb ds export` writes one")
        yield check(LocalBackend(inside), where, _files_of(where), progress)
        return
    if not os.path.lexists(where):
        raise NotFound("export", where)
    archive = Archive(where)
    try:
        backend = ArchiveBackend(archive)
        data = {name: (where, each.offset, each.size) for name, each in backend.data.items()}
        yield check(backend, where, data, progress)
    finally:
        archive.close()


def _files_of(where: str) -> dict[str, tuple[str, int, int]]:
    folder, found = os.path.join(where, "data"), {}
    if os.path.isdir(folder) and not os.path.islink(folder):
        with os.scandir(folder) as entries:
            for each in entries:
                if is_data_name(each.name) and each.is_file(follow_symlinks=False):
                    found[each.name] = (each.path, 0, each.stat(follow_symlinks=False).st_size)
    return found


def check(
    backend: Backend, where: str, data: Mapping[str, tuple[str, int, int]], progress: Progress
) -> Parcel:
    """An instance from outside as a parcel, if all of it is sound; `where` names it."""
    report = fsck(backend, progress=progress)
    if not report.sound:
        first = report.problems[0]
        more = len(report.problems) + report.more - 1
        why = f"{first.name}: {first.why}" + (f", and {more} more problems" if more else "")
        error = Corrupt(where, why)
        error.hint = "nothing was imported; export it once more"
        raise error
    return Parcel(open_instance(backend), data)


def import_datasets(
    place: Place,
    parcel: Parcel,
    *,
    rename: str = "",
    everything: bool = False,
    progress: Progress = SILENT,
) -> ImportDone:
    """Take in every dataset of an export; with `everything`, all that its index knows.

    Raises `Conflict` before anything is changed where the instance has another object hash,
    or a dataset of one name with another history.
    """
    instance, theirs = place.instance, parcel.instance
    if theirs.object_hash != instance.object_hash:
        raise Conflict(
            "object hash", instance.object_hash, theirs.object_hash,
            "data objects have other ids there: index the data in this instance",
        )  # fmt: skip
    found = parcel.datasets()
    if rename and len(found) != 1:
        raise BadInput("--as", f"the export holds {len(found)} datasets")
    wanted = {}
    for name, refs in found.items():
        target = dataset_ref(rename.removeprefix("ds:")) if rename else name
        if target == INDEX:
            raise BadInput("--as ds:root", "is the index")
        wanted[target] = _renamed(theirs, refs, target)
    for target, chain in wanted.items():
        _missing(instance, target, chain)
    commits = rev_list(
        theirs, [ref.target for refs in found.values() for ref in refs if ref.target]
    )
    catalog = Catalog(theirs, head(theirs, INDEX))
    ids = ids_of(theirs, [commit for _, commit in commits])
    if not catalog.find(ids).known.all():
        raise Corrupt(theirs.url, "it has no records of some data objects")
    if everything:
        ids = np.concatenate([np.zeros(0, ids.dtype), *(rows.keys for rows in catalog.rows())])
    needed = reachable(theirs, commits)
    roots = [root for _, commit in commits for root in roots_of(commit)]
    copy_blobs(theirs, instance, needed, progress, roots)
    objects, annotations = into_index(place, catalog, ids, ("ds", "import"), progress)
    done = [_into_refs(place, target, chain) for target, chain in wanted.items()]
    return ImportDone(tuple(done), objects, annotations)


# -- refs ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Link:
    """One version file to be: its commit is written where it is not one of the export's."""

    ref: Ref
    commit: Commit | None
    """None: a tombstone."""

    @property
    def oid(self) -> Oid | None:
        return encode_commit(self.commit).oid if self.commit else None


def _renamed(theirs: Instance, refs: list[Ref], target: RefName) -> list[_Link]:
    """The chain of versions under a name; under another one than theirs, of new commits."""
    chain, instead = [], dict[Oid, Oid]()
    for ref in refs:
        if ref.target is None:
            # What that name was given up for is not said of another one.
            renamed = ref.renamed if target == ref.name else None
            chain.append(_Link(replace(ref, name=target, renamed=renamed), None))
            continue
        commit = load_commit(theirs, ref.target)
        own = replace(
            commit, name=target.name, parents=tuple(instead.get(oid, oid) for oid in commit.parents)
        )
        instead[ref.target] = encode_commit(own).oid
        chain.append(_Link(replace(ref, name=target, target=instead[ref.target]), own))
    return chain


def _missing(instance: Instance, target: RefName, chain: list[_Link]) -> list[_Link]:
    """What of a chain the instance has not; raises `Conflict` where it has something else."""
    there = list(instance.refs.history(target))[::-1]
    for mine, link in zip(there, chain):
        if (mine.number, mine.target) != (link.ref.number, link.ref.target):
            raise Conflict(
                str(target), f"the history that the export has, with {link.ref}", f"another {mine}",
                "`--as ds:NEW` imports it under another name",
            )  # fmt: skip
    return chain[len(there) :]


def _into_refs(place: Place, target: RefName, chain: list[_Link]) -> Imported:
    instance, count = place.instance, 0
    backoff = Backoff()
    for _ in range(MAX_TRIES):
        left = _missing(instance, target, chain)
        if not left:
            return Imported(target, count, chain[-1].ref)
        link = left[0]
        if link.commit is None:
            ref = link.ref
            outcome = instance.refs.advance(target, before_of(ref), None, ref.author, ref.renamed)
        else:
            oid = instance.objects.put(encode_commit(link.commit))
            needs = Needs((oid, *link.commit.parents), tuple(roots_of(link.commit)))
            author = link.ref.author
            outcome = advance(
                instance.objects, instance.refs, target, before_of(link.ref), needs, author
            )
        if isinstance(outcome, Advanced):
            count += link.commit is not None
            backoff = Backoff()
        else:
            backoff.pause()
    raise Conflict(str(target), "to be first", "others, again and again")


# -- the index -------------------------------------------------------------------------


@dataclass(slots=True)
class _Counts:
    objects: int = 0
    annotations: int = 0


def into_index(
    place: Place,
    theirs: Catalog,
    ids: NDArray[np.bytes_],
    command: Sequence[str],
    progress: Progress = SILENT,
) -> tuple[int, int]:
    """Make objects of another instance known; new objects, and annotations new to others.

    `ids` ascend.
    """
    instance, counts = place.instance, _Counts()

    def make(current: Version | None) -> Commit | None:
        nonlocal counts
        counts = _Counts()
        ours = Catalog(instance, current)
        with instance.objects.writer() as writer:
            old = ours.objects or _empty(writer, instance, "objects")
            old_paths = ours.paths or _empty(writer, instance, "paths")
            rows = _objects(ours, theirs, ids, writer, counts, progress)
            objects = edit(writer, writer, objects_schema(instance), old.root, [rows])
            paths = edit(writer, writer, PATHS, old_paths.root, _paths(ours, theirs, ids))
        maps = {
            "objects": MapRoot(objects.oid, objects.count),
            "paths": MapRoot(paths.oid, paths.count),
        }
        if ours.version is not None and maps == dict(ours.version.commit.maps):
            return None
        told = {"new_objects": counts.objects, "new_annotations": counts.annotations}
        return Commit(
            name=INDEX.name,
            number=0,
            maps=maps,
            parents=(ours.version.oid,) if ours.version else (),
            operations=(Operation(tuple(command), counts=told, time=now()),),
            author=place.author,
            time=now(),
        )

    publish(instance, INDEX, make)
    return counts.objects, counts.annotations


def _empty(writer: BatchWriter, instance: Instance, name: str) -> MapRoot:
    made = empty(writer, objects_schema(instance) if name == "objects" else PATHS)
    return MapRoot(made.oid, made.count)


def _objects(
    ours: Catalog,
    theirs: Catalog,
    ids: NDArray[np.bytes_],
    writer: BatchWriter,
    counts: _Counts,
    progress: Progress,
) -> Changes:
    """Rows of `objects`: new objects as they are there, known ones with what they lacked."""
    there, here = theirs.find(ids), ours.find(ids)
    known = here.known
    has_note = np.any(here.annotations, axis=1, keepdims=True)
    named = [as_column(there.records[~known]), as_column(there.annotations)]
    named += [annotations_of(rows) for rows in record_rows(theirs.instance, there.records)]
    oids = oid_array(oid_set(named))
    progress.start("copying records", len(oids))
    writer.copy(theirs.instance.objects, oids, progress)
    counts.objects += int((~known).sum())
    records = np.where(known[:, None], here.records, there.records)
    notes = np.where(has_note, here.annotations, there.annotations)
    changed = ~known | (notes != here.annotations).any(axis=1)
    other = np.flatnonzero(known & (here.records != there.records).any(axis=1))
    for at in (other[start : start + UNITED] for start in range(0, len(other), UNITED)):
        olds = fill(load_records(ours.instance, here.records[at]), len(at))
        news = fill(load_records(theirs.instance, there.records[at]), len(at))
        for row, old, new in zip(at.tolist(), olds, news, strict=True):
            united = _united(old, new)
            counts.annotations += len(united.annotations) - len(old.annotations)
            if united != old:
                oid = writer.add(BlobType.RECORD, encode_record(united))
                records[row] = np.frombuffer(oid, np.uint8)
                changed[row] = True
    return Changes.upserts(Rows(ids, (records, notes)).take(changed))


def _united(old: Record, new: Record) -> Record:
    """A known record with the paths and annotations of another one behind its own."""
    paths = {seen.path: seen for seen in (*new.paths, *old.paths)}
    notes = dict.fromkeys((*old.annotations, *new.annotations))
    return replace(
        old, paths=tuple(paths[name] for name in sorted(paths)), annotations=tuple(notes)
    )


def _paths(ours: Catalog, theirs: Catalog, ids: NDArray[np.bytes_]) -> Iterator[Changes]:
    """Rows of `paths` where nothing was seen by this instance so far."""
    if theirs.paths is None:
        return
    store, width = ours.instance.objects, ours.instance.id_bytes
    for rows in scan(theirs.instance.objects, PATHS, theirs.paths.root):
        own = np.ascontiguousarray(rows.fields[0][:, :width]).view(f"S{width}").ravel()
        new = among_keys(own, ids)
        if ours.paths is not None:
            new &= ~lookup(store, PATHS, ours.paths.root, rows.keys)[0]
        content, size, mtime, stamp, kind = rows.fields
        remote = ~np.char.startswith(rows.keys, LOCAL)
        mtime = mtime * remote[:, None].astype(np.uint8)  # the next run reads what is local
        fresh = Rows(rows.keys, (content, size, mtime, stamp, kind))
        yield Changes.upserts(fresh.take(new))


# -- data ------------------------------------------------------------------------------


def import_data(
    place: Place, parcel: Parcel, folder: str, progress: Progress = SILENT
) -> tuple[int, Indexed]:
    """Write the data objects of an export to `folder` (absolute), each verified, and index it.

    How many were written; those that are there already are not written again. Raises
    `BadInput` for a folder in no storage location, `Corrupt` at a file that is not its object.
    """
    where = uri_of(os.path.normpath(folder))
    if not any(each.holds(where) for each in place.instance.settings().locations):
        raise BadInput("--data", f"{folder} is in no storage location", f"ldb add-storage {folder}")
    with store_errors(folder):
        os.makedirs(folder, exist_ok=True)
    count = 0
    progress.start("data objects", len(parcel.data))
    for name, (source, offset, size) in sorted(parcel.data.items()):
        target = os.path.join(folder, name)
        if not os.path.lexists(target):
            _write(target, source, offset, size, place.instance.object_hash)
            count += 1
        progress.advance()
    return count, index(place, [folder], progress=progress)


def _write(target: str, source: str, offset: int, size: int, algorithm: str) -> None:
    """One data object under its name, if it is what its name says."""
    wanted = os.path.basename(target).partition(".")[0]
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}")
    digest = HASHES[algorithm]()
    try:
        with store_errors(target), open(open_to_read(source), "rb") as data:
            refuse_special(source, os.fstat(data.fileno()))
            data.seek(offset)
            with open(temporary, "xb") as file:
                while size > 0 and (piece := data.read(min(size, PIECE))):
                    digest.update(piece)
                    file.write(piece)
                    size -= len(piece)
        if digest.hexdigest() != wanted:
            raise Corrupt(f"data object {wanted}", source)
        with store_errors(target):
            os.replace(temporary, target)
    finally:
        with suppress(OSError):
            os.unlink(temporary)
