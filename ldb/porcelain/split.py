"""`ldb split`: a dataset cut into parts, each a dataset of its own: ds:X-train, ds:X-val …

What goes where: splitting.py. Here: values of the groups and classes, the sides that groups
had in the split before, and the versions of the parts, one published after the other. A run
that was stopped in between is finished by the same command. Rules: docs/design/026-splits.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ldb.dataset import dataset_schema
from ldb.errors import BadInput, Conflict
from ldb.history import (
    DATASET_MAP,
    Commit,
    MapRoot,
    Operation,
    SourceUsed,
    Version,
    dataset_root,
    head,
    load_commit,
    now,
    publish,
    resolve,
)
from ldb.ids import Oid
from ldb.instance import Instance
from ldb.maps import Rows, build, lookup
from ldb.objects.codec import decode
from ldb.objects.model import BlobType, oid_of
from ldb.porcelain.place import Place
from ldb.porcelain.rowvalues import row_values
from ldb.porcelain.sources import version_rows
from ldb.porcelain.splitting import (
    UNKNOWN,
    Codes,
    Groups,
    balanced,
    by_point,
    grouped,
    head_of_value,
    mixed,
    strata_of,
)
from ldb.progress import SILENT, Progress, advancing
from ldb.query.selected import Selected
from ldb.refs.name import RefKind, RefName, VersionSpec, dataset_ref

COMMAND = "split"
CHUNK = 65536
NO_CLASS = "(none)"


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """What is asked for, besides the dataset."""

    shares: Mapping[str, Fraction]
    """Part → its share, in the order given; together at most 1."""
    by: str = ""
    """Expression: objects of which it says the same stay together."""
    stratify: str = ""
    """Expression: every value of it is divided by the shares."""
    seed: int = 0

    def filters(self) -> tuple[tuple[str, Any], ...]:
        """As provenance records it."""
        found: list[tuple[str, Any]] = [
            ("share", f"{name}={share}") for name, share in self.shares.items()
        ]
        found += [(name, text) for name in ("by", "stratify") if (text := getattr(self, name))]
        return (*found, ("seed", self.seed))


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a split."""

    ref: RefName
    share: Fraction
    objects: int
    version: Version | None
    """Its newest version; None after a dry run that would make one."""
    new: bool
    """Whether this run made, or would make, that version."""


@dataclass(frozen=True, slots=True)
class SplitDone:
    """What a split did."""

    source: Version
    parts: tuple[Part, ...]
    rest: int
    """Objects in no part, where the shares are less than 1."""
    groups: int
    classes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Class, as JSON → objects in each part, and in the rest; with `stratify` only."""
    warnings: tuple[str, ...] = ()


def parse_shares(texts: Sequence[str]) -> dict[str, Fraction]:
    """`train=.8 val=1/10 …`; raises `BadInput`."""
    shares: dict[str, Fraction] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            share = Fraction(number)
        except (ValueError, ZeroDivisionError):
            raise BadInput(repr(text), "not NAME=SHARE", "like train=.8 or train=4/5") from None
        if not 0 < share <= 1:
            raise BadInput(repr(text), "a share is more than 0 and at most 1")
        if name in shares:
            raise BadInput(repr(text), "a second part of this name")
        if share.denominator > 10**9:
            raise BadInput(repr(text), "finer than a billionth")
        shares[name] = share
    if not shares:
        raise BadInput("split", "no parts given", "like train=.8 val=.1 test=.1")
    if sum(shares.values()) > 1:
        raise BadInput("split", f"the shares are {float(sum(shares.values())):g} together, over 1")
    return shares


def split(
    place: Place,
    dataset: VersionSpec,
    spec: SplitSpec,
    *,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> SplitDone:
    """Cut a dataset into parts. Raises `Conflict` where a part's name is that of something else."""
    source = resolve(place.instance, dataset)
    refs = {name: dataset_ref(f"{source.ref.name}-{name}") for name in spec.shares}
    before = {name: head(place.instance, ref) for name, ref in refs.items()}
    for version in before.values():
        if version is not None and _source_of(version) != str(source.ref):
            raise Conflict(
                str(version.ref), f"a part of {source.ref}", version,
                "it was not made by `ldb split`: rename or delete it",
            )  # fmt: skip
    rows = version_rows(place, source)
    cut = _cut(place, rows, source, spec, before, progress)
    parts = []
    progress.start("writing parts", int((cut.sides < len(refs)).sum()))
    for at, (name, ref) in enumerate(refs.items()):
        mine = rows.take(cut.sides == at)
        root = _built(place.instance, mine, dry_run, progress)
        version = before[name]
        new = version is None or dataset_root(version).root != root.root
        if dry_run:
            version = None if new else version
        elif new:
            version = _published(place, ref, version, root, _Made(source, spec, name))
        parts.append(Part(ref, spec.shares[name], len(mine), version, new))
    rest = int((cut.sides == len(refs)).sum())
    stale = _left_over(place.instance, source.ref, refs)
    warnings = (*cut.warnings, *stale)
    return SplitDone(source, tuple(parts), rest, cut.groups, cut.classes, warnings)


