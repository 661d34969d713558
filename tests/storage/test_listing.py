"""Listing folders in the order of the index's keys."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ldb.catalog import path_key
from ldb.storage.listing import name_objection, read_folder, walk

NAMES = st.text(st.sampled_from("ab.-_ 0é/\U0001f600"), min_size=1, max_size=8)


def nothing(path: bytes, why: str) -> None:
    raise AssertionError(f"{path!r} {why}")


def make(root: Path, name: str) -> None:
    parts = [part for part in name.split("/") if part and not part.startswith(".")]
    path = root.joinpath(*parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:
        pass  # a file where another name wants a folder


@settings(max_examples=150)
@given(st.lists(NAMES, max_size=12))
def test_order_is_that_of_the_keys(names: list[str]) -> None:
    """The index walks its rows beside the folders, so one order out of place loses files."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        for name in names:
            make(root, name)
        listed = [
            folder.path + name
            for folder in walk(os.fsencode(root), nothing)
            for name in folder.names
        ]
        keys = [path_key(b"file://" + path) for path in listed]
        assert keys == sorted(keys)
        there = {os.fsencode(path) for path in root.rglob("*") if path.is_file()}
        assert set(listed) == there


def test_sizes_and_times(tmp_path: Path) -> None:
    for name, size in (("b", 5), ("a", 3)):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, ns=(0, 10**18 + size))
    folder, below = read_folder(os.fsencode(tmp_path) + b"/", nothing)
    assert (folder.names, folder.sizes, below) == ([b"a", b"b"], [3, 5], [])
    assert folder.mtimes == [10**18 + 3, 10**18 + 5]


def test_missing_folder() -> None:
    said: list[tuple[bytes, str]] = []
    [folder] = walk(b"/no/such/folder", lambda path, why: said.append((path, why)))
    assert folder.unlisted
    assert said == [(b"/no/such/folder/", "cannot be listed: No such file or directory")]


@settings(max_examples=300)
@given(st.binary(min_size=1, max_size=12))
def test_names_that_pass_can_be_keys(name: bytes) -> None:
    """What is not objected to is text without what the keys of the index give a meaning."""
    if not name_objection(name):
        assert b"\x01" not in name
        assert b"\n" not in name
        name.decode("utf-8")
