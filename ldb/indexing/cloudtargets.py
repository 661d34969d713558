"""What a run is to look at in object stores: prefixes, single objects, globs.

Targets that are scanned one after the other do not overlap, so what lies in one another is
one target.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ldb.formats.pairs import is_annotation, stem_of
from ldb.storage.globs import Part, fits

if TYPE_CHECKING:
    from ldb.formats.registry import Chosen

Glob = tuple[bytes, Sequence["Part | None"]]
"""A folder's URI with a trailing slash, and what fits of all that follows it."""


@dataclass(frozen=True, slots=True)
class CloudTarget:
    """A folder of an object store, and which of what lies below it is to be indexed."""

    folder: bytes
    """URI with a trailing slash."""
    folders: tuple[bytes, ...] = ()
    """Folders, this one or some below it, that are asked for with all they hold."""
    names: frozenset[bytes] = frozenset()
    """URIs of objects that are asked for by themselves."""
    globs: tuple[Glob, ...] = ()
    vouched: bool = False
    """Whether the MD5 of a listing is believed (`add-storage --trust-etag`)."""
    labels: Chosen | None = None
    """The label format to read it in; None: pairs."""

    @property
    def all(self) -> bool:
        """Whether everything below is asked for."""
        return self.folder in self.folders

    @property
    def only_names(self) -> bool:
        """Whether nothing but single objects is asked for."""
        return not self.folders and not self.globs

    def whole(self, folder: bytes) -> bool:
        """Whether all that is right in a folder is asked for."""
        if folder.startswith(self.folders):
            return True
        return any(
            folder.startswith(fixed)
            and fits(parts, _text(folder[len(fixed) :]).split("/")[:-1], below=True)
            for fixed, parts in self.globs
        )

    def chosen(self, folder: bytes, names: Sequence[bytes]) -> frozenset[bytes]:
        """Those of a folder's names that are asked for by themselves."""
        found = {name for name in names if folder + name in self.names} if self.names else set()
        for fixed, parts in self.globs:
            if folder.startswith(fixed):
                above = _text(folder[len(fixed) :]).split("/")[:-1]
                found.update(
                    name for name in names if fits(parts, [*above, _text(name)], below=False)
                )
        return frozenset(found)

    def stems(self) -> list[bytes]:
        """What the URIs of named objects and their partners begin with; sorted, each once."""
        found: list[bytes] = []
        for stem in sorted(map(stem_of_uri, self.names)):
            if not found or not stem.startswith(found[-1]):
                found.append(stem)
        return found


def named(uris: Iterable[str], vouched: bool = False) -> list[CloudTarget]:
    """Targets for single objects, one a folder."""
    folders: dict[bytes, set[bytes]] = {}
    for uri in uris:
        name = uri.encode()
        folders.setdefault(name.rpartition(b"/")[0] + b"/", set()).add(name)
    return [
        CloudTarget(folder, names=frozenset(names), vouched=vouched)
        for folder, names in folders.items()
    ]


def joined(targets: Iterable[CloudTarget]) -> list[CloudTarget]:
    """The same by folder, sorted; those inside another one, or of one folder, are one."""
    found: list[CloudTarget] = []
    for each in sorted(targets, key=lambda target: target.folder):
        if found and each.folder.startswith(found[-1].folder) and not _apart(found[-1], each):
            before = found[-1]
            found[-1] = replace(
                before,
                folders=before.folders if before.all else before.folders + each.folders,
                names=before.names | each.names,
                globs=before.globs + each.globs,
                vouched=before.vouched and each.vouched,
            )
        else:
            found.append(each)
    return found


def _apart(outer: CloudTarget, inner: CloudTarget) -> bool:
    """Whether two targets can be scanned in turn, though one's folder lies in the other's.

    The objects right in a folder come before all that is below it.
    """
    return outer.only_names and outer.folder != inner.folder


def stem_of_uri(uri: bytes) -> bytes:
    """A URI without the extension of its name: what a data file and its annotation share."""
    folder, slash, name = uri.rpartition(b"/")
    return folder + slash + (name[:-5] if is_annotation(name) else stem_of(name))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
