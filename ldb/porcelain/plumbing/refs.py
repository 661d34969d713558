"""Refs: moving them, deleting them, listing them.

A ref only ever moves to a commit that can be read whole: right maps, all their nodes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ldb.errors import BadInput, Conflict, NotFound
from ldb.garbage.guard import Needs, advance
from ldb.history import DATASET_MAP, Commit, load_commit, roots_of
from ldb.ids import Oid
from ldb.instance import MAX_TRIES, Backoff, Instance
from ldb.refs.name import INDEX, RefKind, RefName
from ldb.refs.store import Advanced, Lost, Ref

INDEX_MAPS = frozenset({"objects", "paths"})
NOTHING = "no such ref"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a ref must point at for an update to go ahead; None: it must not exist."""

    target: Oid | None


def update_ref(
    instance: Instance, ref: RefName, new: Oid, author: str, old: Expected | None = None
) -> Ref:
    """Make `new` the next version of `ref`; its newest version where that is `new` already.

    Raises `Conflict` where `old` is given and is not what the ref points at.
    """
    commit = check_commit(instance, ref, new)
    return _advance(instance, ref, commit, new, author, old)


def delete_ref(instance: Instance, ref: RefName, author: str, old: Expected | None = None) -> Ref:
    """Write a tombstone; `NotFound` where there is no ref. Old versions can still be named."""
    instance.refs.live(ref)
    return _advance(instance, ref, None, None, author, old)


def _advance(
    instance: Instance,
    ref: RefName,
    commit: Commit | None,
    target: Oid | None,
    author: str,
    old: Expected | None,
) -> Ref:
    backoff = Backoff()
    for _ in range(MAX_TRIES):
        head = instance.refs.head(ref)
        current = head.target if head else None
        if old is not None and current != old.target:
            hint = f"look at it again: ldb rev-parse {ref}"
            raise Conflict(str(ref), old.target or NOTHING, current or NOTHING, hint)
        if head is not None and current == target:
            return head
        outcome = _attempt(instance, ref, head, commit, target, author)
        if isinstance(outcome, Advanced):
            return outcome.ref
        backoff.pause()
    raise Conflict(str(ref), "to be first", "others, again and again")


def _attempt(
    instance: Instance,
    ref: RefName,
    head: Ref | None,
    commit: Commit | None,
    target: Oid | None,
    author: str,
) -> Advanced | Lost:
    if commit is None or target is None:
        return instance.refs.advance(ref, head, None, author)

    def before(number: int) -> Oid | None:
        return head.target if head else None

    # Not trusting: other commands may have made the commit, at any time before.
    return advance(
        instance.objects,
        instance.refs,
        ref,
        head,
        Needs((target, *commit.parents), tuple(roots_of(commit)), restored=before),
        author,
        trusting=False,
    )


def check_commit(instance: Instance, ref: RefName, oid: Oid) -> Commit:
    """The commit, if `ref` may point at it; raises `NotFound` or `BadInput`."""
    from ldb.porcelain.plumbing.maps import check_whole  # numpy: only where maps are read

    commit = load_commit(instance, oid)
    wanted = map_names(ref)
    if set(commit.maps) != wanted:
        have, need = (", ".join(sorted(names)) for names in (commit.maps, wanted))
        raise BadInput(oid, f"a commit with the maps {have}; {ref} needs {need}")
    for name, root in commit.maps.items():
        check_whole(instance, name, root)
    return commit


def map_names(ref: RefName) -> frozenset[str]:
    """The maps that commits of a ref have."""
    return INDEX_MAPS if ref == INDEX else frozenset({DATASET_MAP})


def show_ref(
    instance: Instance, refs: Iterable[RefName] = (), versions: bool = False
) -> Iterator[Ref]:
    """The newest version of each ref (default: of all that live), or every version there was.

    Versions are newest first and include tombstones. A named ref of which there is nothing to
    show raises `NotFound`.
    """
    named = list(refs)
    for ref in named or all_refs(instance):
        head = instance.refs.head(ref)
        if head is not None and versions:
            yield from instance.refs.history(ref)
        elif head is not None and head.target is not None:
            yield head
        elif named:
            raise NotFound("ref", ref)


def all_refs(instance: Instance) -> list[RefName]:
    """The index, then every dataset, deleted ones included."""
    return [*instance.refs.names(RefKind.INDEX), *instance.refs.names(RefKind.DATASET)]
