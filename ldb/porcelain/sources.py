"""From what a user names (`id: ds: ws:`, paths, globs) to rows of data objects.

Sources are united: an object is taken once, with the latest of the annotations that the
sources give it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import (
    FOLDER_END,
    KIND_ANNOTATION,
    KIND_DATA,
    Catalog,
    as_keys,
    decode_record,
    key_path,
    path_key,
)
from ldb.dataset import dataset_schema
from ldb.errors import BadInput, Conflict, NotFound
from ldb.history import SourceUsed, Version, dataset_root, resolve
from ldb.ids import Oid
from ldb.maps import Rows, scan
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.porcelain.place import Place
from ldb.progress import SILENT, Progress
from ldb.query.selection import FilterSpec, Selected, Warnings, apply_filters
from ldb.refs.name import INDEX, parse_version
from ldb.storage.location import is_glob, is_local, local_path, to_uri
from ldb.workspace import Workspace, load_state, open_store

Default = Literal["root", "staged", "none"]
"""What no source at all stands for: the index, the draft, or an error."""

NO_IDS: Mapping[str, Collection[bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Selection:
    """What sources and filters gave."""

    rows: Selected
    used: tuple[SourceUsed, ...]
    warnings: tuple[str, ...] = ()


def select(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec] = (),
    *,
    default: Default,
    seed: int | None = None,
    progress: Progress = SILENT,
    ids: Mapping[str, Collection[bytes]] = NO_IDS,
) -> Selection:
    """Rows for sources and filters, filters in the order given. Raises `LdbError`.

    `ids` holds the data object ids of sources for which they are known already.
    """
    rows, used = read_sources(place, sources, default, ids)
    warnings = Warnings()
    chosen = apply_filters(place.catalog, rows, filters, seed, warnings, progress)
    return Selection(chosen, used, tuple(warnings.messages))


def read_sources(
    place: Place,
    sources: Sequence[str],
    default: Default,
    known: Mapping[str, Collection[bytes]] = NO_IDS,
) -> tuple[Selected, tuple[SourceUsed, ...]]:
    """Rows of all sources together, by id, and what each source was resolved to."""
    texts = list(sources) or _default(place, default)
    parts, used = [], []
    ids = [text for text in texts if text.startswith("id:")]
    if ids:
        parts.append(_by_ids(place.catalog, ids))
        used += [SourceUsed(text) for text in ids]
    for text in texts:
        if text in known:
            parts.append(id_rows(place.catalog, known[text]))
            used.append(SourceUsed(text))
        elif not text.startswith("id:"):
            part, source = _one(place, text)
            parts.append(part)
            used.append(source)
    return united(place.catalog, parts), tuple(used)


def _default(place: Place, default: Default) -> list[str]:
    if default == "root":
        return ["ds:root"]
    if default == "staged":
        return ["ws:" + place.workspace.folder] if place.workspace else ["ds:root"]
    raise BadInput("sources", "none given", "name some: id:…, ds:NAME, a folder, …")


def _one(place: Place, text: str) -> tuple[Selected, SourceUsed]:
    if text.startswith("ds:"):
        version = resolve(place.instance, parse_version(text))
        return version_rows(place, version), SourceUsed(text, version.oid)
    if text.startswith("ws:"):
        return _workspace_rows(place, text), SourceUsed(text)
    return path_rows(place, text), SourceUsed(text)


def version_rows(place: Place, version: Version) -> Selected:
    """All rows of a version of a dataset, or of the index."""
    instance, width = place.instance, place.instance.id_bytes
    if version.ref == INDEX:
        chunks = Catalog(instance, version).rows()
        return Selected.concat([_of_objects(each) for each in chunks], width)
    return map_rows(place, instance.objects, dataset_root(version).root)


def map_rows(place: Place, store: ObjectStore, root: Oid) -> Selected:
    """All rows of a dataset map in `store`."""
    chunks = scan(store, dataset_schema(place.instance), root)
    return Selected.concat([Selected.of(each) for each in chunks], place.instance.id_bytes)


def _of_objects(rows: Rows) -> Selected:
    annotations = rows.fields[1]
    return Selected(rows.keys, annotations, np.zeros_like(annotations))


def _workspace_rows(place: Place, text: str) -> Selected:
    folder = os.path.normpath(os.path.join(place.cwd, text[3:] or "."))
    if place.workspace is not None and folder == place.workspace.folder:
        return draft_rows(place, place.workspace)
    state = load_state(folder)
    if state.instance_id != place.instance.id:
        raise Conflict(
            text,
            f"a workspace of {place.instance.url}",
            f"one of {state.instance_url}",
            "commit it there, then index the same data here",
        )
    return map_rows(place, open_store(folder, place.instance), state.root.root)


def draft_rows(place: Place, workspace: Workspace) -> Selected:
    """All rows of a workspace's draft."""
    return map_rows(place, workspace.store, workspace.state.root.root)


def _by_ids(catalog: Catalog, texts: Sequence[str]) -> Selected:
    width = catalog.instance.id_bytes
    ids = as_keys([catalog.expand(text[3:]) for text in texts], width)
    found = catalog.find(ids)
    if not found.known.all():
        name = texts[int(np.flatnonzero(~found.known)[0])]
        raise NotFound("data object", name, "is it indexed? `ldb list ds:root`")
    return Selected(ids, found.annotations, np.zeros_like(found.annotations))


