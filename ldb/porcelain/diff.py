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
from ldb.transforms import DEFAULT, TransformSet, decode_set

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
    transforms_field: int | None
    """Which one holds the oid of the transforms; the index has none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One data object that differs."""

    sign: Sign
    id: ObjectId
    path: str
    old_annotation: Oid | None
    new_annotation: Oid | None
    old_transforms: Oid | None = None
    new_transforms: Oid | None = None
    """None for the data object itself and nothing else, and in the index."""


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
        return Side(str(version), objects_schema(instance), instance.objects, root, 1, None)
    return _of_dataset(place, str(version), instance.objects, dataset_root(version))


def _base(place: Place) -> Side:
    workspace = place.need_workspace()
    base = workspace.state.base
    name = f"ds:{base.name}.v{base.number}" if base else "nothing"
    return _of_dataset(place, name, workspace.store, workspace.state.base_root)


def _draft(place: Place) -> Side:
    workspace = place.need_workspace()
    return _of_dataset(place, "the draft", workspace.store, workspace.state.root)


def _of_dataset(place: Place, name: str, store: ObjectStore, root: MapRoot) -> Side:
    return Side(name, dataset_schema(place.instance), store, root, 0, 1)


def summary(old: Side, new: Side) -> DiffCounts:
    """The numbers alone; costs what differs."""
    return count_changes(_differences(old, new))


def lines(place: Place, old: Side, new: Side) -> Iterator[Line]:
    """Every data object that differs, by id."""
    for parts in _batches(_differences(old, new)):
        yield from _lines(place.catalog, parts, new)


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


def _lines(catalog: Catalog, parts: Sequence[Difference], side: Side) -> Iterator[Line]:
    """Lines of one range of keys."""
    removed = Rows.concat([part.removed for part in parts])
    added = Rows.concat([part.added for part in parts])
    old = Rows.concat([part.old for part in parts])
    new = Rows.concat([part.new for part in parts])
    groups: list[tuple[Sign, Any, Rows | None, Rows | None]] = [
        ("-", removed.keys, removed, None),
        ("+", added.keys, None, added),
        ("~", new.keys, old, new),
    ]
    found = []
    for sign, keys, *sides in groups:
        columns = [(rows, field) for field in (side.annotation_field, side.transforms_field)
                   for rows in sides]  # fmt: skip
        for at, path in enumerate(first_paths(catalog, keys)):
            name = ObjectId(keys[at : at + 1].tobytes())
            found.append(Line(sign, name, path, *(_oid(*each, at) for each in columns)))
    yield from sorted(found, key=lambda line: line.id)


def _oid(rows: Rows | None, field: int | None, at: int) -> Oid | None:
    raw = NO_OID if rows is None or field is None else rows.fields[field][at].tobytes()
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


def changed_transforms(old: Side, new: Side, line: Line) -> list[str]:
    """For other transforms: `transform NAME: old → new` for each that differs."""
    if line.old_transforms == line.new_transforms:
        return []
    before, after = _set(old, line.old_transforms), _set(new, line.new_transforms)
    return [
        f"transform {name}: {_program(before, name)} → {_program(after, name)}"
        for name in sorted({*before, *after})
        if _program(before, name) != _program(after, name)
    ]


def _set(side: Side, oid: Oid | None) -> TransformSet:
    if oid is None:
        return DEFAULT
    return decode_set(side.store.get(oid, BlobType.TRANSFORM).payload)


def _program(chosen: TransformSet, name: str) -> str:
    """In full, since it is the end of a program's words that changes."""
    if name not in chosen:
        return "(none)"
    argv = chosen[name]
    return "the data object" if argv is None else json.dumps(argv, ensure_ascii=False)


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
