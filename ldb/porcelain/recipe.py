"""A dataset's recipe: the operations of all its versions, run again on today's index.

What can be repeated is: `add`, `del`, `get` and `dedup` of sources that are still there. A
version with anything else keeps what it did when it was made: the difference that it made
is merged into the result, so nothing of it is lost. Rules: docs/commands/refresh.md.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ldb.dataset import dataset_schema, empty_root
from ldb.errors import BadInput, NotFound
from ldb.history import MapRoot, Operation, Version, dataset_root, load_commit, parents
from ldb.maps import Changes, Rows, edit, lookup, merge
from ldb.objects.store import ObjectStore
from ldb.porcelain.dedup import DedupSpec, surplus
from ldb.porcelain.draft import by_id, chunked
from ldb.porcelain.place import Place
from ldb.porcelain.sources import map_rows, plugins_of, select
from ldb.progress import SILENT, Progress
from ldb.query.selected import Selected
from ldb.query.selection import FilterSpec, Warnings, apply_filters
from ldb.refs.name import dataset_ref

_RANDOM = ("sample", "sample-rate", "shuffle")
_PLAIN = ("query", "jquery", "vquery", "file", "label-version", "path", "tag", "no-tag", "limit")
FILTERS = frozenset((*_PLAIN, *_RANDOM))
"""Filters that say what they mean by themselves. Others run programs, which nobody's dataset
may make this user run."""
_IDLE = (("refresh",), ("ds", "rename"))
"""Operations that leave the map as the ones before them made it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the recipe."""

    version: Version
    operation: Operation
    why_kept: str
    """Empty: it was run again. Else why not, so that its version keeps what it did."""
    fixed: int = 0
    """Data objects that were picked by hand, by id: these it names again, and no others."""
    before: int = 0
    after: int = 0
    """Data objects before and after it, or after its whole version where that is kept."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a recipe."""

    root: MapRoot
    """In the store that it was run in."""
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()


class _Kept(Exception):
    """This operation cannot be run again; in words, why."""


def replay(
    place: Place, store: ObjectStore, version: Version, progress: Progress = SILENT
) -> Replayed:
    """Run the recipe of `version` in `store`, which reads through to the instance."""
    return _Replay(place, store, progress).run(_versions(place, version))


def _versions(place: Place, newest: Version) -> list[Version]:
    """The versions whose operations led here, oldest first: first parents, and at a version
    that was restored, what led to that one. A part of a split is a beginning: what its dataset
    got since then may belong to other parts."""
    found = []
    version: Version | None = newest
    while version is not None:
        restored = _restored(place, version)
        if restored is not None:
            version = restored
            continue
        found.append(version)
        version = _parent(place, version)
    return found[::-1]


def _parent(place: Place, version: Version) -> Version | None:
    """The version that a version's operations began with."""
    return None if is_part(version) else next(parents(place.instance, version), None)


def is_part(version: Version) -> bool:
    operations = version.commit.operations
    return bool(operations) and operations[0].command[:1] == ("split",)


def _restored(place: Place, version: Version) -> Version | None:
    operations = version.commit.operations
    if not operations or operations[0].command[:1] != ("restore",):
        return None
    oid = operations[0].sources[0].commit if operations[0].sources else None
    if oid is None or oid == version.oid:
        return None
    commit = load_commit(place.instance, oid)
    return Version(dataset_ref(commit.name), commit.number, oid, commit)


