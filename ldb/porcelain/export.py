"""`ldb ds export`: a dataset as a small instance of its own, in a folder or one tar file.

Format: docs/formats/export.md. A file gets its name when it is whole; a folder that a
killed run left has no file `instance/refs/…` yet, or not all of them, and is made anew.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ldb.backends.archive import DATA, INSIDE, is_data_name
from ldb.backends.files import flush_folder, store_errors
from ldb.backends.local import LocalBackend
from ldb.catalog import (
    PATHS,
    Catalog,
    among_keys,
    annotations_of,
    objects_schema,
    path_key,
    record_rows,
)
from ldb.dataset import dataset_schema
from ldb.errors import BadInput, Conflict, NotFound, StoreFailed
from ldb.history import (
    DATASET_MAP,
    Commit,
    MapRoot,
    Operation,
    SourceUsed,
    Version,
    encode_commit,
    now,
    publish,
    resolve,
)
from ldb.ids import ObjectId, Oid
from ldb.instance import Instance, create
from ldb.instantiate.naming import id_in_name
from ldb.instantiate.options import InstantiateOptions
from ldb.instantiate.run import instantiate
from ldb.maps import Rows, build, copy_nodes, diff, lookup, scan, sort
from ldb.objects.model import BlobType
from ldb.objects.oidtable import Oids
from ldb.porcelain.clouds import reach
from ldb.porcelain.place import Place
from ldb.porcelain.plumbing.rev_list import (
    Reached,
    as_column,
    oid_array,
    oid_set,
    reachable,
    rev_list,
)
from ldb.progress import SILENT, Progress
from ldb.refs.name import INDEX, VersionSpec
from ldb.refs.store import Ref
from ldb.storage.cache import CacheOptions

CHUNK = 65536
_COPIED = (BlobType.ANNOTATION, BlobType.TRANSFORM, BlobType.MAP, BlobType.COMMIT)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    where: str
    versions: int
    objects: int
    data: int = 0
    """Data objects whose bytes are in it."""
    bytes: int = 0
    """Of the file, or of all files."""


def export(
    place: Place,
    dataset: VersionSpec,
    where: str,
    *,
    folder: bool = False,
    with_data: bool = False,
    force: bool = False,
    cache: CacheOptions | None = None,
    progress: Progress = SILENT,
) -> Exported:
    """Write a dataset, or one version of it, to `where` (absolute), which must be new.

    Raises `BadInput` for something that is there already, without `force`; `StoreFailed`
    naming the data objects that could not be read, `with_data`.
    """
    if dataset.ref == INDEX:
        raise BadInput("ds:root", "is the index, which belongs to one instance", "export datasets")
    if os.path.lexists(where) and not (force or (folder and _is_empty(where))):
        raise BadInput(where, "is there already", "`-f` replaces it")
    version = resolve(place.instance, dataset)
    whole = dataset.number is None and not dataset.back
    with _building(where) as inside:
        made = create(LocalBackend(os.path.join(inside, "instance")), place.instance.object_hash)
        targets = _targets(place.instance, version) if whole else []
        ids = _copy(place, made, version, whole, progress)
        _index(place, made, ids, progress)
        _refs(made, version, targets, place.author)
        files = _data(place, inside, ids, cache, progress) if with_data else 0
        size = _finish(inside, where, folder)
    versions = sum(ref.target is not None for ref in targets) if whole else 1
    return Exported(where, versions, len(ids), files, size)


def _is_empty(folder: str) -> bool:
    return os.path.isdir(folder) and not os.listdir(folder)


@contextmanager
def _building(where: str) -> Iterator[str]:
    """A folder to build in: beside `where`, so that it can be renamed, and gone afterwards."""
    name = f".{os.path.basename(where)}-{secrets.token_hex(6)}"
    path = os.path.join(os.path.dirname(where), name)
    with store_errors(path):
        os.mkdir(path)
    try:
        yield path
    finally:
        with suppress(OSError):
            shutil.rmtree(path)


def _targets(instance: Instance, version: Version) -> list[Ref]:
    """Version files of the dataset up to a version, oldest first."""
    refs = [ref for ref in instance.refs.history(version.ref) if ref.number <= version.number]
    return refs[::-1]


def _copy(
    place: Place, made: Instance, version: Version, whole: bool, progress: Progress
) -> NDArray[np.bytes_]:
    """Copy what the versions need; the ids that they hold, sorted."""
    instance = place.instance
    if whole:
        starts = [ref.target for ref in _targets(instance, version) if ref.target]
        commits = rev_list(instance, starts)
    else:
        commits = [(version.oid, _alone(version))]
    needed = reachable(instance, commits)
    if not whole:
        needed[BlobType.COMMIT] = np.zeros(0, "S32")
    copy_blobs(instance, made, needed, progress)
    return ids_of(instance, [commit for _, commit in commits])


def copy_blobs(
    source: Instance,
    target: Instance,
    needed: Reached,
    progress: Progress,
    roots: Sequence[Oid] = (),
) -> None:
    """Copy blobs from one instance to another, every one of them hashed on its way.

    Nodes of maps, all of them below `roots`, go children first: where a store has a node it has
    what is below it, also when this ends between two packs.
    """
    kinds = [kind for kind in _COPIED if kind in needed and len(needed[kind])]
    progress.start("copying", sum(len(needed[kind]) for kind in kinds))
    with target.objects.writer() as writer:
        for kind in kinds:
            if kind is BlobType.MAP and roots:
                copy_nodes(source.objects, writer, roots, _none, progress)
            else:
                writer.copy(source.objects, oid_array(needed[kind]), progress)


def _none(oids: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.zeros(len(oids), np.bool_)


def _alone(version: Version) -> Commit:
    """A version without its past, as version 1. The same each time it is made."""
    used = SourceUsed(str(version), version.oid)
    operation = Operation(("ds", "export", str(version)), (used,), time=version.commit.time)
    return replace(version.commit, number=1, parents=(), operations=(operation,))


def ids_of(instance: Instance, commits: Sequence[Commit]) -> NDArray[np.bytes_]:
    """Every data object that one of these commits' maps holds."""
    schema = dataset_schema(instance)
    found = [np.zeros(0, f"S{instance.id_bytes}")]
    seen: dict[Oid, None] = {}
    for commit in commits[::-1]:
        root = commit.maps.get(DATASET_MAP)
        if root is None or root.root in seen:
            continue
        if seen:
            changes = diff(instance.objects, schema, next(reversed(seen)), root.root)
            found += [part.added.keys for part in changes]
        else:
            found += [rows.keys for rows in scan(instance.objects, schema, root.root)]
        seen[root.root] = None
    ids: NDArray[np.bytes_] = np.unique(np.concatenate(found))
    return ids


