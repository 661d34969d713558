"""Fixtures for all tests: nobody's own settings are read or written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from ldb.instance import Instance

pytest_plugins = ["tests.clouds.fixtures"]

# A shared, busy machine makes single examples slow without anything being wrong.
settings.register_profile("ldb", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ldb")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and no LDB or XDG variable from outside."""
    folder = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("LDB_", "_LDB_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children may be forked, until the test itself opens a bucket: as in a new process."""
    from ldb import processes  # as below

    monkeypatch.setattr(processes, "_may_fork", True)


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """A new, empty instance in a local folder."""
    # imported here so that a mistake up there does not keep the lower layers' tests from running
    from ldb.backends.local import LocalBackend
    from ldb.instance import create

    return create(LocalBackend(tmp_path / "instance"))
