"""A small world for porcelain commands: six indexed pets, and an empty workspace folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ldb.backends.local import LocalBackend
from ldb.instance import create
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.storage import add_storage
from tests.cli.conftest import Ldb, Result

PETS: dict[str, Any] = {
    "cats/tom.jpg": {"class": "cat", "score": 0.9, "boxes": [{"label": "head"}]},
    "cats/kit.png": {"class": "cat", "score": 0.2},
    "dogs/rex.jpg": {"class": "dog", "score": 0.7},
    "dogs/old/pup.jpg": {"class": "dog", "score": 0.5},
    "birds/ara.jpg": {"class": "bird"},
    "birds/owl.jpg": None,
}
"""Path below the data folder → annotation; the owl has none."""

CATS = {"tom", "kit"}
DOGS = {"rex", "pup"}
ALL = {"tom", "kit", "rex", "pup", "ara", "owl"}


@dataclass
class Pets:
    """Runs commands in a folder (absolute), on the instance that holds the pets."""

    ldb: Ldb
    data: Path
    folder: Path
    changed: list[str] = field(default_factory=list)
    """Pets whose files were changed."""

    def __call__(self, *args: str) -> Result:
        return self.ldb("-C", str(self.folder), *args)

    def ok(self, *args: str) -> Result:
        """Run a command that must succeed."""
        result = self(*args)
        assert result.code == 0, result
        return result

    def fails(self, code: int, *args: str) -> str:
        """Run a command that must fail like this, without data; what it said."""
        result = self(*args)
        assert (result.code, result.out) == (code, ""), result
        assert result.err.startswith("error: "), result
        return result.err

    def at(self, folder: Path) -> Pets:
        """The same in another folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return replace(self, folder=folder)

    def names(self, *args: str) -> set[str]:
        """Names (without extension) of what a `list` command prints."""
        return set(self.order(*args))

    def order(self, *args: str) -> list[str]:
        """The same in its order."""
        out = self.ok("list", *args).out
        return [re.split(r"[/.]", line)[-2] for line in out.splitlines()]

    def json(self, *args: str) -> list[Any]:
        """What a command prints with `--json`."""
        out = self.ok(*args, "--json").out
        return [json.loads(line) for line in out.splitlines()]

    def id(self, name: str) -> str:
        """`id:…` of a pet, by its name without folder and extension."""
        path = next(path for path in PETS if Path(path).stem == name)
        return "id:" + hashlib.md5(path.encode()).hexdigest()

    def annotate(self, name: str, value: Any) -> None:
        """Give a pet another annotation in storage, and index it."""
        path = next(self.data / path for path in PETS if Path(path).stem == name)
        self.changed.append(name)
        path.with_suffix(".json").write_text(json.dumps(value))
        self.ok("index", str(self.data))

    def new(self, name: str, annotation: Any = None) -> None:
        """One more pet, indexed."""
        self.changed.append(name)
        write(self.data / f"{name}.jpg", name, annotation)
        self.ok("index", str(self.data))


def write(path: Path, content: str, annotation: Any) -> None:
    """A data file, with its annotation beside it unless that is None."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    if annotation is not None:
        path.with_suffix(".json").write_text(json.dumps(annotation))


@dataclass(frozen=True)
class Template:
    """An instance of the pets, made once: making it anew for each test flushes many files."""

    data: Path
    instance: Path


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The pets, indexed."""
    folder = tmp_path_factory.mktemp("pets")
    made = Template(folder / "data", folder / "instance")
    _write_pets(made.data)
    instance = create(LocalBackend(made.instance))
    place = Place(instance, str(folder), "ann")
    add_storage(place, str(made.data))
    index(place, [str(made.data)])
    return made


def _write_pets(data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    for path, annotation in PETS.items():
        write(data / path, path, annotation)
    for file in data.rglob("*.*"):
        os.utime(file, (1.7e9, 1.7e9))  # the same after every test that changed something


@pytest.fixture
def pets(ldb: Ldb, template: Template, tmp_path: Path) -> Iterator[Pets]:
    """The pets in an instance of this test's own, seen from an empty folder, no workspace."""
    instance = tmp_path / "instance"
    shutil.copytree(template.instance, instance)
    world = Pets(ldb, template.data, tmp_path / "work")
    world.ok("config", "set", "core.instance", str(instance))
    yield world
    if world.changed:
        _write_pets(template.data)


@pytest.fixture
def own_pets(ldb: Ldb, tmp_path: Path) -> Pets:
    """The same, with files of this test's own, for those that change them."""
    world = Pets(ldb, tmp_path / "data", tmp_path / "work")
    _write_pets(world.data)
    world.ok("init", str(tmp_path / "instance"))
    world.ok("add-storage", str(world.data))
    world.ok("index", str(world.data))
    return world


@pytest.fixture
def cats(pets: Pets) -> Pets:
    """The same, standing in a workspace with ds:cats.v1: tom and kit."""
    pets.ok("stage", "ds:cats")
    pets.ok("add", "--query", "class == 'cat'")
    pets.ok("commit", "-m", "the cats")
    return pets
