"""Listing by several processes gives what listing by one gives, in the same order."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.catalog import PATHS
from ldb.engines.local import LocalEngine
from ldb.errors import NotFound, StoreFailed
from ldb.indexing import spreadwalk, walkers
from ldb.indexing.seen import Seen
from ldb.indexing.spreadwalk import Found, walk_spread
from ldb.indexing.walkers import Listed, walk_large
from ldb.storage.listing import Folder, Skip, identity, walk

Problems = list[tuple[bytes, str]]


def listed(root: Path, processes: int, skip: Skip = frozenset()) -> tuple[list[Folder], Problems]:
    problems: Problems = []

    def report(path: bytes, why: str) -> None:
        problems.append((path, why))

    path = os.fsencode(root) + b"/"
    if processes == 1:
        return list(walk(path, report, skip)), problems
    found = walk_large(path, report, skip, processes)
    return [as_folder(each) for each in found], problems


def as_folder(found: Folder | Listed) -> Folder:
    return found.folder() if isinstance(found, Listed) else found


def grow(root: Path, seed: int) -> None:
    """A tree with names that sort oddly beside `/`, empty folders and files at all levels."""
    chance = random.Random(seed)
    folders = [root]
    for _ in range(60):
        above = chance.choice(folders)
        folder = above / chance.choice(["a", "a-b", "a.b", "a b", "b", "é", "c0", "z~", "A"])
        folder.mkdir(exist_ok=True)
        folders.append(folder)
        for number in range(chance.randrange(4)):
            (folder / f"{number}.jpg").write_bytes(b"x" * number)


def spread(root: Path, most: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Folder], Problems]:
    """By the worker of an engine, which here is this process."""
    problems: Problems = []
    path, engine = os.fsencode(root) + b"/", LocalEngine(1)

    def report(where: bytes, why: str) -> None:
        problems.append((where, why))

    monkeypatch.setattr(spreadwalk, "MOST", most)
    own = str(root / "own")
    skip = frozenset({identity(os.fsencode(own))}) if os.path.exists(own) else frozenset()
    found = walk_spread(path, report, skip, own, engine)
    return [as_folder(each) for each in found], problems


@pytest.mark.parametrize("most", [1, 4, 1000])
@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_spread_over_workers(
    tmp_path: Path, seed: int, together: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(tmp_path, seed)
    monkeypatch.setattr(spreadwalk, "ITEMS", 1)
    monkeypatch.setattr(spreadwalk, "TOGETHER", together)
    (tmp_path / "b").mkdir(exist_ok=True)
    (tmp_path / "b" / "loop").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "b" / "pipe")
    folders, problems = spread(tmp_path, most, monkeypatch)
    expected, known = listed(tmp_path, 1)
    assert (folders, sorted(problems)) == (expected, sorted(known))
    assert len(problems) == 2


def test_spread_skips_the_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "own/below", "z"):
        (tmp_path / name).mkdir(parents=True)
    folders, problems = spread(tmp_path, 1, monkeypatch)
    assert [os.path.basename(each.path[:-1]) for each in folders[1:]] == [b"a", b"z"]
    assert problems == []


def test_a_folder_that_a_worker_does_not_see(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    problems: Problems = []

    def report(where: bytes, why: str) -> None:
        problems.append((where, why))

    gone = os.fsencode(tmp_path / "gone")
    spreadwalk._check(Found(missing=[gone]), report)
    assert problems == [(gone, "is gone since its folder was listed")]
    with pytest.raises(NotFound, match=r"on the worker at .*: folder not found: .*there"):
        spreadwalk._check(Found(missing=[os.fsencode(tmp_path / "there")]), report)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("processes", [2, 3])
def test_the_same_folders_in_the_same_order(tmp_path: Path, seed: int, processes: int) -> None:
    grow(tmp_path, seed)
    assert listed(tmp_path, processes) == listed(tmp_path, 1)


def test_below_a_chain_of_single_folders(tmp_path: Path) -> None:
    deep = tmp_path / "only" / "this"
    deep.mkdir(parents=True)
    (deep.parent / "file.jpg").write_bytes(b"1")
    grow(deep, 1)
    folders, _ = listed(tmp_path, 2)
    assert folders == listed(tmp_path, 1)[0]
    assert folders[1].names == [b"file.jpg"]


def test_problems_come_with_the_rest(tmp_path: Path) -> None:
    for name in "abcdef":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").write_bytes(b"x")
    (tmp_path / "c" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "e" / "nowhere").symlink_to(tmp_path / "absent")
    os.mkfifo(tmp_path / "f" / "pipe")
    folders, problems = listed(tmp_path, 2)
    assert (folders, sorted(problems)) == (listed(tmp_path, 1)[0], sorted(listed(tmp_path, 1)[1]))
    assert len(problems) == 3


def test_a_loop_of_single_folders_ends(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path, target_is_directory=True)
    assert listed(tmp_path, 2) == listed(tmp_path, 1)


def test_a_folder_to_skip_is_skipped(tmp_path: Path) -> None:
    for name in "abcdef":
        (tmp_path / name).mkdir()
    status = os.stat(tmp_path / "d")
    folders, problems = listed(tmp_path, 2, frozenset({(status.st_dev, status.st_ino)}))
    assert [os.path.basename(each.path[:-1]) for each in folders[1:]] == [
        b"a",
        b"b",
        b"c",
        b"e",
        b"f",
    ]
    assert not problems


def test_a_root_that_is_gone(tmp_path: Path) -> None:
    folders, problems = listed(tmp_path / "absent", 2)
    assert folders[0].unlisted
    assert problems


def test_times_beyond_64_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(b"/a/", [b"x"], [1], [1 << 70])
    assert listed_of(folder).folder() == folder
    assert not listed_of(folder).same_as(rows_of(b"p", folder), 1)


def listed_of(folder: Folder) -> Listed:
    return Listed(*walkers.packed(folder))


def rows_of(prefix: bytes, folder: Folder) -> Seen:
    """Rows of the index that know just these files, as far as rows can hold them."""
    rows = PATHS.blank(PATHS.column([prefix + name for name in folder.names]))
    for field, numbers in ((1, folder.sizes), (2, folder.mtimes)):
        column = np.array([number % (1 << 64) for number in numbers], "<u8")
        rows.fields[field][:] = column.view(np.uint8).reshape(-1, 8)
    return Seen([rows])


NAMES = st.lists(
    st.sampled_from(["a", "b", "ab", "a.b", "ba", "abc", "é", "x1", "x2", "x10"]), unique=True
)


@given(NAMES, NAMES, st.integers(-1, 1), st.integers(-1, 1), st.sampled_from([b"p", b"pa", b"a"]))
def test_same_where_the_lists_are(
    names: list[str], others: list[str], size: int, mtime: int, prefix: bytes
) -> None:
    now = Folder(b"/f/", sorted(name.encode() for name in names))
    now.sizes, now.mtimes = [5] * len(names), [7] * len(names)
    old = Folder(b"/f/", sorted(name.encode() for name in others))
    old.sizes, old.mtimes = [5] * len(others), [7] * len(others)
    if others:
        old.sizes[-1] += size
        old.mtimes[0] += mtime
    seen = rows_of(prefix, old)
    same = (now.names, now.sizes, now.mtimes) == (old.names, old.sizes, old.mtimes)
    assert listed_of(now).same_as(seen, len(prefix)) == (same and bool(names))
    assert seen.keys == [prefix + name for name in old.names]
    assert (seen.sizes, seen.mtimes) == (old.sizes, old.mtimes)


def test_a_killed_child_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcdef":
        (tmp_path / name).mkdir()
    parent = os.getpid()

    def deadly(*given: object) -> object:
        if os.getpid() != parent:
            os._exit(9)
        return walk(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(walkers, "walk", deadly)
    with pytest.raises(StoreFailed, match="worker process died"):
        listed(tmp_path, 2)


def test_leaving_early_ends_the_children(tmp_path: Path) -> None:
    grow(tmp_path, 2)
    folders = walk_large(os.fsencode(tmp_path) + b"/", lambda path, why: None, frozenset(), 2)
    next(folders)
    folders.close()  # type: ignore[attr-defined]