@dataclass(slots=True)
class _Cut:
    sides: Codes
    """Of each row."""
    groups: int
    classes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def _cut(
    place: Place,
    rows: Selected,
    source: Version,
    spec: SplitSpec,
    before: Mapping[str, Version | None],
    progress: Progress,
) -> _Cut:
    shares, warnings = list(spec.shares.values()), []
    values = None
    if spec.by:
        found = row_values(place.catalog, rows, spec.by, "--by", progress=progress)
        values, warnings = found.values, found.warnings
    groups = grouped(rows.ids, values, spec.seed)
    if not spec.stratify:
        sides = by_point(groups.points, shares)[groups.of_row]
        return _Cut(sides, len(groups.points), {}, warnings)
    kinds = row_values(place.catalog, rows, spec.stratify, "--stratify", progress=progress)
    names = sorted({value for value in kinds.values if value is not None})
    codes = {value: at + 1 for at, value in enumerate(names)}
    classes = np.array([codes[v] if v is not None else 0 for v in kinds.values], np.int64)
    known = _known(place.instance, rows, groups, source, spec, before)
    heads = np.array([head_of_value(name) for name in (b"", *names)], np.uint64)
    strata, phases = strata_of(groups, classes), mixed(heads, spec.seed)
    of_group = balanced(groups, strata, phases, shares, known)
    sides = of_group[groups.of_row]
    table = _table(sides, classes, [None, *names], len(shares) + 1)
    return _Cut(sides, len(groups.points), table, warnings + kinds.warnings)


def _table(
    sides: Codes, classes: Codes, names: Sequence[bytes | None], columns: int
) -> dict[str, tuple[int, ...]]:
    """Objects of each class in each part, those without one first."""
    counts = np.bincount(classes * columns + sides, minlength=len(names) * columns)
    table = {}
    for name, row in zip(names, counts.reshape(-1, columns).tolist(), strict=True):
        if any(row):
            label = NO_CLASS if name is None else json.dumps(decode(name), ensure_ascii=False)
            table[label] = tuple(row)
    return dict(sorted(table.items(), key=lambda item: (item[0] != NO_CLASS, item[0])))


def _known(
    instance: Instance,
    rows: Selected,
    groups: Groups,
    source: Version,
    spec: SplitSpec,
    before: Mapping[str, Version | None],
) -> Codes:
    """The sides that groups had in the last split of the same kind; else `UNKNOWN`."""
    sides = np.full(len(groups.points), UNKNOWN, np.int64)
    same = {name: each for name, each in before.items() if each and _is_alike(each, spec, name)}
    if not same:
        return sides
    schema, parts = dataset_schema(instance), len(spec.shares)
    of_row = np.full(len(rows), UNKNOWN, np.int64)
    newest = max(same.values(), key=lambda version: version.commit.time)
    for at, name in enumerate(spec.shares):
        if name in same:
            there, _ = lookup(instance.objects, schema, dataset_root(same[name]).root, rows.ids)
            of_row[there & (of_row == UNKNOWN)] = at
    if sum(spec.shares.values()) < 1:
        was = _was_in(instance, newest, rows.ids)
        of_row[was & (of_row == UNKNOWN)] = parts
    placed = of_row != UNKNOWN
    if placed.any():
        # Where values changed, so that members were on several sides: that of most of them.
        strata = strata_of(Groups(groups.of_row[placed], groups.points), of_row[placed])
        sides[np.unique(groups.of_row[placed])] = strata
    return sides


