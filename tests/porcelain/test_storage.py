"""Registering storage locations at the same time."""

from __future__ import annotations

import os
from pathlib import Path

from ldb.porcelain.place import Place
from tests.porcelain.conftest import Race


def test_every_location_is_kept(place: Place, tmp_path: Path, race: Race) -> None:
    folders = [str(tmp_path / f"s{number}") for number in range(6)]
    for folder in folders:
        os.mkdir(folder)
    outcomes = race(place.instance.url, *(("add-storage", folder) for folder in folders))
    assert outcomes == ["done"] * 6
    urls = [each.url for each in place.instance.settings().locations]
    assert urls == sorted(f"file://{path}" for path in [*folders, str(tmp_path / "data")])


def test_one_read_add_location_at_most(place: Place, tmp_path: Path, race: Race) -> None:
    folders = [str(tmp_path / f"s{number}") for number in range(4)]
    for folder in folders:
        os.mkdir(folder)
    outcomes = race(place.instance.url, *(("read-add", folder) for folder in folders))
    assert outcomes == ["Conflict"] * 3 + ["done"]
    assert sum(each.read_add for each in place.instance.settings().locations) == 1


def test_quick_start_of_two_at_once(tmp_path: Path, race: Race) -> None:
    outcomes = race(str(tmp_path), *[("quick-start",)] * 4)
    assert outcomes == ["done"] * 4
    config = (tmp_path / ".ldb" / "config").read_text()
    assert config.count("instance =") == 1
