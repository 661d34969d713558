"""`ldb trust`: show the code of an instance and of its transforms, and trust it.

What is shown is what is trusted: the bytes are read once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ldb.foreign.files import FOLDER, kind_of
from ldb.foreign.trust import (
    Judged,
    grant,
    grant_transforms,
    is_trusted,
    judge,
    key_of,
    revoke,
    revoke_transforms,
)
from ldb.history import dataset_root, resolve
from ldb.objects.model import BlobType
from ldb.porcelain.place import Place
from ldb.porcelain.sources import draft_rows, map_rows
from ldb.query.selected import Selected
from ldb.refs.name import INDEX, RefKind, VersionSpec, parse_version
from ldb.transforms import Argv, decode_set


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of code."""

    kind: str
    """`functions`, `filter`, `file` or `transform`."""
    name: str
    """A path in the instance, or the names of a transform."""
    hash: str
    state: str
    """`trusted`, `new` or `changed`."""
    text: str
    """All of it."""


@dataclass(frozen=True, slots=True)
class Looked:
    """All code that was found, and what to trust if the user says so."""

    items: tuple[Item, ...]
    judged: Judged
    argvs: tuple[Argv, ...]

    @property
    def trusted(self) -> bool:
        """Whether all of it is trusted by now."""
        return self.judged.trusted and all(each.state == "trusted" for each in self.items)


def look(place: Place, sources: Sequence[str] = ()) -> Looked:
    """The code of the instance, and the transforms of the datasets named.

    None named: of the newest version of each dataset, and of the draft.
    """
    judged = judge(place.instance, place.own.trust)
    hashes = judged.code.hashes()
    items = [
        Item(kind_of(path), FOLDER + path, hashes[path], judged.state(path), _text(data))
        for path, data in sorted(judged.code.files.items())
    ]
    found = transforms_of(place, sources)
    for argv, names in found.items():
        state = "trusted" if is_trusted(place.own.trust, place.own.settings, argv) else "new"
        oid = key_of(argv).rpartition("-")[2]
        items.append(Item("transform", ",".join(sorted(names)), oid, state, repr(list(argv))))
    return Looked(tuple(items), judged, tuple(found))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def transforms_of(place: Place, sources: Sequence[str]) -> dict[Argv, set[str]]:
    """What the transforms of some datasets run, and their names."""
    found: dict[Argv, set[str]] = {}
    for rows in _datasets(place, sources):
        for argv, name in argvs_of(place, rows):
            found.setdefault(argv, set()).add(name)
    return found


def argvs_of(place: Place, rows: Selected) -> Iterator[tuple[Argv, str]]:
    """Program and name of each transform that some rows have."""
    used = rows.transforms[rows.transforms.any(axis=1)]
    store = (place.workspace.store if place.workspace else None) or place.instance.objects
    for _, payloads in store.scan(np.unique(used, axis=0), BlobType.TRANSFORM):
        for payload in payloads:
            for name, argv in decode_set(payload).items():
                if argv is not None:
                    yield argv, name


def _datasets(place: Place, sources: Sequence[str]) -> Iterator[Selected]:
    instance = place.instance
    if not sources:
        for name in instance.refs.names(RefKind.DATASET):
            head = instance.refs.head(name)
            if head is not None and head.target is not None:
                version = resolve(instance, VersionSpec(name))
                yield map_rows(place, instance.objects, dataset_root(version))
        if place.workspace is not None:
            yield draft_rows(place, place.workspace)
    for text in sources:
        version = resolve(instance, parse_version(text))
        if version.ref != INDEX:
            yield map_rows(place, instance.objects, dataset_root(version))


def trust(place: Place, looked: Looked) -> None:
    """Trust what was looked at."""
    path = place.own.trust.path
    if looked.judged.code.files and not looked.judged.trusted:
        grant(path, place.instance, looked.judged.code)
    grant_transforms(path, looked.argvs)


def forget(place: Place, looked: Looked) -> bool:
    """Trust none of it any more, also where it was by itself; False where none was."""
    path = place.own.trust.path
    code = revoke(path, place.instance)
    return revoke_transforms(path, looked.argvs) or code
