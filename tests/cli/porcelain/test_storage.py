"""`ldb storage`."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cli.conftest import Ldb
from tests.cli.porcelain.conftest import Pets


def test_list(ldb: Ldb) -> None:
    ldb("init", "inst")
    assert ldb("storage", "list").out == ""
    assert ldb("storage", "list", "--json").out == "[]\n"
    for name in ("b", "a"):
        os.mkdir(name)
        ldb("add-storage", *(["-a", "true"] if name == "b" else []), name)
    here = os.getcwd()
    assert ldb("storage", "list").out == f"{here}/a\n{here}/b  read-add\n"


def test_del(pets: Pets) -> None:
    assert pets.ok("storage", "del", str(pets.data)).out == ""
    assert pets.ok("storage", "list").out == ""
    assert len(pets.names("ds:root")) == 6, "what was indexed stays indexed"
    assert "add-storage" in pets.fails(2, "index", str(pets.data))
    pets.fails(3, "storage", "del", str(pets.data))


def test_del_of_a_folder_that_is_gone(ldb: Ldb, tmp_path: Path) -> None:
    ldb("init", "inst")
    os.mkdir("data")
    ldb("add-storage", "data")
    os.rmdir("data")
    assert ldb("storage", "del", "data").code == 0


def test_no_instance(ldb: Ldb, home: Path) -> None:
    assert ldb("storage", "list").code == 3
    assert os.listdir(home) == []
