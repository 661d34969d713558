"""From what a user names (`id: ds: ws:`, paths, globs) to rows of data objects.

Sources are united: an object is taken once, with the latest of the annotations that the
sources give it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ldb.catalog import Catalog, as_keys, key_bytes, objects_schema
from ldb.dataset import dataset_schema
from ldb.errors import BadInput, BadName, Conflict, NotFound
from ldb.history import MapRoot, SourceUsed, Version, dataset_root, nearest_dataset, resolve
from ldb.maps import lookup
from ldb.objects.store import ObjectStore
from ldb.porcelain.paths import path_ids
from ldb.porcelain.place import Place
from ldb.porcelain.written import written_files
from ldb.progress import SILENT, Progress
from ldb.query.asking import FilterTrace
from ldb.query.plugins import NONE, Order, Plugins
from ldb.query.scanning import scan_records
from ldb.query.selected import MapRows, Selected
from ldb.query.selection import FilterSpec, Warnings, apply_filters
from ldb.query.signature import Function
from ldb.refs.name import INDEX, VersionSpec, parse_version
from ldb.storage.location import absolute, is_glob, is_local, local_path, to_uri
from ldb.workspace import Workspace, load_state, open_store

Default = Literal["root", "staged", "none"]
"""What no source at all stands for: the index, the draft, or an error."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of sources before they are read."""

    ids: Mapping[str, Collection[bytes]] = field(default_factory=dict)
    """Sources whose data object ids are known: paths whose files were copied elsewhere."""
    edited: Mapping[bytes, bytes] = field(default_factory=dict)
    """Data object id → oid of the annotation that was edited in the workspace."""
    rows: Mapping[str, Selected] = field(default_factory=dict)
    """Rows of those sources that were brought over from another instance."""


_OPERATORS = frozenset(("==", "!=", "<", "<=", ">", ">=", "&&", "||", "and", "or"))
_QUOTES = "is it part of a query? put quotes around all of it: --query \"class == 'cat'\""

NOTHING_KNOWN = Known(MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Selection:
    """What sources and filters gave."""

    rows: Selected
    used: tuple[SourceUsed, ...]
    catalog: Catalog
    """The index to look their records up in: as of the version asked for, where `ds:root.vN`
    is the only source, the newest otherwise."""
    warnings: tuple[str, ...] = ()
    traces: tuple[FilterTrace, ...] = ()
    """How each filter was evaluated."""
    plugins: Plugins = NONE
    """Users' functions, for expressions besides the filters."""


def select(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec] = (),
    *,
    default: Default,
    seed: int | None = None,
    progress: Progress = SILENT,
    known: Known = NOTHING_KNOWN,
) -> Selection:
    """Rows for sources and filters, filters in the order given. Raises `LdbError`."""
    texts = list(sources) or _default(place, default)
    rows, used, catalog = read_sources(place, texts, known)
    warnings = Warnings()
    traces: list[FilterTrace] = []
    plugins = plugins_of(place, catalog, warnings.messages, progress)
    chosen = apply_filters(catalog, rows, filters, seed, warnings, progress, traces, plugins)
    return Selection(chosen, used, catalog, tuple(warnings.messages), tuple(traces), plugins)


def plugins_of(
    place: Place, catalog: Catalog, messages: list[str], progress: Progress = SILENT
) -> Plugins:
    """Users' functions and filters, loaded when the first of them is asked for."""
    return Deferred(place, catalog, messages, progress)


class Deferred:
    """`PlacePlugins`, whose modules hardly any selection needs."""

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments

    @cached_property
    def _plugins(self) -> Plugins:
        from ldb.porcelain.plugins import PlacePlugins

        return PlacePlugins(*self._arguments)

    def functions(self) -> Mapping[str, Function]:
        return self._plugins.functions()

    def order(self, kind: str, words: Sequence[str]) -> Order:
        return self._plugins.order(kind, words)


def read_sources(
    place: Place, texts: Sequence[str], known: Known = NOTHING_KNOWN
) -> tuple[Selected, tuple[SourceUsed, ...], Catalog]:
    """Rows of all sources together, by id, and what each source was resolved to."""
    parts: list[Selected] = []
    used: list[SourceUsed] = []
    catalog = place.catalog
    ids = [text for text in texts if text.startswith("id:")]
    if ids:
        parts.append(_by_ids(place, catalog, ids))
    for text in texts:
        used.append(SourceUsed(absolute_source(text, place.cwd)))
        if text in known.rows:
            parts.append(known.rows[text])
        elif text in known.ids:
            parts.append(id_rows(catalog, known.ids[text]))
        elif text.startswith("ds:"):
            version = _version(place, parse_version(text))
            used[-1] = SourceUsed(text, version.oid)
            parts.append(version_rows(place, version))
            if version.ref == INDEX and len(texts) == 1:
                catalog = Catalog(place.instance, version)
        elif text.startswith("ws:"):
            parts.append(_workspace_rows(place, text))
        elif not text.startswith("id:"):
            parts.append(_path_rows(place, text, texts, known.edited))
    return united(catalog, parts), tuple(used), catalog