def _was_in(instance: Instance, part: Version, ids: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Which objects the dataset had when this part was cut out of it."""
    commit = load_commit(instance, _split_of(part).sources[0].commit or part.oid)
    root = commit.maps.get(DATASET_MAP)
    if root is None:
        return np.zeros(len(ids), np.bool_)
    return lookup(instance.objects, dataset_schema(instance), root.root, ids)[0]


def _split_of(version: Version) -> Operation:
    """The operation by which a version is part of a split; an empty one where it is none."""
    last = version.commit.operations[-1:]
    return last[0] if last and last[0].command[:1] == (COMMAND,) else Operation(())


def _source_of(version: Version) -> str:
    """The dataset that a version is part of, as `ds:NAME`; empty where it is part of none."""
    words = _split_of(version).command
    return words[1] if len(words) > 1 else ""


def _is_alike(version: Version, spec: SplitSpec, name: str) -> bool:
    given = _split_of(version).filters
    return given == (("part", name), *spec.filters())


@dataclass(frozen=True, slots=True)
class _Made:
    """How a part came about."""

    source: Version
    spec: SplitSpec
    name: str

    def operation(self) -> Operation:
        spec, source = self.spec, self.source
        words = [COMMAND, f"{source.ref}"]
        words += [f"{name}={share}" for name, share in spec.shares.items()]
        words += ["--by", spec.by] if spec.by else []
        words += ["--stratify", spec.stratify] if spec.stratify else []
        words += ["--seed", str(spec.seed)]
        used = (SourceUsed(str(source), source.oid),)
        return Operation(tuple(words), used, (("part", self.name), *spec.filters()), {}, now())


class _Nowhere:
    """A sink that only names what it is given."""

    def add(self, kind: BlobType, payload: bytes, oid: Oid | None = None) -> Oid:
        return oid or oid_of(kind, payload)


def _built(instance: Instance, rows: Selected, dry_run: bool, progress: Progress) -> MapRoot:
    """The map of some rows; written to the instance unless this is a dry run."""
    step = range(0, len(rows), CHUNK)
    parts = (rows.take(np.arange(at, min(at + CHUNK, len(rows)))) for at in step)
    every = (Rows(each.ids, (each.annotations, each.transforms)) for each in parts)
    chunks = advancing(every, progress)
    schema = dataset_schema(instance)
    if dry_run:
        made = build(_Nowhere(), schema, chunks)
    else:
        with instance.objects.writer() as writer:
            made = build(writer, schema, chunks)
    return MapRoot(made.oid, made.count)


def _published(
    place: Place, ref: RefName, before: Version | None, root: MapRoot, made: _Made
) -> Version:
    def make(current: Version | None) -> Commit | None:
        if current is not None and dataset_root(current).root == root.root:
            return None
        if current is not None and (before is None or current.oid != before.oid):
            raise Conflict(
                str(ref), before or "no such dataset", current,
                "somebody else was at it: run the command again, that all parts fit together",
            )  # fmt: skip
        parents = [current.oid] if current else []
        if made.source.ref.kind is RefKind.DATASET:
            parents.append(made.source.oid)
        return Commit(
            name=ref.name,
            number=0,
            maps={DATASET_MAP: root},
            parents=tuple(parents),
            operations=(made.operation(),),
            author=place.author,
            message=f"{made.name} of {made.source}",
            time=now(),
        )

    return publish(place.instance, ref, make, before) or resolve(place.instance, VersionSpec(ref))


def _left_over(instance: Instance, source: RefName, refs: Mapping[str, RefName]) -> list[str]:
    """Parts of earlier splits that this one has not, whose objects may now be in others."""
    found = []
    for ref in instance.refs.names(RefKind.DATASET):
        if ref.name.startswith(f"{source.name}-") and ref not in refs.values():
            version = head(instance, ref)
            if version is not None and _source_of(version) == str(source):
                found.append(f"{version} is left of an earlier split with other parts")
    return found
