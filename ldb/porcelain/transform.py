"""`ldb transform`: which programs run on the data objects of the draft when they are written.

Names stand for what the user's settings say at that moment; the draft holds programs and
arguments, not names alone. Who gives a transform has trusted it: docs/design/020-trust.md.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.errors import BadInput, NotFound
from ldb.foreign.own import Own
from ldb.foreign.programs import is_path
from ldb.foreign.trust import argv_of, grant_transforms
from ldb.ids import NO_OID
from ldb.maps import Changes, Rows
from ldb.objects.model import BlobType
from ldb.objects.store import ObjectStore
from ldb.porcelain.draft import apply, by_id, chunked, operation_for
from ldb.porcelain.place import Place
from ldb.porcelain.sources import draft_rows, drafted_rows, select, stores_named
from ldb.progress import SILENT, Progress
from ldb.query.selection import FilterSpec
from ldb.transforms import (
    DEFAULT,
    SELF,
    Argv,
    TransformSet,
    changed,
    check_argv,
    check_name,
    decode_set,
    encode_set,
)
from ldb.workspace import Workspace

Sets = Mapping[bytes, TransformSet]
"""Oid → set; 32 zeros → the default."""


@dataclass(frozen=True, slots=True)
class TransformEdit:
    """What to change."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    """In place of all there are."""


@dataclass(frozen=True, slots=True)
class Transformed:
    """What a command did to the draft."""

    workspace: Workspace
    selected: int
    """Data objects that sources and filters gave and that the draft holds."""
    updated: int
    absent: int
    """Those that it does not hold."""
    warnings: tuple[str, ...] = ()


def transform(
    place: Place,
    sources: Sequence[str],
    filters: Sequence[FilterSpec],
    edit: TransformEdit,
    *,
    seed: int | None = None,
    command: Sequence[str] = ("transform",),
    progress: Progress = SILENT,
) -> Transformed:
    """Change the transforms of data objects of the draft; no source: of all of it."""
    given = named(place.own, (*edit.add, *(edit.only or ())))
    for name in edit.remove:
        check_name(name)
    with place.changing() as place:
        workspace = place.need_workspace()
        chosen = select(place, sources, filters, default="staged", seed=seed, progress=progress)
        rows = by_id(chosen.rows)
        there, drafted = drafted_rows(workspace, rows.ids, progress)
        drafted = drafted.take(there)
        transforms = _edited(workspace.store, drafted.transforms, _change(edit, given))
        other = (transforms != drafted.transforms).any(axis=1)
        changes = Changes.upserts(
            Rows(drafted.ids[other], (drafted.annotations[other], transforms[other]))
        )
        argvs = [argv for argv in given.values() if argv is not None]
        grant_transforms(place.own.trust.path, argvs)
        operation = operation_for(command, chosen, filters, seed)
        updated = int(other.sum())
        done = apply(workspace, chunked(changes), operation, {"updated": updated}, progress)
        absent = int((~there).sum())
        return Transformed(done, len(drafted), updated, absent, chosen.warnings)


def named(own: Own, names: Sequence[str]) -> dict[str, Argv | None]:
    """What the user's settings run under some names; raises `NotFound`."""
    tables = own.settings.tables("transform")
    found: dict[str, Argv | None] = {}
    for name in names:
        if check_name(name) == SELF:
            found[name] = None
            continue
        text = tables.get(name, {}).get("run")
        if text is None:
            known = ", ".join(sorted({SELF, *tables}))
            hint = f"""ldb config set transform.{name}.run '["PROGRAM", "ARGUMENT"]'"""
            raise NotFound("transform", f"{name} (there is {known})", hint)
        argv = argv_of(text)
        if argv is None:
            raise BadInput(f"transform.{name}.run", "is not a JSON array of words")
        found[name] = check_argv(_absolute(argv, own.home), f"transform.{name}.run")
    return found


def _absolute(argv: Sequence[str], home: str) -> list[str]:
    """A path of a program in the settings starts at the home folder, wherever it is run from."""
    program, *rest = argv
    return [os.path.normpath(os.path.join(home, program)) if is_path(program) else program, *rest]


def _change(
    edit: TransformEdit, given: Mapping[str, Argv | None]
) -> Callable[[TransformSet], TransformSet]:
    def change(old: TransformSet) -> TransformSet:
        if edit.only is not None:
            return {name: given[name] for name in edit.only}
        return changed(old, {name: given[name] for name in edit.add}, edit.remove)

    return change


def _edited(
    store: ObjectStore,
    column: NDArray[np.uint8],
    change: Callable[[TransformSet], TransformSet],
) -> NDArray[np.uint8]:
    """A column of sets, changed; new sets are written to the draft's own store."""
    if not len(column):
        return column
    distinct, places = np.unique(column, axis=0, return_inverse=True)
    sets = sets_of([store], distinct)
    made = np.zeros_like(distinct)
    with store.writer() as writer:
        for at, row in enumerate(distinct):
            new = change(sets[row.tobytes()])
            if not new:
                raise BadInput("transforms", "a data object would have none", f"keep {SELF!r}")
            blob = encode_set(new)
            if blob is not None:
                oid = writer.add(blob.type, blob.payload)
                made[at] = np.frombuffer(oid, np.uint8)
    return made[places.reshape(-1)]


def sets_of(stores: Sequence[ObjectStore], column: NDArray[np.uint8]) -> Sets:
    """The sets that a column of oids names, from whichever store has them."""
    found: dict[bytes, TransformSet] = {NO_OID: DEFAULT}
    wanted = np.unique(column, axis=0)
    wanted = wanted[wanted.any(axis=1)]
    for store in stores[:-1]:
        here = store.contains(wanted)
        found.update(_read(store, wanted[here]))
        wanted = wanted[~here]
    found.update(_read(stores[-1], wanted))
    return found


def _read(store: ObjectStore, oids: NDArray[np.uint8]) -> Iterable[tuple[bytes, TransformSet]]:
    for positions, payloads in store.scan(oids, BlobType.TRANSFORM):
        for position, payload in zip(positions.tolist(), payloads):
            yield oids[position].tobytes(), decode_set(payload)


def stores_of(place: Place, sources: Sequence[str]) -> list[ObjectStore]:
    """Where transform sets of some sources lie: their workspaces, the draft, the instance."""
    mine = place.workspace.store if place.workspace else place.instance.objects
    return [*stores_named(place, sources), mine]


@dataclass(frozen=True, slots=True)
class Use:
    """A transform of the draft."""

    name: str
    argv: Argv | None
    objects: int


def used(place: Place) -> list[Use]:
    """The transforms of the draft, and how many data objects have each; by name."""
    workspace = place.need_workspace()
    column = draft_rows(place, workspace).transforms
    if not len(column):
        return []
    distinct, counts = np.unique(column, axis=0, return_counts=True)
    sets = sets_of([workspace.store], distinct)
    total: Counter[tuple[str, Argv | None]] = Counter()
    for row, count in zip(distinct, counts.tolist()):
        for each in sets[row.tobytes()].items():
            total[each] += count
    return [Use(name, argv, count) for (name, argv), count in sorted(total.items(), key=_by_name)]


def _by_name(item: tuple[tuple[str, Argv | None], int]) -> tuple[str, Argv]:
    (name, argv), _ = item
    return name, argv or ()
