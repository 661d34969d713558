"""Fixtures for indexing: a folder of files, an instance, and what its index then says."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ldb.backends.local import LocalBackend
from ldb.catalog import Record, key_bytes, load_records, open_catalog
from ldb.history import head
from ldb.ids import NO_OID, ObjectId, Oid
from ldb.indexing.run import IndexOptions, IndexReport, index
from ldb.indexing.targets import targets_of
from ldb.instance import Instance, create
from ldb.objects.codec import decode
from ldb.objects.model import BlobType
from ldb.porcelain.paths import path_ids
from ldb.refs.name import INDEX

LONG_AGO = 1_600_000_000


@dataclass(frozen=True)
class Known:
    """What the index knows of one data object."""

    id: str
    record: Record
    annotation: Any
    """The current one, decoded; None where there is none."""

    @property
    def paths(self) -> list[str]:
        return [seen.path.removeprefix("file://") for seen in self.record.paths]


@dataclass
class Box:
    """Files in a folder, and an instance to index them with."""

    instance: Instance
    folder: Path
    written: list[Path] = field(default_factory=list)

    def write(self, name: str, content: str | bytes = "", age: float = LONG_AGO) -> Path:
        """Write a file as if it had been written at `age`, seconds since 1970."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (age, age + 0.123456))
        return path

    def pair(self, stem: str, content: str, annotation: Any, age: float = LONG_AGO) -> None:
        """Write a data file and its annotation."""
        self.write(f"{stem}.jpg", content, age)
        self.write(f"{stem}.json", json.dumps(annotation), age)

    def index(self, *paths: str | Path, **options: Any) -> IndexReport:
        """Index these, or the whole folder, in one process unless told otherwise."""
        targets = targets_of([str(path) for path in paths or [self.folder]])
        return index(self.instance, targets, IndexOptions(**{"processes": 1, **options}))

    def objects(self) -> list[Known]:
        """All data objects of the newest index, by id."""
        catalog = open_catalog(self.instance)
        found = []
        for rows in catalog.rows():
            records: list[Any] = [None] * len(rows)
            for positions, some in load_records(self.instance, rows.fields[0]):
                for position, record in zip(positions.tolist(), some, strict=True):
                    records[position] = record
            for at, name in enumerate(key_bytes(rows.keys)):
                note = self._annotation(rows.fields[1][at].tobytes())
                found.append(Known(str(ObjectId(name)), records[at], note))
        return found

    def _annotation(self, raw: bytes) -> Any:
        if raw == NO_OID:
            return None
        return decode(self.instance.objects.get(Oid(raw), BlobType.ANNOTATION).payload)

    def at(self, name: str) -> Known:
        """The data object whose record has this path."""
        path = str(self.folder / name)
        [found] = [each for each in self.objects() if path in each.paths]
        return found

    def notes(self) -> dict[str, Any]:
        """Name in the folder → current annotation, for every path of every data object."""
        return {
            os.path.relpath(path, self.folder): each.annotation
            for each in self.objects()
            for path in each.paths
        }

    def path_rows(self) -> list[str]:
        """Names of all files that the index remembers, annotations too."""
        catalog = open_catalog(self.instance)
        prefix = f"file://{self.folder}/"
        keys = [key for rows in catalog.paths_under() for key in rows.keys.tolist()]
        return [key.decode().replace("/\x01", "/").removeprefix(prefix) for key in keys]

    def id_at(self, name: str) -> str:
        """The id of the data object that was last seen at this path."""
        [found] = path_ids(open_catalog(self.instance), f"file://{self.folder / name}")
        return found.hex()

    def version(self) -> int:
        """Number of the newest index; 0 for none."""
        newest = head(self.instance, INDEX)
        return newest.number if newest else 0


@pytest.fixture
def box(instance: Instance, tmp_path: Path) -> Box:
    """An empty folder and a new instance."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Box(instance, folder)


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that this process owns, where permissions mean something.

    They mean nothing to root, so root becomes somebody else for the test.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = os.geteuid() == 0
        if root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            for path in [folder, *folder.rglob("*")]:
                if path.is_dir():
                    path.chmod(0o700)


@pytest.fixture
def instance_of_nobody(nobody: Path) -> Instance:
    """An instance that the same user owns."""
    (nobody / "data").mkdir()
    return create(LocalBackend(nobody / "instance"))


_watchers: list[Callable[[str], None]] = []


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    if _watchers and event == "open" and isinstance(args[0], (str, bytes)):
        name = os.path.basename(os.fsdecode(args[0]))
        for watcher in list(_watchers):
            watcher(name)


sys.addaudithook(_on_event)  # it stays for the life of the process, so there is one


@contextmanager
def opened() -> Iterator[list[str]]:
    """Names of the files that this process opens meanwhile."""
    names: list[str] = []
    _watchers.append(names.append)
    try:
        yield names
    finally:
        _watchers.remove(names.append)


@contextmanager
def before_open(name: str, change: Callable[[], object]) -> Iterator[None]:
    """Have `change` happen once, right before this process opens a file of this name."""
    left = [change]

    def watcher(opening: str) -> None:
        if opening == name and left:
            left.pop()()

    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
    assert not left, f"{name} was not opened"


def wait_for(condition: Any, seconds: float = 20) -> None:
    """Wait until `condition()` holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.005)
