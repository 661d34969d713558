"""Commits, and how refs move from one to the next.

A commit names the maps of one version of a dataset or of the index, its parents, and the
operations that led from the parent to it (provenance). `publish` is the only way a ref
advances: it re-reads, rebuilds and tries again until it wins. Format:
docs/formats/commit.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, TypedDict

from ldb.errors import BadInput, Conflict, Corrupt, NotFound
from ldb.garbage.guard import Needs, advance
from ldb.ids import Oid
from ldb.instance import MAX_TRIES, Backoff, Instance
from ldb.objects.codec import decode, encode, fitting
from ldb.objects.model import Blob, BlobType
from ldb.refs.name import INDEX, RefKind, RefName, VersionSpec
from ldb.refs.store import Advanced, Ref

DATASET_MAP = "dataset"
"""Name of a dataset's only map in its commits."""


@dataclass(frozen=True, slots=True)
class MapRoot:
    """Root node of a map and the number of its rows."""

    root: Oid
    count: int


@dataclass(frozen=True, slots=True)
class DiffCounts:
    """How two versions of a dataset differ, in numbers."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    transforms: int = 0
    """Of those changed the ones that have other transforms and the same annotation."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class SourceUsed:
    """A source as it was resolved when an operation ran."""

    spec: str
    """As the user gave it."""
    commit: Oid | None = None
    """The commit it stood for, where it stood for one."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One command that changed a draft or the index: enough to explain it and to run it again."""

    command: tuple[str, ...]
    sources: tuple[SourceUsed, ...] = ()
    filters: tuple[tuple[str, Any], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    time: int = 0
    """Milliseconds since 1970, UTC."""
    result: MapRoot | None = None
    """The dataset map right after this operation, where it was kept."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a dataset or of the index."""

    name: str
    number: int
    maps: Mapping[str, MapRoot]
    parents: tuple[Oid, ...] = ()
    operations: tuple[Operation, ...] = ()
    author: str = ""
    message: str = ""
    time: int = 0
    """Milliseconds since 1970, UTC, by the writer's clock."""


class RootRow(TypedDict):
    """A `MapRoot` as it is stored."""

    count: int
    root: bytes


class _SourceRow(TypedDict):
    commit: bytes | None
    spec: str


class OperationRow(TypedDict):
    """An `Operation` as it is stored."""

    command: list[str]
    counts: dict[str, int]
    filters: list[tuple[str, Any]]
    result: RootRow | None
    sources: list[_SourceRow]
    time: int


class _CommitRow(TypedDict):
    author: str
    maps: dict[str, RootRow]
    message: str
    name: str
    number: int
    operations: list[OperationRow]
    parents: list[bytes]
    time: int


_MAPS = (frozenset({DATASET_MAP}), frozenset({"objects", "paths"}))
"""Maps that a version of a dataset has, and those that one of the index has."""


@dataclass(frozen=True, slots=True)
class Version:
    """A commit and the ref file that names it."""

    ref: RefName
    number: int
    oid: Oid
    commit: Commit

    def __post_init__(self) -> None:
        if not _MAPS[self.ref == INDEX] <= self.commit.maps.keys():
            raise Corrupt(self.oid, f"a commit without the maps of {self.ref}")

    def __str__(self) -> str:
        return f"{self.ref}.v{self.number}"


def dataset_root(version: Version) -> MapRoot:
    """The map of a dataset version (a version of the index has two others)."""
    return version.commit.maps[DATASET_MAP]


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def encode_commit(commit: Commit) -> Blob:
    """The blob of a commit."""
    value = {
        "author": commit.author,
        "maps": {name: root_value(root) for name, root in commit.maps.items()},
        "message": commit.message,
        "name": commit.name,
        "number": commit.number,
        "operations": [operation_value(each) for each in commit.operations],
        "parents": [bytes(oid) for oid in commit.parents],
        "time": commit.time,
    }
    return Blob(BlobType.COMMIT, encode(value))


def decode_commit(payload: bytes, oid: Oid) -> Commit:
    """Parse a commit's payload; raises `Corrupt` naming `oid`."""
    try:
        value = fitting(decode(payload), _CommitRow)
        return Commit(
            name=value["name"],
            number=value["number"],
            maps={name: root_of(root) for name, root in value["maps"].items()},
            parents=tuple(Oid(raw) for raw in value["parents"]),
            operations=tuple(operation_of(each) for each in value["operations"]),
            author=value["author"],
            message=value["message"],
            time=value["time"],
        )
    except BadInput as error:
        raise Corrupt(oid, f"not the fields of a commit: {error.why}") from None


def operation_value(operation: Operation) -> dict[str, Any]:
    """An operation as a plain value, as commits and workspaces store it."""
    return {
        "command": list(operation.command),
        "counts": dict(operation.counts),
        "filters": [list(each) for each in operation.filters],
        "result": root_value(operation.result) if operation.result else None,
        "sources": [
            {"commit": bytes(each.commit) if each.commit else None, "spec": each.spec}
            for each in operation.sources
        ],
        "time": operation.time,
    }


def operation_of(value: OperationRow) -> Operation:
    """The inverse of `operation_value`; raises `BadInput` where an oid is none,
    and `ValueError` or `TypeError` where a filter is no pair."""
    return Operation(
        command=tuple(value["command"]),
        counts=dict(value["counts"]),
        filters=tuple((name, given) for name, given in value["filters"]),
        result=root_of(value["result"]) if value["result"] else None,
        sources=tuple(
            SourceUsed(each["spec"], Oid(each["commit"]) if each["commit"] else None)
            for each in value["sources"]
        ),
        time=value["time"],
    )


def root_value(root: MapRoot) -> dict[str, Any]:
    """A root as a plain value, as commits and workspaces store it."""
    return {"count": root.count, "root": bytes(root.root)}


def root_of(value: RootRow) -> MapRoot:
    """The inverse of `root_value`; raises `BadInput` where it is no root."""
    if value["count"] < 0:
        raise BadInput("count", "not a number of rows")
    return MapRoot(Oid(value["root"]), value["count"])


def load_commit(instance: Instance, oid: Oid) -> Commit:
    """Read a commit; raises `NotFound`, `Corrupt`, or `BadInput` for another type of blob."""
    return decode_commit(instance.objects.get(oid, BlobType.COMMIT).payload, oid)


def load_commits(instance: Instance, oids: Sequence[Oid]) -> list[Commit]:
    """The same for many, in few requests; in order."""
    instance.objects.prefetch(oids)
    return [load_commit(instance, oid) for oid in oids]


def head(instance: Instance, ref: RefName) -> Version | None:
    """The newest version of `ref`; None where there is none or it is deleted."""
    newest = instance.refs.head(ref)
    if newest is None or newest.target is None:
        return None
    return Version(ref, newest.number, newest.target, load_commit(instance, newest.target))


def resolve(instance: Instance, spec: VersionSpec) -> Version:
    """The version that `spec` names; raises `NotFound` with the names that exist."""
    ref = _ref_of(instance, spec)
    assert ref.target is not None
    version = Version(spec.ref, ref.number, ref.target, load_commit(instance, ref.target))
    for _ in range(spec.back):
        parent = next(parents(instance, version), None)
        if parent is None:
            raise NotFound("version", f"{spec} (history ends at {version})")
        version = parent
    return version


def parents(instance: Instance, version: Version) -> Iterator[Version]:
    """What a version came from: the version before it first."""
    for oid in version.commit.parents:
        commit = load_commit(instance, oid)
        yield Version(RefName(version.ref.kind, commit.name), commit.number, oid, commit)


def _ref_of(instance: Instance, spec: VersionSpec) -> Any:
    try:
        if spec.number is None:
            return instance.refs.live(spec.ref)
        return instance.refs.get(spec.ref, spec.number)
    except NotFound as error:
        error.hint = error.hint or _what_exists(instance, spec)
        raise


def _what_exists(instance: Instance, spec: VersionSpec) -> str:
    newest = instance.refs.head(spec.ref)
    if newest is not None and newest.target is not None:
        return f"the newest version is {newest}"
    if newest is not None:
        name = instance.refs.called_now(newest)
        gone = f"it was renamed to {name}" if name else "it was deleted"
        return f"{gone}; its versions up to .v{newest.number - 1} can still be named"
    if spec.ref == INDEX:
        return "nothing has been indexed yet: ldb index PATH"
    meant = nearest_dataset(instance, spec.ref.name)
    return (f"did you mean ds:{meant}? " if meant else "") + "`ldb ds list` shows what there is"


def nearest_dataset(instance: Instance, name: str) -> str:
    """The name of the dataset that is called nearly so; empty where there is none."""
    names = [each.name for each in instance.refs.names(RefKind.DATASET)]
    for close in get_close_matches(name, names):
        found = instance.refs.head(RefName(RefKind.DATASET, close))
        if found is not None and found.target is not None:
            return close
    return ""


def ancestors(instance: Instance, version: Version) -> Iterator[Version]:
    """`version` and everything it came from, newest first, each once."""
    waiting, seen = [version], {version.oid}
    while waiting:
        waiting.sort(key=lambda each: (each.commit.time, each.number))
        newest = waiting.pop()
        yield newest
        for parent in parents(instance, newest):
            if parent.oid not in seen:
                seen.add(parent.oid)
                waiting.append(parent)


def publish(
    instance: Instance,
    ref: RefName,
    make: Callable[[Version | None], Commit | None],
    known: Version | None = None,
) -> Version | None:
    """Advance `ref` to the commit that `make` builds on its head; None: nothing to publish.

    `make` is given the current head (None for a new or deleted ref), must write every blob
    its commit needs before it returns, and is called again on the newer head whenever
    somebody else was first. It raises `Conflict` to give up. `known` is what the caller has just
    found to be the head: it saves asking again.
    """
    backoff = Backoff()
    for tries in range(MAX_TRIES):
        newest = _newest(instance, ref, None if tries else known)
        current = None
        if newest is not None and newest.target is not None:
            commit = load_commit(instance, newest.target)
            current = Version(ref, newest.number, newest.target, commit)
        made = make(current)
        if made is None:
            return None
        if ref == INDEX:
            _write_places(instance)
        made = replace(made, name=ref.name, number=newest.number + 1 if newest else 1)
        oid = instance.objects.put(encode_commit(made))
        outcome = advance(
            instance.objects,
            instance.refs,
            ref,
            newest,
            _needs(instance, oid, made, current),
            made.author,
        )
        if isinstance(outcome, Advanced):
            return Version(ref, outcome.ref.number, oid, made)
        backoff.pause()
    raise Conflict(str(ref), "to be first", "others, again and again")


def _needs(instance: Instance, oid: Oid, commit: Commit, before: Version | None) -> Needs:
    """What a commit needs beyond its parents, which are versions."""

    def known() -> Iterator[Oid]:
        for parent in commit.parents:
            yield from roots_of(load_commit(instance, parent))

    def restored(number: int) -> Oid | None:
        return _again(instance, before, number) if before else None

    return Needs((oid,), tuple(roots_of(commit)), known, restored)


def roots_of(commit: Commit) -> Iterator[Oid]:
    """The maps of a commit, and those that its operations kept."""
    yield from (root.root for root in commit.maps.values())
    yield from (each.result.root for each in commit.operations if each.result)


def _again(instance: Instance, before: Version, number: int) -> Oid:
    """A commit of what there was before, as another version."""
    again = replace(
        before.commit,
        number=number,
        parents=(before.oid,),
        operations=(),
        message=f"As {before}: the version after it was withdrawn",
        time=now(),
    )
    return instance.objects.put(encode_commit(again))


def _newest(instance: Instance, ref: RefName, known: Version | None) -> Ref | None:
    if known is not None:
        with suppress(NotFound):  # withdrawn since then
            return instance.refs.get(ref, known.number)
    return instance.refs.head(ref)


def _write_places(instance: Instance) -> None:
    """Place files go beside the packs of a new index, which everybody is going to query.

    Those of a dataset are made by its first query, if there is one.
    """
    written = list(instance.objects.written)
    if written:
        from ldb.places.write import write_places  # numpy: not for `ldb config`

        instance.objects.written.clear()
        instance.objects.refresh()  # other processes wrote what the rows name
        for pack in written:
            write_places(instance.objects, pack)
