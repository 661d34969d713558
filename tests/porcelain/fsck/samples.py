"""A small instance with a bit of everything, and copies of it to damage."""

from __future__ import annotations

import json
from pathlib import Path

from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.instance import create
from ldb.porcelain.commit import commit
from ldb.porcelain.draft import add, delete
from ldb.porcelain.ds import delete_datasets
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.porcelain.stage import stage
from ldb.porcelain.storage import add_storage
from ldb.query.selection import FilterSpec
from ldb.refs.name import parse_version


def write_data(folder: Path, first: int, stop: int, mark: str = "") -> None:
    """Files `0000.jpg` … with an annotation each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, stop):
        label = "cat" if number % 2 else "dog"
        (folder / f"{number:04}.jpg").write_bytes(b"image %d" % number)
        note = {"label": label, "number": number, "mark": mark}
        (folder / f"{number:04}.json").write_text(json.dumps(note))


def add_and_commit(place: Place, *filters: FilterSpec) -> None:
    add(place.refreshed(), [], filters)
    assert commit(place.refreshed()).version


def make_instance(base: Path, objects: int = 12) -> Place:
    """An instance in `base/instance`, with a workspace that has a draft in `base/cats`.

    Two datasets with a version and two, a third one deleted; two versions of the index; an
    object with two annotations.
    """
    instance = create(LocalBackend(base / "instance"))
    data = base / "data"
    write_data(data, 0, objects)
    outside = Place(instance, str(base), "Ann")
    add_storage(outside, str(data))
    index(outside, [str(data)])
    for name in ("gone", "dogs", "cats"):
        stage(outside.refreshed(), parse_version(f"ds:{name}"), str(base / name))
    cats, dogs, gone = (Place(instance, str(base / name)) for name in ("cats", "dogs", "gone"))
    add_and_commit(cats, FilterSpec("query", 'label == `"cat"`'))
    write_data(data, objects, objects + 4)
    write_data(data, 0, 2, "again")
    index(outside.refreshed(), [str(data)])
    add_and_commit(dogs, FilterSpec("query", 'label == `"dog"`'))
    add_and_commit(cats)
    add_and_commit(gone, FilterSpec("limit", 3))
    delete_datasets(outside.refreshed(), [parse_version("ds:gone")])
    delete(cats.refreshed(), [], [FilterSpec("limit", 2)])
    return cats


def in_memory(source: Backend) -> dict[str, bytes]:
    """All values of a store."""
    return {entry.key: bytes(source.read(entry.key)) for entry in source.list()}


def store_of(values: dict[str, bytes]) -> MemoryBackend:
    """A store of these values."""
    backend = MemoryBackend()
    for key, value in values.items():
        backend.create(key, value)
    return backend
