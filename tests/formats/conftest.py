"""Fixtures for label formats: a folder in storage, indexed and written out in some format."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ldb.catalog import Record, key_bytes, load_records
from ldb.ids import NO_OID, Oid
from ldb.indexing.run import IndexReport
from ldb.instance import Instance
from ldb.instantiate.options import InstantiateOptions, InstantiateReport
from ldb.objects.codec import decode
from ldb.objects.model import BlobType
from ldb.porcelain.index import index
from ldb.porcelain.instantiate import in_format, instantiate
from ldb.porcelain.place import Place
from ldb.porcelain.storage import add_storage

LONG_AGO = 1_600_000_000


@dataclass
class Scene:
    """A location `data`, an index of it, and folders to write into."""

    place: Place
    data: Path
    out: Path
    count: int = field(default=0)

    def write(self, name: str, content: str | bytes | Any = None, age: float = LONG_AGO) -> Path:
        """A file of the location; without content one of its own, JSON where it is no text."""
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            content = f"data of {name}"
        elif not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (age, age + 0.5))
        return path

    def index(
        self, format_: str, *params: str, paths: Sequence[str | Path] = (), **options: Any
    ) -> IndexReport:
        """Index the location, or other paths."""
        where = [str(path) for path in paths or [self.data]]
        done = index(self.place, where, format=format_, params=params, **options)
        self.place = self.place.refreshed()
        return done.report

    def notes(self) -> dict[str, Any]:
        """Name in the location → current annotation, of every data object; None for none."""
        found: dict[str, Any] = {}
        for name, record, annotation in self.objects():
            assert name
            for seen in record.paths:
                found[seen.path.removeprefix(f"file://{self.data}/")] = annotation
        return found

    def ids(self) -> dict[str, str]:
        """Name in the location → id of the data object."""
        return {
            seen.path.removeprefix(f"file://{self.data}/"): name
            for name, record, _ in self.objects()
            for seen in record.paths
        }

    def objects(self) -> list[tuple[str, Record, Any]]:
        """Id, record and annotation of every data object."""
        instance: Instance = self.place.instance
        found = []
        for rows in self.place.catalog.rows():
            records: dict[int, Record] = {}
            for positions, some in load_records(instance, rows.fields[0]):
                records.update(zip(positions.tolist(), some, strict=True))
            for at, name in enumerate(key_bytes(rows.keys)):
                raw = rows.fields[1][at].tobytes()
                value = None
                if raw != NO_OID:
                    value = decode(instance.objects.get(Oid(raw), BlobType.ANNOTATION).payload)
                found.append((name.hex(), records[at], value))
        return found

    def instantiate(
        self, format_: str, *params: str, folder: Path | None = None, **options: Any
    ) -> tuple[Path, InstantiateReport]:
        """Write everything that is indexed into a new folder, or this one."""
        self.count += 1
        target = folder or self.out / str(self.count)
        chosen = in_format(InstantiateOptions(str(target), **options), format_, params)
        return target, instantiate(self.place, ["ds:root"], (), chosen).report


def files_below(folder: Path) -> list[str]:
    """Relative paths of the files in a folder, LDB's own left out."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".ldb")
    )


def problems(report: IndexReport | InstantiateReport) -> list[str]:
    """What was wrong, one line each, without the folders."""
    return [f"{os.path.basename(each.path)}: {each.why}" for each in report.problems]


@pytest.fixture
def scene(instance: Instance, tmp_path: Path) -> Scene:
    """A new instance with an empty location."""
    data = tmp_path / "data"
    data.mkdir()
    place = Place(instance, str(tmp_path), "ann")
    add_storage(place, str(data))
    return Scene(place.refreshed(), data, tmp_path / "out")


def again(scene: Scene, folder: Path, tmp_path: Path) -> Scene:
    """A new instance with a written folder as its location: what was written, read again."""
    from ldb.backends.local import LocalBackend
    from ldb.instance import create

    place = Place(create(LocalBackend(tmp_path / "another")), str(tmp_path), "bob")
    add_storage(place, str(folder))
    return Scene(place.refreshed(), folder, tmp_path / "out-again")
