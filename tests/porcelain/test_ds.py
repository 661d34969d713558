"""Deleting and renaming datasets while others are at it, and with a crash in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ldb.backends.base import Buffer, Outcome
from ldb.backends.local import LocalBackend
from ldb.errors import Conflict
from ldb.history import head
from ldb.instance import Instance, create
from ldb.porcelain.ds import delete_datasets, list_datasets, rename_dataset
from ldb.porcelain.index import index
from ldb.porcelain.place import Place
from ldb.refs.name import dataset_ref, parse_version
from tests.porcelain.conftest import Race, save, write

CATS = parse_version("ds:cats")


class Watched(LocalBackend):
    """A local store that tells before it creates a ref of a dataset: its name."""

    before: Callable[[str], None] | None = None

    def create(self, key: str, data: Buffer, *, unconditional: bool = False) -> Outcome:
        if self.before is not None and key.startswith("refs/datasets/"):
            self.before(key.split("/")[2])
        return super().create(key, data, unconditional=unconditional)


@pytest.fixture
def backend(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "instance")


@pytest.fixture
def instance(backend: Watched) -> Instance:
    return create(backend)


@pytest.fixture
def cats(place: Place, data: Path) -> Place:
    for name in ("a.jpg", "b.jpg"):
        write(data, name)
    index(place, [str(data)])
    save(place, "cats", str(data / "a.jpg"))
    return place


def listed(place: Place, everything: bool = False) -> list[str]:
    return [str(each.ref) for each in list_datasets(place.instance, everything)]


def test_commit_wins_over_delete(cats: Place, backend: Watched) -> None:
    """Somebody commits right before the tombstone is written: their version stays."""

    def before(name: str) -> None:
        backend.before = None
        save(cats, "cats", "ds:root")

    backend.before = before
    with pytest.raises(Conflict, match=r"cats\.v2"):
        delete_datasets(cats, [CATS])
    assert listed(cats) == ["ds:cats.v2"]


def test_delete_race(cats: Place, race: Race) -> None:
    outcomes = race(cats.instance.url, *[("delete", "ds:cats")] * 4)
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "Conflict", "NotFound"}
    assert listed(cats, everything=True) == ["ds:cats.v2", "ds:cats.v1"]


def test_rename_race_to_one_name(cats: Place, race: Race) -> None:
    save(cats, "dogs", str(Path(cats.cwd) / "data/b.jpg"))
    outcomes = race(cats.instance.url, ("rename", "ds:cats", "pets"), ("rename", "ds:dogs", "pets"))
    assert outcomes == ["Conflict", "done"]
    assert len(listed(cats)) == 2
    assert "ds:pets.v1" in listed(cats)


def test_rename_race_of_one_dataset(cats: Place, race: Race) -> None:
    """Whatever wins, at least one name holds the data, and the old name is gone."""
    outcomes = race(cats.instance.url, ("rename", "ds:cats", "x"), ("rename", "ds:cats", "y"))
    assert "done" in outcomes
    assert set(outcomes) <= {"done", "Conflict", "NotFound"}
    live = listed(cats)
    assert "ds:cats.v1" not in live
    assert live
    for name in live:
        version = head(cats.instance, parse_version(name).ref)
        assert version is not None
        assert version.commit.maps["dataset"].count == 1


def test_rename_that_stops_in_between(cats: Place, backend: Watched) -> None:
    """Both names hold the data then, and either can be deleted."""

    class Stop(BaseException):
        pass

    def before(name: str) -> None:
        if name == "cats":
            raise Stop

    backend.before = before
    with pytest.raises(Stop):
        rename_dataset(cats, CATS, "pets")
    backend.before = None
    assert listed(cats) == ["ds:cats.v1", "ds:pets.v1"]
    delete_datasets(cats, [CATS])
    assert listed(cats) == ["ds:pets.v1"]


def test_rename_while_somebody_commits(cats: Place, backend: Watched) -> None:
    """Their version is not part of the new name, so the old name stays and is said to."""

    def before(name: str) -> None:
        if name == "cats":
            backend.before = None
            save(cats, "cats", "ds:root")

    backend.before = before
    with pytest.raises(Conflict) as caught:
        rename_dataset(cats, CATS, "pets")
    assert "ds:pets.v1 holds ds:cats.v1" in caught.value.hint
    assert listed(cats) == ["ds:cats.v2", "ds:pets.v1"]


def test_renamed_keeps_its_parent(cats: Place) -> None:
    old = head(cats.instance, dataset_ref("cats"))
    assert old is not None
    new = rename_dataset(cats, CATS, "pets")
    assert new.commit.parents == (old.oid,)
    assert new.commit.maps == old.commit.maps
