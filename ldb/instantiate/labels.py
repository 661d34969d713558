"""The label files of a dataset in a label format, written when its data files are there.

Runs in the parent: a label file may speak of every object, and two processes cannot share it.
Items are read again for it, as often as the format needs, so memory does not grow with them.
What a label file may replace is as for all others (write.py).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from ldb.errors import BadInput
from ldb.formats import base
from ldb.formats.base import Loss
from ldb.instantiate.caching import CachedFetcher
from ldb.instantiate.items import Items
from ldb.instantiate.listing import Before
from ldb.instantiate.model import Entry, Item
from ldb.instantiate.source import Elsewhere
from ldb.instantiate.target import Refused, Target, open_regular, split, target_errors
from ldb.instantiate.write import BatchResult, DataFile, Failed, WriteOptions, Writer
from ldb.objects.codec import decode
from ldb.storage.folders import NEW
from ldb.storage.listing import name_objection
from ldb.storage.remote import Clients

PIECE = 1 << 20


def write_labels(
    items: Items, options: WriteOptions, before: Before, failed: Collection[bytes]
) -> tuple[BatchResult, list[Loss]]:
    """Write the label files of all items but the `failed` ones; what was written, and lost."""
    assert items.writer is not None
    result = BatchResult()
    folder = LabelWriter(items, options, before, result)
    with folder:
        losses = items.writer.write(WrittenItems(items, failed, folder), folder)
        folder.finish()
    return result, losses.found


class WrittenItems:
    """Items as formats see them; each time it is gone through, they are read anew."""

    def __init__(self, items: Items, failed: Collection[bytes], folder: LabelWriter) -> None:
        self._items = items
        self._failed = frozenset(failed)
        self._folder = folder

    def __iter__(self) -> Iterator[base.Item]:
        for batch in self._items.batches(0, len(self._items.chosen.ids)):
            self._folder.items = {item.id: item for item in batch}
            for item in batch:
                if item.id in self._failed:
                    continue
                annotated = item.payload is not None
                yield base.Item(
                    item.id.hex(),
                    item.name.data_path,
                    decode(item.payload, "annotation") if item.payload is not None else None,
                    annotated,
                    item.type,
                    item.size,
                    item.paths[0]["path"] if item.paths else "",
                )
        self._items.refused.clear()  # told by who placed them


class LabelWriter(Writer):
    """The target folder, as formats see it."""

    def __init__(
        self, items: Items, options: WriteOptions, before: Before, result: BatchResult
    ) -> None:
        super().__init__(items, options, before)
        self._result = result
        self._made = 0
        self._clients = Clients()
        self.items: dict[bytes, Item] = {}
        """Those that were given out last."""

    def __exit__(self, *failed: object) -> None:
        self._clients.close()
        super().__exit__(*failed)

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        try:
            folder, name = split(path)
        except Refused as error:
            raise BadInput(ascii(path), error.why) from None
        if objection := name_objection(path.encode("utf-8", "surrogateescape")):
            raise BadInput(ascii(path), objection)  # it would tear the list of what was written
        temporary = f"label-{self._made}"
        self._made += 1
        with target_errors(os.path.join(self._options.folder, path)):
            fd = self._target.partial.open(temporary, NEW)
            try:
                with os.fdopen(fd, "w+b") as file:
                    yield file
                    file.flush()
                    digest = _digest(file)
                self._publish(path, folder, name, temporary, digest)
            finally:
                with suppress(FileNotFoundError):
                    self._target.partial.unlink(temporary)

    def open(self, path: str) -> BinaryIO | None:
        if self._options.annotations_only:
            return None
        try:
            folder, name = split(path)
            fd = open_regular(self._target.open_folder(folder, make=False), name)
        except (Refused, OSError):
            return None
        return None if fd is None else os.fdopen(fd, "rb")

    def _publish(self, path: str, folder: str, name: str, temporary: str, digest: bytes) -> None:
        had = self._listing.plan(path, Entry(digest, is_label=True))
        self._listing.flush()
        try:
            new = self._place(_LabelFile(folder, name, had, temporary, digest), self._result)
        except Failed:
            self._listing.undo(path)
            return
        self._result.label_files += new
        self._result.already_there += not new

    @contextmanager
    def data(self, item: base.Item) -> Iterator[BinaryIO | None]:
        wanted = self.items[bytes.fromhex(item.id)]
        file = DataFile(wanted, self._fetcher, self._options.algorithm)
        try:
            try:
                file.make(self._target)
            except Elsewhere:
                self._bring(wanted)
                file.make(self._target)
        except Failed:
            self._result.problems += file.problems
            yield None
            return
        self._result.passed_over += file.passed_over
        self._result.objects += 1
        fd = self._target.partial.open(self._target.temporary, os.O_RDONLY)
        with os.fdopen(fd, "rb") as opened:
            yield opened
        self._target.drop()

    def _bring(self, item: Item) -> None:
        """Bring an object that is in a bucket only into the cache."""
        from ldb.instantiate.remote import needed  # local places do without
        from ldb.storage.bringing import bring
        from ldb.storage.fetching import Reader

        assert isinstance(self._fetcher, CachedFetcher)
        assert self._cache is not None
        reader = Reader(self._clients)
        for _, brought in bring(reader, self._cache, [needed(item)]):
            self._fetcher.brought = {item.id: brought}

    def finish(self) -> None:
        """What was undone is listed so."""
        self._listing.flush()
        self._result.planned, self._listing.planned = self._listing.planned, []


class _LabelFile:
    def __init__(
        self, folder: str, name: str, had: Entry | None, temporary: str, digest: bytes
    ) -> None:
        self.folder = folder
        self.name = name
        self.had = had
        self._temporary = temporary
        self._digest = digest

    @property
    def sources(self) -> list[str]:
        return []

    def is_in(self, fd: int) -> bool:
        with os.fdopen(os.dup(fd), "rb") as file:
            return _digest(file) == self._digest

    def make(self, target: Target) -> None:
        target.drop()
        target.partial.replace(self._temporary, target.partial, target.temporary)


def _digest(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.digest()
