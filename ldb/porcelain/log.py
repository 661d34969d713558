"""`ldb log` and `ldb why`: where versions come from, and why an object is in one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ldb.catalog import as_keys, objects_schema
from ldb.dataset import dataset_schema
from ldb.errors import BadInput, NotFound
from ldb.history import (
    MapRoot,
    Operation,
    Version,
    ancestors,
    dataset_root,
    parents,
    resolve,
)
from ldb.ids import NO_OID, ObjectId, Oid, is_hex
from ldb.maps import lookup
from ldb.objects.store import ObjectStore
from ldb.porcelain.place import Place
from ldb.refs.name import INDEX, VersionSpec


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a data object is in a map, and with which annotation."""

    there: bool
    annotation: Oid | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A version in which something happened to one data object."""

    version: Version
    what: str
    """`added`, `removed` or `annotation changed`."""
    annotation: Oid | None


def one_object(place: Place, text: str) -> ObjectId:
    """The data object that `id:…`, its digits alone, or a path stands for.

    Raises `NotFound`, and `BadInput` for a path that stands for several.
    """
    if text.startswith("id:") or is_hex(text):
        return place.catalog.expand(text.removeprefix("id:"))
    from ldb.porcelain.sources import select  # with all of queries: ids do without

    rows = select(place, [text], default="none").rows
    if len(rows) != 1:
        raise BadInput(text, f"stands for {len(rows):,} data objects", "name the file of one")
    return ObjectId(rows.ids.tobytes())


def log(place: Place, spec: VersionSpec) -> Iterator[Version]:
    """A version and everything it came from, newest first."""
    return ancestors(place.instance, resolve(place.instance, spec))


def object_log(place: Place, newest: Version, name: ObjectId) -> Iterator[Event]:
    """The versions up to `newest` that changed one data object, newest first."""
    for version in ancestors(place.instance, newest):
        after = presence(place, version, name)
        before = _before(place, version, name)
        what = change(before, after)
        if what:
            yield Event(version, what, after.annotation)


def change(before: Presence, after: Presence) -> str:
    """What happened between two presences, in words; empty for nothing."""
    if before.there and after.there:
        return "annotation changed" if before.annotation != after.annotation else ""
    return "added" if after.there else "removed" if before.there else ""


def _before(place: Place, version: Version, name: ObjectId) -> Presence:
    """The object as the first parent had it."""
    parent = next(parents(place.instance, version), None)
    return presence(place, parent, name) if parent else Presence(False)


def presence(place: Place, version: Version, name: ObjectId) -> Presence:
    """Whether `version` holds a data object."""
    instance = place.instance
    if version.ref == INDEX:
        root, schema, field = version.commit.maps["objects"], objects_schema(instance), 1
        keys = as_keys([name], instance.id_bytes)
        known, fields = lookup(instance.objects, schema, root.root, keys)
        return _presence(bool(known[0]), fields[field][0].tobytes())
    return in_map(place, instance.objects, dataset_root(version), name)


def in_map(place: Place, store: ObjectStore, root: MapRoot, name: ObjectId) -> Presence:
    """Whether a dataset map holds a data object."""
    keys = as_keys([name], place.instance.id_bytes)
    known, fields = lookup(store, dataset_schema(place.instance), root.root, keys)
    return _presence(bool(known[0]), fields[0][0].tobytes())


def _presence(there: bool, raw: bytes) -> Presence:
    return Presence(there, Oid(raw) if there and raw != NO_OID else None)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a data object is in a version as it is: one change of it, and what made that."""

    version: Version
    """Where it was added, or its annotation changed."""
    what: str
    operations: tuple[Operation, ...]
    """Those that touched it, in the order they were run."""
    sure: bool = True
    """False: it was one of these, as the single effects of so many were not kept."""


def why(place: Place, name: ObjectId, spec: VersionSpec) -> list[Reason]:
    """The versions and operations that made an object what it is in a version.

    Raises `NotFound` where the version does not hold it.
    """
    version = resolve(place.instance, spec)
    if not presence(place, version, name).there:
        hint = "`ldb log --object` shows its past"
        raise NotFound("data object", f"id:{name} in {version}", hint)
    reasons = []
    for event in object_log(place, version, name):
        reasons.append(_reason(place, event, name))
        if event.what == "added":
            break
    return reasons


def _reason(place: Place, event: Event, name: ObjectId) -> Reason:
    """The operations of a commit that changed the object, by the maps they left behind."""
    version, operations = event.version, event.version.commit.operations
    if version.ref == INDEX or not operations:
        return Reason(version, event.what, operations)
    before = _before(place, version, name)
    found: list[Operation] = []
    group: list[Operation] = []
    sure = True
    for at, operation in enumerate(operations):
        group.append(operation)
        result = dataset_root(version) if at == len(operations) - 1 else operation.result
        if result is None:
            continue
        after = in_map(place, place.instance.objects, result, name)
        if change(before, after):
            found += group
            sure = sure and len(group) == 1
        before, group = after, []
    return Reason(version, event.what, tuple(found) or operations, sure and bool(found))
