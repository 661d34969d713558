"""A small world: a folder of files, indexed, that can be instantiated."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldb.catalog import open_catalog
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.instance import Instance
from ldb.instantiate.options import InstantiateOptions, InstantiateReport
from ldb.instantiate.run import instantiate


@dataclass(frozen=True)
class World:
    """An instance, a source folder and a target folder."""

    instance: Instance
    source: Path
    target: Path

    def put(self, name: str, data: bytes, annotation: bytes | None = None) -> str:
        """Make a data file and perhaps its annotation; gives the data object id."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if annotation is not None:
            path.with_suffix(".json").write_bytes(annotation)
        return hashlib.new(self.instance.object_hash, data).hexdigest()

    def index(self, *folders: Path) -> None:
        """Index the source folder, or others."""
        targets = targets_of([str(each) for each in folders or (self.source,)])
        report = index(self.instance, targets, IndexOptions(processes=1))
        assert not report.problems

    def run(self, folder: Path | None = None, **options: Any) -> InstantiateReport:
        """Instantiate everything that the index knows, in this process unless told."""
        catalog = open_catalog(self.instance)
        rows = list(catalog.rows())
        ids = np.concatenate([each.keys for each in rows])
        annotations = np.concatenate([each.fields[1] for each in rows])
        options.setdefault("processes", 1)
        made = InstantiateOptions(folder=str(folder or self.target), **options)
        return instantiate(self.instance, catalog, ids, annotations, made)

    def tree(self, folder: Path | None = None) -> dict[str, bytes]:
        """Every file of the target but LDB's own list, by relative path."""
        return tree(folder or self.target)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but LDB's own list, by relative path."""
    found = {}
    for above, _, names in os.walk(folder):
        for name in names:
            path = Path(above, name)
            if name != ".ldb_instantiated":
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


@pytest.fixture
def world(instance: Instance, tmp_path: Path) -> World:
    """Nothing indexed yet."""
    (tmp_path / "source").mkdir()
    return World(instance, tmp_path / "source", tmp_path / "target")
