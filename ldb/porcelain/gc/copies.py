"""Which files are not needed because others hold the same blobs.

Only blobs that versions need count. A file can be spared when each of them lies in another
pack that stays; older packs go first, so that what `repack` made stays. Oids are looked
through slice by slice where there are many, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ldb.objects.oidtable import Oids
from ldb.porcelain.fsck.shelves import Shelves, Use

AT_ONCE = 2_000_000
"""Used blobs that are compared at once; more go by slices of their first byte."""


@dataclass(frozen=True, slots=True)
class _Slice:
    """Used blobs whose oids lie in one range."""

    file: NDArray[np.int64]
    blob: NDArray[np.int64]
    """Equal numbers: copies of one blob. Unique over all slices."""
    copies: NDArray[np.int64]
    """In how many packs that can be relied on this blob lies."""

    def only(self, mask: NDArray[np.bool_]) -> _Slice:
        return _Slice(self.file[mask], self.blob[mask], self.copies[mask])


class Copies:
    """Used blobs by file; `unreliable` names files whose copies do not count."""

    def __init__(self, shelves: Shelves, unreliable: Collection[str]) -> None:
        self._uses = list(shelves.uses())
        self.files = [part.name for use in self._uses for part in use.parts]
        loose = [part.loose for use in self._uses for part in use.parts]
        self._counts = np.array(
            [not odd and name not in unreliable for name, odd in zip(self.files, loose)], np.int64
        )
        self.used = np.zeros(len(self.files), np.int64)
        """How many used blobs each file has."""
        for first, use in self._numbered():
            self.used[first : first + len(use.parts)] = np.bincount(
                use.file, minlength=len(use.parts)
            )

    def spare(self, order: Collection[str]) -> set[str]:
        """Those of the files in `order` that are not needed if the first that can goes first.

        Files that are unreliable are judged too; they count for nobody in any case.
        """
        single = np.zeros(len(self.files), np.int64)
        for each in self._slices():
            others = each.copies - self._counts[each.file]
            np.add.at(single, each.file[others == 0], 1)
        number = {name: at for at, name in enumerate(self.files)}
        hopeful = [number[name] for name in order if name in number]
        hopeful = [at for at in hopeful if not single[at] and self.used[at]]
        return {self.files[at] for at in self._chosen(hopeful)}

    def _chosen(self, hopeful: list[int]) -> Iterator[int]:
        """Files that go, each having copies of all its blobs in what is left."""
        if not hopeful:
            return
        is_hopeful = np.zeros(len(self.files), np.bool_)
        is_hopeful[hopeful] = True
        kept = [each.only(is_hopeful[each.file]) for each in self._slices()]
        file = np.concatenate([each.file for each in kept])
        blob = np.concatenate([each.blob for each in kept])
        copies = np.concatenate([each.copies for each in kept])
        unique, blob = np.unique(blob, return_inverse=True)
        left = np.zeros(len(unique), np.int64)
        left[blob] = copies
        order = np.argsort(file, kind="stable")
        bounds = np.searchsorted(file[order], np.arange(len(self.files) + 1))
        for at in hopeful:
            mine = blob[order[bounds[at] : bounds[at + 1]]]
            if (left[mine] - self._counts[at] > 0).all():
                left[mine] -= self._counts[at]
                yield at

    def oids_of(self, names: Collection[str]) -> Oids:
        """The used blobs of these files, some repeatedly."""
        found = [np.zeros((0, 32), np.uint8)]
        for use in self._uses:
            wanted = np.array([part.name in names for part in use.parts], np.bool_)
            mask = wanted[use.file]
            if mask.any():
                found.append(use.oids()[mask])
        return np.concatenate(found)

    def _numbered(self) -> Iterator[tuple[int, Use]]:
        first = 0
        for use in self._uses:
            yield first, use
            first += len(use.parts)

    def _slices(self) -> Iterator[_Slice]:
        whole = sum(len(use.rows) for use in self._uses) <= AT_ONCE
        bounds = {first: _bounds(use) for first, use in self._numbered()}
        seen = 0
        for low in range(0, 256, 256 if whole else 1):
            stop = 256 if whole else low + 1
            files, oids = [np.zeros(0, np.int64)], [np.zeros((0, 32), np.uint8)]
            for first, use in self._numbered():
                start, end = bounds[first][[low, stop]].tolist()
                files.append(use.file[start:end].astype(np.int64) + first)
                oids.append(use.oids(start, end))
            file, names = np.concatenate(files), np.concatenate(oids)
            unique, blob = np.unique(
                np.ascontiguousarray(names).view("S32").ravel(), return_inverse=True
            )
            total = np.bincount(blob, weights=self._counts[file], minlength=len(unique))
            yield _Slice(file, blob + seen, total.astype(np.int64)[blob])
            seen += len(unique)


def _bounds(use: Use) -> NDArray[np.int64]:
    """Where in the used blobs each first byte begins, and the end."""
    first = (use.table.keys[use.rows] >> np.uint64(56)).astype(np.int64)
    return np.searchsorted(first, np.arange(257))
