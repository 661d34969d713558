"""Imports that are stopped anywhere, that run beside others, and of files with flipped bits."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from ldb.backends.base import Buffer, Outcome
from ldb.backends.memory import MemoryBackend
from ldb.errors import LdbError
from ldb.history import head
from ldb.instance import create, open_instance
from ldb.porcelain.ds import list_datasets, rename_dataset
from ldb.porcelain.export import export
from ldb.porcelain.fsck import fsck
from ldb.porcelain.imports import ImportDone, import_datasets, opened
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.refs.name import dataset_ref, parse_version
from tests.porcelain.conftest import save, write


@pytest.fixture
def parcel(place: Place, data: Path, tmp_path: Path) -> str:
    """An export of two versions."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        write(data, name, {"name": name})
    index(place, [str(data)])
    save(place, "cats", str(data / "a.jpg"))
    save(place.refreshed(), "cats", str(data))
    path = str(tmp_path / "cats.tar")
    export(place, parse_version("cats"), path)
    return path


def taken_in(backend: MemoryBackend, path: str) -> ImportDone:
    with opened(path) as found:
        return import_datasets(Place(open_instance(backend), "/nowhere", "ann"), found)


def test_what_a_dataset_was_renamed_to_comes_along(
    place: Place, data: Path, tmp_path: Path
) -> None:
    """Of a name that was given up for another one and taken again."""
    write(data, "a.jpg", {"name": "a"})
    index(place, [str(data)])
    save(place, "cats", str(data))
    rename_dataset(place, parse_version("cats"), "pets")
    save(place, "cats", str(data))
    path = str(tmp_path / "cats.tar")
    export(place, parse_version("cats"), path)

    def history(name: str, again: int) -> list[tuple[int, bool, str]]:
        backend = MemoryBackend()
        create(backend)
        for _ in range(again):
            with opened(path) as found:
                there = Place(open_instance(backend), "/nowhere", "ann")
                import_datasets(there, found, rename="" if name == "cats" else name)
        assert fsck(backend).sound
        refs = open_instance(backend).refs.history(dataset_ref(name))
        return [(ref.number, ref.target is None, str(ref.renamed or "")) for ref in refs][::-1]

    expected = [(1, False, ""), (2, True, "ds:pets"), (3, False, "")]
    assert history("cats", 2) == expected
    assert history("pets", 2) == [(number, gone, "") for number, gone, _ in expected]


class Stop(BaseException):
    pass


class Stopping(MemoryBackend):
    """Stops the process, as it were, before so many values more are created."""

    left = -1

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        if self.left == 0:
            raise Stop
        self.left -= 1
        return super().create(key, data, unconditional=unconditional)


def test_stopped_anywhere(parcel: str) -> None:
    for steps in count():
        backend = Stopping()
        create(backend)
        backend.left = steps
        try:
            taken_in(backend, parcel)
        except Stop:
            backend.left = -1
            assert fsck(backend).sound
            taken_in(backend, parcel)
        else:
            break
        assert fsck(backend).sound
        instance = open_instance(backend)
        assert [str(each.ref) for each in list_datasets(instance, True)] == [
            "ds:cats.v2", "ds:cats.v1",
        ]  # fmt: skip
    assert steps > 4


def test_several_at_once(parcel: str) -> None:
    backend = MemoryBackend()
    create(backend)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: taken_in(backend, parcel), range(4)))
    assert sum(each.datasets[0].versions for each in done) == 2
    newest = head(open_instance(backend), dataset_ref("cats"))
    assert newest is not None
    assert newest.number == 2
    assert fsck(backend).sound


def test_flipped_bits(parcel: str, tmp_path: Path) -> None:
    """Whatever is wrong with a file, it is refused or makes no difference."""
    whole = Path(parcel).read_bytes()
    lots = random.Random(1)
    places = [lots.randrange(len(whole)) for _ in range(30)]
    places += [lots.randrange(512) for _ in range(20)]
    wanted = MemoryBackend()
    create(wanted)
    taken_in(wanted, parcel)
    before = head(open_instance(wanted), dataset_ref("cats"))
    bad, refused = tmp_path / "bad.tar", 0
    for at in places:
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << lots.randrange(8)]) + whole[at + 1 :])
        backend = MemoryBackend()
        create(backend)
        try:
            taken_in(backend, str(bad))
        except LdbError:
            refused += 1
            assert not list(backend.list("refs/"))
        else:
            assert head(open_instance(backend), dataset_ref("cats")) == before
    assert refused > 20