def absolute_source(text: str, cwd: str) -> str:
    """A source that means the same wherever one stands."""
    if text.startswith(("id:", "ds:")):
        return text
    if text.startswith("ws:"):
        return "ws:" + os.path.normpath(os.path.join(cwd, text[3:] or "."))
    return absolute(text, cwd)


def _version(place: Place, spec: VersionSpec) -> Version:
    """The version that a source names; the newest index is the one that this command looks at."""
    newest = place.catalog.version if spec == VersionSpec(INDEX) else None
    return newest or resolve(place.instance, spec)


def _default(place: Place, default: Default) -> list[str]:
    if default == "root":
        return ["ds:root"]
    if default == "staged":
        return ["ws:" + place.workspace.folder] if place.workspace else ["ds:root"]
    raise BadInput("sources", "none given", "name some: id:…, ds:NAME, a folder, …")


def version_rows(place: Place, version: Version) -> Selected:
    """All rows of a version of a dataset, or of the index."""
    instance = place.instance
    if version.ref == INDEX:
        schema, at = objects_schema(instance), version.commit.maps["objects"]
    else:
        schema, at = dataset_schema(instance), dataset_root(version)
    return Selected.of_map(MapRows(instance.objects, schema, at.root, at.count))


def map_rows(place: Place, store: ObjectStore, at: MapRoot) -> Selected:
    """All rows of a dataset map in `store`."""
    return Selected.of_map(MapRows(store, dataset_schema(place.instance), at.root, at.count))


def stores_named(place: Place, texts: Sequence[str]) -> list[ObjectStore]:
    """The stores of those sources that are workspaces."""
    return [
        open_store(_folder_of(place, text), place.instance)
        for text in texts
        if text.startswith("ws:")
    ]


def _folder_of(place: Place, text: str) -> str:
    return os.path.normpath(os.path.join(place.cwd, text[3:] or "."))


def _workspace_rows(place: Place, text: str) -> Selected:
    folder = _folder_of(place, text)
    state = load_state(folder)
    if state.instance_id != place.instance.id:
        raise Conflict(
            text,
            f"a workspace of {place.instance.url}",
            f"one of {state.instance_url}",
            f"`ldb add {text}` brings over what it holds, or ask there: ldb -C {folder} …",
        )
    return map_rows(place, open_store(folder, place.instance), state.root)


def draft_rows(place: Place, workspace: Workspace) -> Selected:
    """All rows of a workspace's draft."""
    return map_rows(place, workspace.store, workspace.state.root)


def _by_ids(place: Place, catalog: Catalog, texts: Sequence[str]) -> Selected:
    """Objects of the index, or ones that only the draft still holds."""
    ids = as_keys([catalog.expand(text[3:]) for text in texts], catalog.instance.id_bytes)
    found = catalog.find(ids)
    known, annotations = found.known, found.annotations
    if not known.all() and place.workspace is not None:
        root = place.workspace.state.root.root
        drafted, fields = lookup(place.workspace.store, dataset_schema(place.instance), root, ids)
        annotations = np.where(known[:, None], annotations, fields[0])
        known = known | drafted
    if not known.all():
        name = texts[int(np.flatnonzero(~known)[0])]
        raise NotFound("data object", name, "is it indexed? `ldb list ds:root`")
    return Selected(ids, annotations, np.zeros_like(annotations))


def _path_rows(
    place: Place, text: str, texts: Sequence[str], edited: Mapping[bytes, bytes]
) -> Selected:
    try:
        return path_rows(place, text, edited)
    except NotFound as error:
        if not error.hint and not _OPERATORS.isdisjoint(texts):
            error.hint = _QUOTES  # the shell took a query apart
        raise


def path_rows(place: Place, text: str, edited: Mapping[bytes, bytes]) -> Selected:
    """The data objects that a path names: by where they were last seen or, in the workspace,
    by files that were instantiated there, which stand for the objects of the draft."""
    uri = to_uri(text, place.cwd)
    written = {each.id for each in written_files(place, uri)}
    ids = path_ids(place.catalog, uri)
    if not ids and not written:
        raise _nothing_at(place, text, uri)
    return overlaid(place, ids, written, edited) if written else id_rows(place.catalog, ids)


