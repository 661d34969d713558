"""Fixtures for library functions: a place with a data folder in storage, and races."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

from ldb.history import Version
from ldb.instance import Instance
from ldb.porcelain.commit import commit
from ldb.porcelain.draft import add
from ldb.porcelain.place import Place
from ldb.porcelain.stage import stage
from ldb.porcelain.storage import add_storage
from ldb.refs.name import parse_version

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a storage location."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def place(instance: Instance, data: Path, tmp_path: Path) -> Place:
    """An instance with `data` as its storage location, seen from the folder around it."""
    found = Place(instance, str(tmp_path), "ann")
    add_storage(found, str(data))
    return found


def write(folder: Path, name: str, annotation: Any = None) -> Path:
    """A data file whose content is its name, and its annotation unless that is None."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
    if annotation is not None:
        path.with_suffix(".json").write_text(json.dumps(annotation))
    return path


def save(place: Place, name: str, *sources: str) -> Version:
    """Commit these sources as the next version of a dataset."""
    folder = os.path.join(place.cwd, f"draft-{name}")
    stage(place, parse_version(name), folder)
    there = Place(place.instance, folder, place.author)
    add(there, sources)
    version = commit(there).version
    assert version is not None
    return version


class Race(Protocol):
    """Runs commands of `racing_command.py` at the same moment; their outcomes, sorted."""

    def __call__(self, where: str, *commands: tuple[str, ...]) -> list[str]: ...


@pytest.fixture
def race() -> Race:
    def run(where: str, *commands: tuple[str, ...]) -> list[str]:
        script = str(Path(__file__).with_name("racing_command.py"))
        started = [
            subprocess.Popen(
                [sys.executable, script, where, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            for command in commands
        ]
        return sorted(each.communicate("\n", timeout=60)[0] for each in started)

    return run
