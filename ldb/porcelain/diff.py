"""`ldb diff`: what differs between two datasets, drafts or versions of the index."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ldb.catalog import Catalog, objects_schema
from ldb.dataset import count_changes, dataset_schema
from ldb.errors import BadInput
from ldb.history import DiffCounts, MapRoot, Version, dataset_root, resolve
from ldb.ids import NO_OID, ObjectId, Oid
from ldb.maps import Difference, Rows, Schema, diff
from ldb.objects.codec import decode, encode
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.porcelain.place import Place
from ldb.query.scanning import scan_records
from ldb.refs.name import INDEX, parse_version
from ldb.storage.location import shown

Sign = Literal["+", "-", "~"]
BATCH = 16384
"""Rows whose paths are looked up at a time."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two things compared."""

    name: str
    schema: Schema
    store: ObjectStore
    root: MapRoot
    annotation_field: int
    """Which field of the map holds the annotation oid."""


@dataclass(frozen=True, slots=True)
class Line:
    """One data object that differs."""

    sign: Sign
    id: ObjectId
    path: str
    old_annotation: Oid | None
    new_annotation: Oid | None


def sides(place: Place, names: Sequence[str]) -> tuple[Side, Side]:
    """What no name, one or two compare: base and draft, version and draft, two versions."""
    if len(names) == 2:
        pair = (_side(place, names[0]), _side(place, names[1]))
    elif place.workspace is None:
        what = f"nothing here to compare {names[0]} with" if names else "nothing here to compare"
        raise BadInput(
            "diff", f"{what}: {place.cwd} is in no workspace", "name two: ldb diff ds:A ds:B"
        )
    else:
        pair = (_side(place, names[0]) if names else _base(place), _draft(place))
    if pair[0].schema != pair[1].schema:
        raise BadInput("diff", "the index can only be compared with the index")
    return pair


def _side(place: Place, name: str) -> Side:
    if name.startswith("ws:"):
        folder = os.path.normpath(os.path.join(place.cwd, name[3:] or "."))
        if place.workspace is not None and folder == place.workspace.folder:
            return _draft(place)
        raise BadInput(name, "only this workspace's draft can be compared", "leave the name out")
    return of_version(place, resolve(place.instance, parse_version(name)))


def of_version(place: Place, version: Version) -> Side:
    """A version of a dataset or of the index as one side of a comparison."""
    instance = place.instance
    if version.ref == INDEX:
        root = version.commit.maps["objects"]
        return Side(str(version), objects_schema(instance), instance.objects, root, 1)
    schema = dataset_schema(instance)
    return Side(str(version), schema, instance.objects, dataset_root(version), 0)


def _base(place: Place) -> Side:
    workspace = place.need_workspace()
    base = workspace.state.base
    name = f"ds:{base.name}.v{base.number}" if base else "nothing"
    root = workspace.state.base_root
    return Side(name, dataset_schema(place.instance), workspace.store, root, 0)


def _draft(place: Place) -> Side:
    workspace = place.need_workspace()
    schema = dataset_schema(place.instance)
    return Side("the draft", schema, workspace.store, workspace.state.root, 0)


def summary(old: Side, new: Side) -> DiffCounts:
    """The numbers alone; costs what differs."""
    return count_changes(_differences(old, new))


def lines(place: Place, old: Side, new: Side) -> Iterator[Line]:
    """Every data object that differs, by id."""
    for parts in _batches(_differences(old, new)):
        yield from _lines(place.catalog, parts, new.annotation_field)


def _batches(parts: Iterable[Difference]) -> Iterator[list[Difference]]:
    """Enough differences at a time for looking up paths to be cheap."""
    batch: list[Difference] = []
    for part in parts:
        batch.append(part)
        if sum(map(len, batch)) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _differences(old: Side, new: Side) -> Iterator[Difference]:
    if old.root.root != new.root.root:
        store = new.store if new.store.fallback is not None else old.store
        yield from diff(store, new.schema, old.root.root, new.root.root)


def _lines(catalog: Catalog, parts: Sequence[Difference], field: int) -> Iterator[Line]:
    """Lines of one range of keys."""
    removed = Rows.concat([part.removed for part in parts])
    added = Rows.concat([part.added for part in parts])
    old = Rows.concat([part.old for part in parts])
    new = Rows.concat([part.new for part in parts])
    groups: list[tuple[Sign, Any, Any, Any]] = [
        ("-", removed.keys, removed.fields[field], None),
        ("+", added.keys, None, added.fields[field]),
        ("~", new.keys, old.fields[field], new.fields[field]),
    ]
    found = []
    for sign, keys, before, after in groups:
        paths = first_paths(catalog, keys)
        for at, path in enumerate(paths):
            name = ObjectId(keys[at : at + 1].tobytes())
            found.append(Line(sign, name, path, _oid(before, at), _oid(after, at)))
    yield from sorted(found, key=lambda line: line.id)


def _oid(column: Any, at: int) -> Oid | None:
    raw = NO_OID if column is None else column[at].tobytes()
    return None if raw == NO_OID else Oid(raw)


def first_paths(catalog: Catalog, ids: np.typing.NDArray[np.bytes_]) -> list[str]:
    """One path for each id, empty where the index knows none."""
    paths = [""] * len(ids)
    for positions, records in scan_records(catalog, ids):
        for at, record in zip(positions.tolist(), records):
            paths[at] = shown(record.paths[0].path) if record.paths else ""
    return paths


def changed_keys(place: Place, line: Line) -> list[str]:
    """For a changed annotation: `key: old → new` for each key path that differs."""
    if line.old_annotation == line.new_annotation:
        return []  # in the index: another path, tag or attribute
    old, new = (_annotation(place, oid) for oid in (line.old_annotation, line.new_annotation))
    return list(_compare("", old, new))


def _annotation(place: Place, oid: Oid | None) -> Any:
    if oid is None:
        return _NOTHING
    return decode(place.instance.objects.get(oid, BlobType.ANNOTATION).payload)


_NOTHING = object()


def _compare(where: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            name = key if key.isidentifier() else json.dumps(key, ensure_ascii=False)
            inner = f"{where}.{name}" if where else name
            yield from _compare(inner, old.get(key, _NOTHING), new.get(key, _NOTHING))
    elif old is _NOTHING or new is _NOTHING or encode(old) != encode(new):
        yield f"{where or '(all)'}: {_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    if value is _NOTHING:
        return "(none)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