def _nothing_at(place: Place, text: str, uri: str) -> NotFound:
    if is_local(uri) and not is_glob(text) and not os.path.lexists(local_path(uri)):
        return NotFound("path", text, _meant(place, text))
    return NotFound("indexed data object", text, f"index it first: ldb index {text}")


def _meant(place: Place, text: str) -> str:
    """What else a word that is no path can be: part of a query, or a dataset's name."""
    if any(mark in text for mark in "=<>!&|`'\"") or text in ("and", "or"):
        return _QUOTES
    bare = text[3:] if text[:3].lower() == "ds:" else text
    try:
        spec = parse_version(bare)
    except BadName:
        return ""
    if place.instance.refs.head(spec.ref):
        return f"did you mean ds:{bare}?"
    close = nearest_dataset(place.instance, spec.ref.name)
    return f"did you mean ds:{close}?" if close else ""


def overlaid(
    place: Place,
    ids: Collection[bytes],
    written: Collection[bytes],
    edited: Mapping[bytes, bytes],
) -> Selected:
    """Rows of ids; the `written` as the draft has them, and with what was edited there."""
    width = place.instance.id_bytes
    keys = as_keys(sorted({*ids, *written}), width)
    found = place.catalog.find(keys)
    there, drafted = drafted_rows(place.need_workspace(), keys)
    there &= np.isin(keys, as_keys(sorted(written), width))
    notes = np.where(there[:, None], drafted.annotations, found.annotations)
    for at, name in enumerate(key_bytes(keys) if edited else ()):
        if name in edited:
            notes[at] = np.frombuffer(edited[name], np.uint8)
    transforms = np.where(there[:, None], drafted.transforms, 0).astype(np.uint8)
    return Selected(keys, notes, transforms).take(there | found.known)


def drafted_rows(
    workspace: Workspace, ids: NDArray[np.bytes_], progress: Progress = SILENT
) -> tuple[NDArray[np.bool_], Selected]:
    """Which ids a draft holds, and its rows for them (zeros where it does not)."""
    schema, root = dataset_schema(workspace.instance), workspace.state.root.root
    progress.start("comparing with the draft", len(ids))
    known, (notes, transforms) = lookup(workspace.store, schema, root, ids, progress)
    return known, Selected(ids, notes, transforms)


def id_rows(catalog: Catalog, ids: Collection[bytes]) -> Selected:
    """Rows for ids that the index knows, each once, sorted."""
    keys = as_keys(sorted(set(ids)), catalog.instance.id_bytes)
    found = catalog.find(keys)
    rows = Selected(keys, found.annotations, np.zeros_like(found.annotations))
    return rows.take(found.known)


def united(catalog: Catalog, parts: Sequence[Selected]) -> Selected:
    """All parts as one, sorted by id, each object once, with its latest annotation."""
    rows = Selected.concat(parts, catalog.instance.id_bytes)
    if rows.ascending or len(rows) < 2 or _ascending(rows.ids):
        return rows
    rows = rows.take(np.argsort(rows.ids, kind="stable"))
    again = np.concatenate([[False], rows.ids[1:] == rows.ids[:-1]])
    same = np.concatenate([[False], (rows.annotations[1:] == rows.annotations[:-1]).all(axis=1)])
    chosen = np.flatnonzero(~again)
    contested = np.unique(np.cumsum(~again)[again & ~same] - 1)
    if len(contested):
        ends = np.append(chosen[1:], len(rows))
        groups = np.stack([chosen[contested], ends[contested]], axis=1)
        chosen[contested] = _latest(catalog, rows, groups)
    return rows.take(chosen)


def _ascending(ids: NDArray[np.bytes_]) -> bool:
    return bool((ids[1:] > ids[:-1]).all())


def _latest(catalog: Catalog, rows: Selected, groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each group (start, end) of one object's rows: the row whose annotation is newest.

    Newest is what was indexed last; what the object's record does not name is older still.
    """
    latest = groups[:, 0].copy()
    for positions, records in scan_records(catalog, rows.ids[groups[:, 0]]):
        for at, record in zip(positions.tolist(), records):
            ages: dict[bytes, int] = {note: age for age, note in enumerate(record.annotations)}
            latest[at] = max(
                range(*groups[at].tolist()),
                key=lambda row: ages.get(rows.annotations[row].tobytes(), -1),
            )
    return latest
