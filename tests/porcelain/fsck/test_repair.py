"""`fsck --repair`: what is mended from where, and that nothing is lost on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.backends.memory import MemoryBackend
from ldb.errors import Conflict, Corrupt
from ldb.instance import Location, Settings, create, open_instance
from ldb.objects.condemned import Condemned, encode_list, list_key
from ldb.porcelain.fsck import fsck
from ldb.porcelain.fsck.repair import repair
from ldb.porcelain.repack import repack
from tests.porcelain.fsck.samples import in_memory, make_instance, store_of

Values = dict[str, bytes]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Values:
    """With columns, and places of the index."""
    place = make_instance(tmp_path_factory.mktemp("repair"), objects=600)
    return in_memory(place.instance.backend)


def keys(values: Values, part: str) -> list[str]:
    return [key for key in values if part in key]


def flip(backend: Backend, key: str, at: int = -20) -> None:
    data = bytearray(backend.read(key))
    data[at] ^= 4
    backend.create(key, bytes(data), unconditional=True)


def sound(backend: Backend) -> bool:
    return fsck(backend).sound


def test_nothing_to_do(values: Values) -> None:
    backend = store_of(values)
    done = repair(backend)
    assert (done.mended, done.lost) == ([], [])
    assert in_memory(backend) == values


@pytest.mark.parametrize("part", ["instance", "refs/", "objects/"])
def test_every_file_damaged_or_gone_comes_from_the_copy(values: Values, part: str) -> None:
    copy = store_of(values)
    for number, key in enumerate(keys(values, part)):
        backend = store_of(values)
        damage = ("flip", "cut", "delete")[number % 3]
        if damage == "flip":
            flip(backend, key)
        elif damage == "cut":
            backend.create(key, values[key][:-9], unconditional=True)
        else:
            backend.delete([key])
        done = repair(backend, copy)
        assert not done.lost, (key, damage, done)
        assert sound(backend), (key, damage)
        assert set(keys(values, "refs/")) <= set(in_memory(backend))
    assert in_memory(copy) == values


def test_columns_and_places_are_made_anew(values: Values) -> None:
    derived = [key for key in values if key.endswith((".arrow", ".places"))]
    assert {key.rpartition(".")[2] for key in derived} == {"arrow", "places"}
    backend = store_of(values)
    for key in derived[::2]:
        flip(backend, key, 100)
    backend.delete(derived[1::2])
    orphan = f"objects/pack/{'0' * 64}.places"
    backend.create(orphan, b"x")
    done = repair(backend)
    assert not done.lost
    assert sound(backend)
    assert set(in_memory(backend)) == set(values)


def test_everything_gone_but_the_instance(values: Values) -> None:
    backend = store_of({"instance": values["instance"]})
    done = repair(backend, store_of(values))
    assert not done.lost
    report = fsck(backend)
    assert report.sound
    assert report.checked.versions == fsck(store_of(values)).checked.versions


def test_out_of_another_pack_of_the_instance(values: Values) -> None:
    """After a repack everything is there twice."""
    backend = store_of(values)
    repack(open_instance(backend))
    pack = max(keys(values, ".pack"), key=lambda key: len(values[key]))
    flip(backend, pack, 300)
    assert not sound(backend)
    assert not repair(backend).lost
    assert sound(backend)


def test_what_cannot_be_mended_is_told_and_stays(values: Values) -> None:
    backend = store_of(values)
    pack = max(keys(values, ".pack"), key=lambda key: len(values[key]))
    flip(backend, pack, 300)
    before = in_memory(backend)
    lost = fsck(backend).problems
    done = repair(backend)
    assert done.lost
    assert any(pack in line and "kept" in line for line in done.lost)
    after = in_memory(backend)
    assert {key: after[key] for key in before} == before
    assert {each.name for each in fsck(backend).problems} == {each.name for each in lost}


def test_a_damaged_ref_without_copy(values: Values) -> None:
    backend = store_of(values)
    ref = keys(values, "refs/datasets/dogs")[0]
    flip(backend, ref)
    done = repair(backend)
    assert [line for line in done.lost if ref in line]
    assert ref in in_memory(backend)


def test_a_copy_that_lacks_what_its_version_needs(values: Values) -> None:
    """Then the version is not taken: it would be one more broken thing."""
    ref = keys(values, "refs/datasets/dogs")[0]
    broken = store_of(values)
    packs = keys(values, ".pack")
    broken.delete(packs)
    backend = store_of(values)
    backend.delete([ref, *packs])
    done = repair(backend, broken)
    assert any("not taken from the copy" in line for line in done.lost)
    assert ref not in in_memory(backend)


def test_another_instance_is_refused(values: Values) -> None:
    other = MemoryBackend()
    create(other)
    with pytest.raises(Conflict):
        repair(store_of(values), other)


def test_a_damaged_instance_file_without_copy(values: Values) -> None:
    backend = store_of(values)
    flip(backend, "instance", 30)
    with pytest.raises(Corrupt):
        repair(backend)


def test_old_temporary_files_go(values: Values, tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    for key, value in values.items():
        backend.create(key, value)
    for name, age in (("ab" * 16, 7200), ("cd" * 16, 0)):
        path = tmp_path / "tmp" / name
        path.write_text("torn")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    assert repair(backend).mended == ["tmp/: 1 file(s) of stopped commands deleted"]
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["cd" * 16]


def test_a_damaged_condemned_list_is_dropped(values: Values) -> None:
    """While it is there nobody can commit: what it condemns cannot be told."""
    backend = store_of(values)
    backend.create(list_key(1), encode_list(1, Condemned())[:-5])
    assert [each.name for each in fsck(backend).problems] == [list_key(1)]
    with pytest.raises(Corrupt):
        open_instance(backend).update_settings(lambda _: Settings((Location("file:///d"),)), "Ann")
    assert not repair(backend).lost
    assert sound(backend)
    open_instance(backend).update_settings(lambda _: Settings((Location("file:///d"),)), "Ann")
