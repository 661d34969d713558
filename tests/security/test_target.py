"""Links put into a target folder while files are written there lead nowhere."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

from ldb.errors import LdbError
from ldb.instance import Instance
from tests.instantiate.conftest import World

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")


@pytest.fixture
def world(instance: Instance, tmp_path: Path) -> World:
    (tmp_path / "source").mkdir()
    return World(instance, tmp_path / "source", tmp_path / "target")


def test_links_planted_during_the_run(world: World, tmp_path: Path) -> None:
    for at in range(60):
        world.put(f"{at % 4}/{at:03}.jpg", b"image %d" % at, b'{"n": %d}' % at)
    world.index()
    outside = tmp_path / "outside"
    outside.mkdir()
    stop = threading.Event()

    def plant() -> None:
        """Put links where folders and files are going to be, again and again."""
        while not stop.is_set():
            for name in ("0", "1/004.jpg", "2", ".ldb_instantiating", ".ldb_instantiated"):
                path = world.target / name
                with contextlib.suppress(OSError):
                    if path.is_dir() and not path.is_symlink():
                        path.rename(tmp_path / f"moved-{os.urandom(4).hex()}")
                    else:
                        path.unlink(missing_ok=True)
                    path.symlink_to(outside)

    planter = threading.Thread(target=plant)
    planter.start()
    try:
        for _ in range(4):
            with contextlib.suppress(LdbError, OSError):
                world.run(preserve_paths=True, force=True)
    finally:
        stop.set()
        planter.join()
    assert os.listdir(outside) == []
