"""Gathering a pack's blobs for its column files, while the pack is being written.

numpy and the rest load once there are enough blobs for columns to be worth a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldb.objects.model import BlobType

if TYPE_CHECKING:
    from ldb.columns.shred import Shredder

COLUMN_TYPES = (BlobType.ANNOTATION, BlobType.RECORD)
"""Types of blobs that packs have columns of."""

FEWEST_ROWS = 256
"""Packs with fewer blobs of a type than this have no columns: row by row is as quick."""


class ColumnSink:
    """The blobs of one type of a pack, in the order of the pack.

    A pack with payloads that are no MessagePack has no columns: whoever reads those row by
    row is told what is wrong with them.
    """

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._shredder: Shredder | None = None
        self._odd = False

    def add(self, payloads: Sequence[bytes]) -> None:
        """More blobs, after those added before."""
        if self._odd:
            return
        self._waiting += payloads
        if self._shredder is None and len(self._waiting) >= FEWEST_ROWS:
            from ldb.columns.shred import Shredder

            self._shredder = Shredder()
        if self._shredder is not None:
            waiting, self._waiting = self._waiting, []
            try:
                self._shredder.add(waiting)
            except ValueError:
                self._odd = True

    def finish(self) -> bytes | None:
        """The column file; None where there is none."""
        if self._shredder is None or self._odd:
            return None
        from ldb.columns.write import encode_columns

        try:
            return encode_columns(self._shredder.finish())
        except ValueError:
            return None