def _index(place: Place, made: Instance, ids: NDArray[np.bytes_], progress: Progress) -> None:
    """The index of an export: what ours says of these objects."""
    catalog = place.catalog
    known = catalog.find(ids)
    if not known.known.all():
        name = ObjectId(ids[int(np.flatnonzero(~known.known)[0])].ljust(made.id_bytes, b"\0"))
        raise NotFound("record of data object", f"id:{name}", "`ldb fsck`")
    keys: list[bytes] = []
    named = [as_column(known.records), as_column(known.annotations)]
    oids = oid_array(oid_set([*named, _histories(catalog, known.records, keys)]))
    progress.start("copying records", len(oids))
    with made.objects.writer() as writer:
        writer.copy(place.instance.objects, oids, progress)
        rows = Rows(ids, (known.records, known.annotations))
        objects = build(writer, objects_schema(made), [rows] if len(ids) else [])
        seen = _seen(catalog, ids, sorted(set(keys)))
        paths = build(writer, PATHS, sort(PATHS, seen))
    maps = {
        "objects": MapRoot(objects.oid, objects.count),
        "paths": MapRoot(paths.oid, paths.count),
    }
    commit = Commit(INDEX.name, 1, maps, author=place.author, message="of an export", time=now())
    publish(made, INDEX, lambda _: commit)


def _histories(catalog: Catalog, records: Oids, keys: list[bytes]) -> NDArray[np.bytes_]:
    """Annotations that the objects ever had; `keys` is given those of their paths."""
    found: list[NDArray[np.bytes_]] = []
    for rows in record_rows(catalog.instance, records):
        found.append(annotations_of(rows))
        keys += [path_key(seen["path"].encode()) for row in rows for seen in row["paths"]]
    return oid_set(found)