class _Replay:
    def __init__(self, place: Place, store: ObjectStore, progress: Progress) -> None:
        self._place = place
        self._store = store
        self._progress = progress
        self._schema = dataset_schema(place.instance)
        self._root = empty_root(place.instance, store)
        self._warnings: dict[str, None] = {}

    def run(self, versions: Sequence[Version]) -> Replayed:
        steps: list[Step] = []
        for version in versions:
            steps += self._version(version)
        return Replayed(self._root, tuple(steps), tuple(self._warnings))

    def _version(self, version: Version) -> list[Step]:
        operations = version.commit.operations
        start, steps = self._root, []
        for operation in operations:
            if operation.command[:1] in _IDLE or operation.command[:2] in _IDLE:
                continue
            before = self._root.count
            try:
                fixed = self._again(operation)
            except _Kept as kept:
                self._root = start
                return self._kept(version, operation, str(kept))
            steps.append(Step(version, operation, "", fixed, before, self._root.count))
        if not operations:
            return self._kept(version, Operation(()), "how it was made is not recorded")
        return steps

    def _kept(self, version: Version, cause: Operation, why: str) -> list[Step]:
        """Do to the result what this version did to its parent; where both say something of
        an object, the version does."""
        parent = _parent(self._place, version)
        before = self._root.count
        base = dataset_root(parent) if parent else empty_root(self._place.instance, self._store)
        with self._store.writer() as writer:
            merged = merge(
                writer, writer, self._schema, base.root, self._root.root, dataset_root(version).root
            )
            found = merged.conflicts
            changes = Changes(found.theirs.rows, np.logical_not(found.theirs.there))
            made = edit(writer, writer, self._schema, merged.root.oid, [changes])
        self._root = MapRoot(made.oid, made.count)
        return [Step(version, cause, why, 0, before, self._root.count)]

    def _again(self, operation: Operation) -> int:
        """Run one operation; how many ids it names. Raises `_Kept`."""
        name = operation.command[0] if operation.command else ""
        if name not in ("add", "get", "del", "dedup"):
            raise _Kept(f"`{name}` cannot be repeated")
        filters, spec, seed = _filters(operation)
        sources, own = _sources(operation)
        try:
            rows = self._rows(sources if not own else [], filters, seed, name)
        except NotFound as error:
            raise _Kept(f"{error.kind} {error.name} is not there any more") from None
        if name in ("add", "get"):
            self._edit(self._added(rows))
        else:
            self._edit(Changes.deletes(self._schema, self._gone(rows, spec)))
        return sum(text.startswith("id:") for text in sources)

    def _rows(
        self, sources: Sequence[str], filters: Sequence[FilterSpec], seed: int | None, name: str
    ) -> Selected:
        catalog = self._place.catalog
        if sources or name in ("add", "get"):
            chosen = select(self._place, sources, filters, default="root", seed=seed,
                            progress=self._progress)  # fmt: skip
            self._warnings.update(dict.fromkeys(chosen.warnings))
            return by_id(chosen.rows)
        notes = Warnings()
        rows = map_rows(self._place, self._store, self._root)
        plugins = plugins_of(self._place, catalog, notes.messages, self._progress)
        rows = apply_filters(catalog, rows, filters, seed, notes, self._progress, None, plugins)
        self._warnings.update(dict.fromkeys(notes.messages))
        return by_id(rows)

    def _added(self, rows: Selected) -> Changes:
        """As `ldb add`: an object keeps its transforms unless the source brings its own."""
        _, (_, kept) = lookup(self._store, self._schema, self._root.root, rows.ids)
        own = rows.transforms.any(axis=1, keepdims=True)
        transforms = np.where(own, rows.transforms, kept)
        return Changes.upserts(Rows(rows.ids, (rows.annotations, transforms)))

    def _gone(self, rows: Selected, spec: DedupSpec | None) -> np.typing.NDArray[np.bytes_]:
        there, _ = lookup(self._store, self._schema, self._root.root, rows.ids)
        rows = rows.take(there)
        if spec is None:
            return rows.ids
        pairs, warnings = surplus(self._place.catalog, rows, spec, self._progress)
        self._warnings.update(dict.fromkeys(warnings))
        return rows.ids[pairs[:, 0]]

    def _edit(self, changes: Changes) -> None:
        with self._store.writer() as writer:
            made = edit(writer, writer, self._schema, self._root.root, chunked(changes))
        self._root = MapRoot(made.oid, made.count)


def _sources(operation: Operation) -> tuple[list[str], bool]:
    """Sources of an operation, and whether they were the draft itself, as nothing was typed."""
    specs = [each.spec for each in operation.sources]
    for spec in specs:
        if not spec.startswith("ws:"):
            continue
        typed = any(word.startswith("ws:") for word in operation.command[1:])
        if not typed and len(specs) == 1:
            return specs, True
        raise _Kept(f"{spec} was a draft, which has changed since")
    for spec in specs:
        if not spec.startswith(("id:", "ds:", "/", "ws:")) and "://" not in spec:
            raise _Kept(f"where {spec} lay is not recorded")
    return specs, False


def _filters(
    operation: Operation,
) -> tuple[tuple[FilterSpec, ...], DedupSpec | None, int | None]:
    """The recorded filters as they are given to `select`. Raises `_Kept`."""
    given = list(operation.filters)
    seed = next((value for name, value in given if name == "seed"), None)
    spec = None
    if operation.command[0] == "dedup":
        own = {name: value for name, value in given if name in ("by", "file-by", "keep")}
        spec = DedupSpec(own.get("by", ""), own.get("file-by", ""), own.get("keep", "first"))
        given = [each for each in given if each[0] not in own]
    known = {f"--{name}" for name in (*FILTERS, "seed", "by", "file-by", "keep")}
    odd = [word for word in operation.command if word.startswith("--") and word not in known]
    odd += [f"--{name}" for name, _ in given if name not in FILTERS and name != "seed"]
    if odd:
        raise _Kept(f"{odd[0]} is not repeated")
    if seed is None and any(name in _RANDOM for name, _ in given):
        raise _Kept("a random choice without --seed would be another one")
    filters = tuple(
        FilterSpec(name, tuple(value) if isinstance(value, list) else value)
        for name, value in given
        if name != "seed"
    )
    return filters, spec, seed


def refuse_part(version: Version) -> None:
    """Raise `BadInput` for a part of a split, which must be made anew with the others."""
    if is_part(version):
        words = " ".join(map(shlex.quote, version.commit.operations[0].command))
        raise BadInput(version, "is a part of a split", f"all parts are made anew by: ldb {words}")