def path_rows(place: Place, text: str) -> Selected:
    """The data objects last seen at a path, below a folder, or where a glob fits."""
    uri = to_uri(text, place.cwd)
    ids = path_ids(place.catalog, uri)
    if not ids:
        there = not is_local(uri) or is_glob(text) or os.path.lexists(local_path(uri))
        hint = f"index it first: ldb index {text}" if there else ""
        raise NotFound("indexed data object" if there else "path", text, hint)
    return id_rows(place.catalog, ids)


def id_rows(catalog: Catalog, ids: Collection[bytes]) -> Selected:
    """Rows for ids that the index knows, each once, sorted."""
    keys = as_keys(sorted(set(ids)), catalog.instance.id_bytes)
    found = catalog.find(keys)
    rows = Selected(keys, found.annotations, np.zeros_like(found.annotations))
    return rows.take(found.known)


def path_ids(catalog: Catalog, uri: str) -> set[bytes]:
    """Ids of the data objects that the index has at a URI, below it, or fitting a glob."""
    raw = os.fsencode(uri)
    ids = set()
    for path, content, kind in _entries(catalog, catalog.paths_under(path_key(raw))):
        if path == raw:
            if kind == KIND_ANNOTATION:
                return _owners(catalog, raw)
            ids.add(content)
    if ids:
        return ids
    if is_glob(uri):
        return _fitting(catalog, raw)
    below = _entries(catalog, catalog.paths_under(raw.rstrip(b"/") + b"/"))
    return {content for _, content, kind in below if kind == KIND_DATA}


def _fitting(catalog: Catalog, glob: bytes) -> set[bytes]:
    fits = re.compile(_glob_pattern(glob), re.DOTALL).fullmatch
    fixed = re.split(rb"[*?\[]", glob, maxsplit=1)[0]
    near = _entries(catalog, catalog.paths_under(fixed.rpartition(b"/")[0] + b"/"))
    return {content for path, content, kind in near if kind == KIND_DATA and fits(path)}


def _owners(catalog: Catalog, annotation: bytes) -> set[bytes]:
    """The data objects that share the stem of an annotation file."""
    folder, _, name = annotation.rpartition(b"/")
    stem = name[: -len(b".json")]
    near = _entries(catalog, catalog.paths_under(folder + FOLDER_END + stem))
    return {
        content
        for path, content, kind in near
        if kind == KIND_DATA and _stem(path.rpartition(b"/")[2]) == stem
    }


def _stem(name: bytes) -> bytes:
    return name.rpartition(b".")[0] or name


def _entries(catalog: Catalog, chunks: Iterable[Rows]) -> Iterator[tuple[bytes, bytes, int]]:
    """URI, content (cut to the width of an id) and kind of rows of `paths`."""
    width = catalog.instance.id_bytes
    for rows in chunks:
        contents = np.ascontiguousarray(rows.fields[0][:, :width]).tobytes()
        kinds = rows.fields[4].ravel().tolist()
        for at, (key, kind) in enumerate(zip(rows.keys.tolist(), kinds)):
            yield key_path(key), contents[at * width : (at + 1) * width], kind


def _glob_pattern(glob: bytes) -> bytes:
    """A regular expression for a glob: `*` and `?` stay in one folder, `**` does not."""
    parts = re.split(rb"(\*\*/?|\*|\?|\[!?\]?[^\]]*\])", glob)
    return b"".join(_glob_part(part) for part in parts)


def _glob_part(part: bytes) -> bytes:
    if part.startswith(b"**"):
        return b"(?:.*/)?" if part.endswith(b"/") else b".*"
    if part == b"*":
        return b"[^/]*"
    if part == b"?":
        return b"[^/]"
    if part.startswith(b"[") and part.endswith(b"]") and len(part) > 2:
        inside = part[1:-1].replace(b"\\", b"\\\\")
        return b"[" + (b"^" + inside[1:] if inside.startswith(b"!") else inside) + b"]"
    return re.escape(part)


def united(catalog: Catalog, parts: Sequence[Selected]) -> Selected:
    """All parts as one, sorted by id, each object once, with its latest annotation."""
    rows = Selected.concat(parts, catalog.instance.id_bytes)
    if len(parts) == 1 and _ascending(rows.ids):
        return rows
    rows = rows.take(np.argsort(rows.ids, kind="stable"))
    first = np.ones(len(rows), np.bool_)
    first[1:] = rows.ids[1:] != rows.ids[:-1]
    if first.all():
        return rows
    chosen = np.flatnonzero(first)
    ends = np.append(chosen[1:], len(rows))
    for place in np.flatnonzero(ends - chosen > 1).tolist():
        start, end = int(chosen[place]), int(ends[place])
        chosen[place] = start + _latest(catalog, rows, start, end)
    return rows.take(chosen)


def _ascending(ids: NDArray[np.bytes_]) -> bool:
    return bool((ids[1:] > ids[:-1]).all())


def _latest(catalog: Catalog, rows: Selected, start: int, end: int) -> int:
    """Which of one object's rows has the annotation that is newest in its history."""
    notes = [row.tobytes() for row in rows.annotations[start:end]]
    if len(set(notes)) == 1:
        return 0
    found = catalog.find(rows.ids[start : start + 1])
    history: tuple[bytes, ...] = ()
    if found.known[0]:
        blob = catalog.instance.objects.get(Oid(found.records[0].tobytes()), BlobType.RECORD)
        history = decode_record(blob.payload).annotations
    ages = [history.index(note) if note in history else -1 for note in notes]
    return max(range(len(notes)), key=lambda at: ages[at])