def _seen(catalog: Catalog, ids: NDArray[np.bytes_], keys: Sequence[bytes]) -> Iterator[Rows]:
    """The rows of `paths` where these objects were seen."""
    if catalog.paths is None or not keys:
        return
    width, store = catalog.instance.id_bytes, catalog.instance.objects
    for at in range(0, len(keys), CHUNK):
        column = PATHS.column(keys[at : at + CHUNK])
        there, fields = lookup(store, PATHS, catalog.paths.root, column)
        own = np.ascontiguousarray(fields[0][:, :width]).view(f"S{width}").ravel()
        there &= among_keys(own, ids)
        if there.any():
            yield Rows(column, fields).take(there)


def _refs(made: Instance, version: Version, targets: Sequence[Ref], author: str) -> None:
    """Version files with the same numbers; or the one version that is exported."""
    if not targets:
        commit = _alone(version)
        with made.objects.writer() as writer:
            blob = encode_commit(commit)
            writer.add(blob.type, blob.payload)
        made.refs.advance(version.ref, None, blob.oid, commit.author)
        return
    for ref in targets:
        made.refs.advance(ref.name, before_of(ref), ref.target, ref.author, ref.renamed)


def before_of(ref: Ref) -> Ref | None:
    """What a version file comes after, to `advance`: numbers are kept, gaps between them too."""
    return replace(ref, number=ref.number - 1) if ref.number > 1 else None


def _data(
    place: Place,
    inside: str,
    ids: NDArray[np.bytes_],
    cache: CacheOptions | None,
    progress: Progress,
) -> int:
    """Write the data objects, each verified, to `data/`; how many."""
    folder = os.path.join(inside, "out")
    reach(place)
    progress.start("data objects", len(ids))
    nothing = np.zeros((len(ids), 32), np.uint8)
    options = InstantiateOptions(folder, cache=cache)
    report = instantiate(place.instance, place.catalog, ids, nothing, options, progress.advance)
    if report.problems:
        first = report.problems[0]
        more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
        raise StoreFailed(first.path, f"{first.why}{more}", "nothing was exported")
    target, count = os.path.join(inside, "data"), 0
    os.mkdir(target)
    for name in sorted(os.listdir(folder)):
        found = id_in_name(name)
        if found is None:
            continue
        ending = os.path.splitext(name)[1][1:].lower()
        plain = f"{found}.{ending}"
        plain = plain if is_data_name(plain) else found
        os.rename(os.path.join(folder, name), os.path.join(target, plain))
        count += 1
    shutil.rmtree(folder)
    if count != len(ids):
        raise StoreFailed(target, f"{count} data objects written of {len(ids)}", "say so, please")
    return count


def _finish(inside: str, where: str, folder: bool) -> int:
    """Give what was built its name; the bytes it has."""
    shutil.rmtree(os.path.join(inside, "instance", "tmp"), ignore_errors=True)
    files = _files(inside)
    size = sum(os.path.getsize(path) for _, path in files)
    with store_errors(where):
        if folder:
            if os.path.isdir(where) and not os.path.islink(where):
                if os.listdir(where) and not _is_export(where):
                    raise BadInput(where, "is a folder of other things", "give another one")
                shutil.rmtree(where)
            os.rename(inside, where)
        else:
            if os.path.isdir(where):
                raise Conflict(
                    where, "a file", "a folder", "a slash at its end makes it one of the export"
                )
            size = _pack(inside, files)
            os.replace(os.path.join(inside, "export.tar"), where)
        flush_folder(os.path.dirname(where))
    return size


def _is_export(folder: str) -> bool:
    return set(os.listdir(folder)) <= {"instance", "data"}


def _files(inside: str) -> list[tuple[str, str]]:
    """Names in the export and paths of all files, in the order of the format."""
    found = []
    for top in (INSIDE, DATA):
        for folder, _, names in os.walk(os.path.join(inside, top)):
            for name in names:
                path = os.path.join(folder, name)
                found.append((os.path.relpath(path, inside).replace(os.sep, "/"), path))
    return sorted(found, key=lambda each: (each[0].startswith(DATA), each[0]))


def _pack(inside: str, files: Sequence[tuple[str, str]]) -> int:
    path = os.path.join(inside, "export.tar")
    with open(path, "xb") as raw:
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, source in files:
                member = tarfile.TarInfo(name)
                member.size = os.path.getsize(source)
                member.mode = 0o644
                with open(source, "rb") as data:
                    tar.addfile(member, data)
        raw.flush()
        os.fsync(raw.fileno())
        return raw.tell()
