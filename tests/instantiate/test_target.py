"""The target folder by itself: names, folders, and file systems that cannot link."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ldb.errors import BadInput, Conflict
from ldb.instantiate.target import OPEN_FOLDERS, Refused, Target, prepared, split
from ldb.storage import folders


@pytest.fixture(autouse=True, params=["handle", "path"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How folders are opened."""
    if request.param == "path":
        monkeypatch.setattr(folders, "BY_HANDLE", False)


def make(target: Target, folder: str, name: str, data: bytes, replace: bool = False) -> bool:
    target.make(data)
    return target.publish(target.open_folder(folder), name, replace)


def test_a_name_that_is_taken_stays_unless_replaced(tmp_path: Path) -> None:
    with Target(str(tmp_path)) as target:
        assert make(target, "a/b", "x", b"1")
        assert not make(target, "a/b", "x", b"2")
        assert (tmp_path / "a/b/x").read_bytes() == b"1"
        assert make(target, "a/b", "x", b"3", replace=True)
    assert (tmp_path / "a/b/x").read_bytes() == b"3"


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    with Target(str(tmp_path)) as target:
        assert make(target, "", "x", b"1")
        assert not make(target, "", "x", b"2")
    assert (tmp_path / "x").read_bytes() == b"1"


def test_more_folders_than_are_kept_open(tmp_path: Path) -> None:
    with Target(str(tmp_path)) as target:
        before = len(os.listdir("/proc/self/fd"))
        for turn in range(2):
            for number in range(2 * OPEN_FOLDERS):
                assert make(target, f"d{number}/e", f"x{turn}", b"%d" % number)
        assert len(os.listdir("/proc/self/fd")) <= before + OPEN_FOLDERS
    for number in range(2 * OPEN_FOLDERS):
        assert (tmp_path / f"d{number}/e/x1").read_bytes() == b"%d" % number


@pytest.mark.parametrize("path", ["", "/x", "x/", "a//b", "../x", "a/../b", "./x", "a/..", "a\0b"])
def test_paths_that_could_lead_elsewhere(path: str) -> None:
    with pytest.raises(Refused):
        split(path)


def test_what_a_killed_run_left_is_removed_and_nothing_that_links_lead_to(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "target"
    left = folder / ".ldb_instantiating" / "123"
    left.mkdir(parents=True)
    outside.mkdir()
    (outside / "kept").write_bytes(b"kept")
    (left / "123").write_bytes(b"half")
    (left / "link").symlink_to(outside)
    (left.parent / "124").symlink_to(outside)
    (left.parent / "125").write_bytes(b"as versions before made it")
    with prepared(str(folder), False, ""):
        assert list(left.parent.iterdir()) == []
    assert list(folder.iterdir()) == []
    assert (outside / "kept").read_bytes() == b"kept"


def test_each_process_makes_its_files_in_a_folder_of_its_own(tmp_path: Path) -> None:
    with prepared(str(tmp_path), False, ""), Target(str(tmp_path)) as target:
        target.make(b"1")
        made = tmp_path / ".ldb_instantiating" / str(os.getpid())
        assert [path.read_bytes() for path in made.iterdir()] == [b"1"]
    assert list(tmp_path.iterdir()) == []


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    with prepared(str(tmp_path), False, ""):
        with (
            pytest.raises(Conflict, match="another `ldb instantiate`"),
            prepared(str(tmp_path), False, ""),
        ):
            pass
        assert (tmp_path / ".ldb_instantiating.lock").exists() is not folders.BY_HANDLE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["aux.txt", "a/b:c", "..\\x", "C:/x", "x./y", "nul"])
def test_names_that_are_none_on_windows(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert split(path)
    monkeypatch.setattr(folders, "WINDOWS_NAMES", True)
    with pytest.raises(Refused, match="Windows"):
        split(path)


def test_a_relative_folder_is_refused() -> None:
    with pytest.raises(BadInput, match="absolute"), prepared("somewhere", False, ""):
        pass
