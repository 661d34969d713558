"""The target folder by itself: names, folders, and file systems that cannot link."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ldb.errors import BadInput
from ldb.instantiate.target import OPEN_FOLDERS, Refused, Target, prepared, split


def make(target: Target, folder: str, name: str, data: bytes, replace: bool = False) -> bool:
    fd = target.new_file()
    os.write(fd, data)
    os.close(fd)
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


def test_a_relative_folder_is_refused() -> None:
    with pytest.raises(BadInput, match="absolute"), prepared("somewhere", False, ""):
        pass
