"""`ldb init`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Ldb


def test_new_folder(ldb: Ldb, home: Path, tmp_path: Path) -> None:
    done = ldb("init", "inst")
    where = tmp_path / "work" / "inst"
    assert (done.code, done.out) == (0, "")
    assert str(where) in done.err
    assert (home / ".ldb" / "config").read_text() == f"[core]\ninstance = {where}\n"
    assert ldb("storage", "list").code == 0


def test_settings_without_an_instance_name_it_from_now_on(
    ldb: Ldb, home: Path, tmp_path: Path
) -> None:
    """As after `config set` of a server's address, which `init` in a bucket needs first."""
    assert ldb("config", "set", "core.author", "Ann").code == 0
    assert "names it as the one to use" in ldb("init", "inst").err
    assert ldb("config", "get", "core.author").out == "Ann\n"
    assert ldb("config", "get", "core.instance").out == f"{tmp_path / 'work' / 'inst'}\n"


def test_settings_that_name_one_stay(ldb: Ldb, home: Path) -> None:
    assert ldb("init", "inst").code == 0
    before = (home / ".ldb" / "config").read_text()
    done = ldb("init", "another")
    assert done.code == 0
    assert "names it as the one to use" not in done.err
    assert (home / ".ldb" / "config").read_text() == before


def test_how_to_use_it_is_said_where_another_is_in_use(ldb: Ldb, tmp_path: Path) -> None:
    ldb("init", "first")
    work = tmp_path / "work"
    done = ldb("init", "the second")
    assert f"the one in use is still {work}/first\n" in done.err
    assert f"ldb config set core.instance '{work}/the second'\n" in done.err
    assert "in use" not in ldb("init", "-f", "first").err


def test_file_url(ldb: Ldb, tmp_path: Path) -> None:
    assert ldb("init", f"file://{tmp_path}/new").code == 0
    assert (tmp_path / "new" / "instance").exists()


def test_a_bucket_a_slash_short(ldb: Ldb, tmp_path: Path) -> None:
    done = ldb("init", "s3:/bucket/ldb")
    assert (done.code, "write s3://bucket/ldb" in done.err) == (2, True)
    assert not (tmp_path / "work" / "s3:").exists()
    assert ldb("instantiate", "-t", "gs:/bucket/x").code == 2
    named = ldb("--instance", "s3:/bucket/ldb", "list")
    assert (named.code, "write s3://bucket/ldb" in named.err) == (2, True)


def test_twice(ldb: Ldb, tmp_path: Path) -> None:
    ldb("init", "inst")
    body = Path("inst/instance").read_bytes()
    done = ldb("init", "inst")
    assert done.code == 4
    assert "-f" in done.err
    assert Path("inst/instance").read_bytes() == body


def test_force_replaces_all(ldb: Ldb) -> None:
    ldb("init", "inst")
    os.mkdir("data")
    Path("data/a.jpg").write_text("a")
    ldb("add-storage", "data")
    ldb("index", "data")
    assert ldb("init", "-f", "inst").code == 0
    assert ldb("storage", "list").out == ""
    assert ldb("ds", "list", "-a").out == ""
    assert ldb("list", "ds:root").code == 3
    assert [str(path) for path in Path("inst").rglob("*") if path.is_file()] == ["inst/instance"]


@pytest.mark.parametrize("options", [[], ["-f"]])
def test_folder_with_other_files(ldb: Ldb, options: list[str]) -> None:
    os.mkdir("mine")
    Path("mine/thesis.txt").write_text("precious")
    done = ldb("init", *options, "mine")
    assert done.code == 2
    assert "not empty" in done.err
    assert os.listdir("mine") == ["thesis.txt"]


def test_empty_folder_is_fine(ldb: Ldb) -> None:
    os.mkdir("empty")
    assert ldb("init", "empty").code == 0


def test_a_file(ldb: Ldb) -> None:
    Path("file").write_text("")
    assert ldb("init", "file").code == 2
    assert ldb("init", "file/below").code in (1, 2)


def test_object_hash(ldb: Ldb) -> None:
    assert ldb("init", "--object-hash", "sha1", "inst").code == 2
    assert not os.path.exists("inst")
    assert ldb("init", "--object-hash", "sha256", "inst").code == 0
    os.mkdir("data")
    Path("data/a.jpg").write_text("a")
    ldb("add-storage", "data")
    assert ldb("index", "data").code == 0
    assert (
        "id:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        in ldb("list", "ds:root").out
    )


def test_unknown_scheme(ldb: Ldb) -> None:
    assert ldb("init", "ftp://host/x").code == 1
