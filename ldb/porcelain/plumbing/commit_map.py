"""`ldb commit-map`: a commit from map roots, stored but named by no ref."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ldb.errors import BadInput
from ldb.history import Commit, Operation, encode_commit, load_commit, operation_of
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.objects.codec import parse_json
from ldb.porcelain.plumbing.maps import map_root
from ldb.porcelain.plumbing.refs import map_names
from ldb.porcelain.plumbing.shapes import OPERATION, from_json
from ldb.refs.name import RefName


def commit_map(
    instance: Instance,
    ref: RefName,
    maps: Mapping[str, Oid],
    *,
    parents: Sequence[Oid] = (),
    operations: Sequence[Operation] = (),
    number: int | None = None,
    author: str,
    message: str = "",
    time: int,
) -> Oid:
    """Store a commit fit for `ref`; the same arguments give the same oid.

    `number` is by default the one after the newest version of `ref`. Raises `BadInput`
    where the maps are not those that `ref` needs, `NotFound` where a root or parent is not
    there.
    """
    wanted = map_names(ref)
    if set(maps) != wanted:
        raise BadInput("maps", f"{ref} needs {', '.join(sorted(wanted))}, and no other")
    for parent in parents:
        load_commit(instance, parent)
    if number is None:
        head = instance.refs.head(ref)
        number = head.number + 1 if head else 1
    commit = Commit(
        name=ref.name,
        number=number,
        maps={name: map_root(instance, name, root) for name, root in maps.items()},
        parents=tuple(parents),
        operations=tuple(operations),
        author=author,
        message=message,
        time=time,
    )
    return instance.objects.put(encode_commit(commit))


def operations_of(data: bytes, where: object) -> tuple[Operation, ...]:
    """Operations from JSON, as a commit shows them; raises `BadInput`."""
    values = from_json(parse_json(data, where), [OPERATION], where)
    try:
        return tuple(operation_of(value) for value in values)
    except (KeyError, TypeError, ValueError):  # `filters`, which have no shape of their own
        raise BadInput(where, "filters are pairs of a name and a value") from None
