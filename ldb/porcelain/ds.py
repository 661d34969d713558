"""`ldb ds`: list, delete and rename datasets.

Nothing is ever lost here: deleting puts a tombstone after the newest version, and all
versions before it can still be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ldb.errors import BadInput, Conflict
from ldb.history import Commit, Operation, SourceUsed, Version, load_commits, now, publish, resolve
from ldb.instance import Instance
from ldb.porcelain.place import Place
from ldb.refs.name import INDEX, RefKind, RefName, VersionSpec, dataset_ref
from ldb.refs.store import Advanced, Ref

TOGETHER = 1000
"""Commits that are read at a time."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One version of a dataset, or the place in its history where it was deleted."""

    ref: Ref
    version: Version | None
    """None: a deletion."""


def list_datasets(instance: Instance, everything: bool = False) -> Iterator[Listed]:
    """The newest version of each dataset, by name; `everything`: all versions and deletions."""
    if everything:
        for name in instance.refs.names(RefKind.DATASET):
            yield from _listed(instance, instance.refs.history(name))
    else:
        heads = instance.refs.heads(RefKind.DATASET)
        yield from _listed(instance, (ref for ref in heads if ref.target is not None))


def _listed(instance: Instance, refs: Iterable[Ref]) -> Iterator[Listed]:
    """Versions with their commits, which are read some at a time."""
    waiting = iter(refs)
    while some := list(islice(waiting, TOGETHER)):
        targets = [ref.target for ref in some if ref.target is not None]
        commits = dict(zip(targets, load_commits(instance, targets)))
        for ref in some:
            if ref.target is None:
                yield Listed(ref, None)
            else:
                version = Version(ref.name, ref.number, ref.target, commits[ref.target])
                yield Listed(ref, version)


def delete_datasets(place: Place, specs: Sequence[VersionSpec]) -> list[Ref]:
    """Delete datasets; the last version that each had. Raises before any is touched.

    `Conflict` where somebody commits to one at the same moment: that one is left alone.
    """
    heads = [_newest(place.instance, spec) for spec in dict.fromkeys(specs)]
    for newest in heads:
        _delete(place, newest)
    return heads


def _newest(instance: Instance, spec: VersionSpec) -> Ref:
    version = resolve(instance, VersionSpec(_whole(spec)))
    return instance.refs.get(version.ref, version.number)


def _whole(spec: VersionSpec) -> RefName:
    if spec.ref == INDEX:
        raise BadInput("ds:root", "is the index and stays", "`ldb unindex` forgets data objects")
    if spec.number is not None or spec.back:
        raise BadInput(spec, "is one version", f"versions are for ever; name all of it: {spec.ref}")
    return spec.ref


def _delete(place: Place, newest: Ref, renamed: RefName | None = None) -> None:
    refs = place.instance.refs
    outcome = refs.advance(newest.name, newest, None, place.author, renamed)
    if not isinstance(outcome, Advanced):
        raise Conflict(
            str(newest.name),
            newest,
            outcome.head or "nothing",
            "somebody was faster: look at what they did, then delete it again",
        )


def rename_dataset(place: Place, old: VersionSpec, new: str) -> Version:
    """Give a dataset another name: its history stays reachable, the old name is deleted.

    Raises `Conflict` where the new name is in use. A crash in between leaves both names,
    and the same command run again goes on from there.
    """
    ref, target = _whole(old), dataset_ref(new)
    if target in (ref, INDEX):
        raise BadInput(f"ds:{new}", "is the index" if target == INDEX else "is its name already")
    source = resolve(place.instance, old)
    newest = place.instance.refs.get(ref, source.number)

    def make(current: Version | None) -> Commit | None:
        if current is None:
            return _renamed(place, source, target)
        if current.commit.maps == source.commit.maps and current.commit.parents == (source.oid,):
            return None  # an earlier run was stopped after this step
        raise Conflict(
            str(target), "no such dataset", current, f"delete it first: ldb ds del {target}"
        )

    version = publish(place.instance, target, make) or resolve(place.instance, VersionSpec(target))
    try:
        _delete(place, newest, target)
    except Conflict as error:
        error.hint = f"{version} holds {source}; {ref} has moved on meanwhile and is left"
        raise
    return version


def _renamed(place: Place, source: Version, target: RefName) -> Commit:
    used = SourceUsed(str(source), source.oid)
    operation = Operation(("ds", "rename", str(source.ref), str(target)), (used,), time=now())
    return replace(
        source.commit,
        name=target.name,
        parents=(source.oid,),
        operations=(operation,),
        author=place.author,
        message=f"Rename {source.ref} to {target}",
        time=now(),
    )
