"""A folder as readers and writers see it, for tests that go without an instance."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ldb.errors import BadInput, LdbError
from ldb.formats.base import Item, Labelled, Losses, Placing, Reader, Trouble, Writer
from ldb.objects.codec import annotation_payload, decode, encode


class FolderListing:
    """A folder on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        found = (p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
        self.names = sorted(found, key=lambda n: (n.rpartition("/")[0], n))
        self._known = set(self.names)
        self.uri = f"file://{root}/"

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def size(self, name: str) -> int:
        return (self._root / name).stat().st_size

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        assert name in self._known
        with open(self._root / name, "rb") as file:
            yield file

    def read_many(
        self, names: Iterable[str], limit: int = 1 << 24
    ) -> Iterator[tuple[str, bytes | LdbError]]:
        for name in names:
            data = (self._root / name).read_bytes()
            yield name, data if len(data) <= limit else BadInput(name, "too large")


class TargetFolder:
    """A target folder that is really written to."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        assert ".." not in path.split("/")
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            yield file

    @contextmanager
    def data(self, item: Item) -> Iterator[BinaryIO | None]:
        with open(self._root / item.path, "rb") as file:
            yield file

    def open(self, path: str) -> BinaryIO | None:
        target = self._root / path
        return open(target, "rb") if target.exists() else None


def read(reader: Reader, root: Path) -> tuple[dict[str, Any], list[Trouble]]:
    """Annotations by path as they would be stored, and what was wrong."""
    listing = FolderListing(root)
    files = reader.files(listing)
    found: dict[str, Any] = {}
    troubles = []
    for each in reader.read(listing, list(files.labels)):
        if isinstance(each, Labelled):
            assert each.path not in found
            found[each.path] = decode(encode(each.value, each.path))
        else:
            troubles.append(each)
    return found, troubles


def write(
    writer: Writer, root: Path, annotations: dict[str, Any], images: Path | None = None
) -> Losses:
    """Write annotations by source path; data files are copied from `images` where it is given."""
    items = []
    taken: set[str] = set()
    for at, (path, value) in enumerate(sorted(annotations.items())):
        annotated = value is not None
        kind = path.rpartition(".")[2].lower()
        folders = writer.place(Placing(value, annotated, kind, path))
        base = os.path.basename(path)
        base = f"{at}-{base}" if base in taken else base
        taken.add(base)
        name = "/".join([*folders, base])
        if images is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes((images / path).read_bytes())
        items.append(Item(f"{at:032x}", name, value, annotated, kind, 0, path))
    return writer.write(items, TargetFolder(root))


__all__ = ["FolderListing", "TargetFolder", "annotation_payload", "read", "write"]
