"""The cache: whole files under the right names, whoever writes and whoever is killed."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import stat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.errors import BadInput, StoreFailed
from ldb.storage.cache import (
    OURS,
    UNFINISHED,
    Cache,
    Usage,
    Wrong,
    clean,
    may_be_cleaned,
    prepare,
    usage,
)
from ldb.storage.reading import HASHES


def md5(data: bytes) -> bytes:
    return hashlib.md5(data).digest()


def keep(cache: Cache, data: bytes) -> Path:
    return Path(cache.keep(md5(data), len(data), [data]))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != OURS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(folder: Path) -> Iterator[Cache]:
    with Cache(str(folder), "md5") as cache:
        yield cache


def test_layout_is_that_of_dvc(cache: Cache, folder: Path) -> None:
    path = keep(cache, b"tom")
    assert path == folder / "files/md5/34/b7da764b21d298ef307d04d8152dc5"
    assert path.read_bytes() == b"tom"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_sha256_lies_apart(folder: Path) -> None:
    digest = hashlib.sha256(b"tom").digest()
    with Cache(str(folder), "sha256") as cache:
        path = Path(cache.keep(digest, 3, [b"tom"]))
    assert path == folder / "files/sha256" / digest.hex()[:2] / digest.hex()[2:]


def test_find_goes_by_size(cache: Cache) -> None:
    assert cache.find(md5(b"tom"), 3) is None
    path = keep(cache, b"tom")
    assert cache.find(md5(b"tom"), 3) == str(path)
    assert cache.find(md5(b"tom"), 4) is None


@given(
    data=st.binary(max_size=50),
    cuts=st.lists(st.integers(0, 50), max_size=4),
    algorithm=st.sampled_from(sorted(HASHES)),
)
def test_pieces_in_any_cut(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int], algorithm: str
) -> None:
    edges = [0, *sorted(cuts), 50]
    pieces = [data[start:stop] for start, stop in pairwise(edges)]
    name = HASHES[algorithm](data).digest()
    with Cache(str(tmp_path_factory.mktemp("cache")), algorithm) as cache:
        assert Path(cache.keep(name, len(data), pieces)).read_bytes() == data


@pytest.mark.parametrize("came", [b"tim", b"to", b"", b"tommy"])
def test_wrong_bytes_leave_nothing(cache: Cache, folder: Path, came: bytes) -> None:
    with pytest.raises(Wrong, match="changed since it was indexed"):
        cache.keep(md5(b"tom"), 3, [came])
    cache.close()
    assert files(folder) == []


def test_no_more_is_taken_than_the_size(cache: Cache) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    with pytest.raises(Wrong, match="more than 5000 bytes"):
        cache.keep(md5(b"tom"), 5000, endless())


def test_failing_source_leaves_nothing(cache: Cache, folder: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"to"
        raise StoreFailed("s3://pets/tom", "reset")

    with pytest.raises(StoreFailed, match="reset"):
        cache.keep(md5(b"tom"), 3, breaking())
    cache.close()
    assert files(folder) == []


def test_damaged_file_is_replaced(cache: Cache) -> None:
    path = keep(cache, b"tom")
    path.chmod(0o644)
    path.write_bytes(b"tim")
    assert keep(cache, b"tom").read_bytes() == b"tom"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_group_shares_new_folders(folder: Path) -> None:
    above = folder / "files/md5"
    above.mkdir(parents=True)
    above.chmod(0o2775)
    with Cache(str(folder), "md5") as cache:
        path = keep(cache, b"tom")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o2775


def _keep_all(folder: str, seed: int) -> None:
    with Cache(folder, "md5") as cache:
        for number in range(200):
            data = b"%d" % ((number + seed) % 200)
            assert keep(cache, data).read_bytes() == data


def test_many_processes_keep_the_same(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_keep_all, args=(str(folder), 50 * n)) for n in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    found = files(folder)
    assert len(found) == 200
    for path in found:
        assert md5(path.read_bytes()).hex() == path.parent.name + path.name


def _die_while_writing(folder: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"to"
        os.kill(os.getpid(), 9)

    Cache(folder, "md5").keep(md5(b"tom"), 3, pieces())


def test_left_overs_of_the_dead_are_removed_and_of_the_living_not(folder: Path) -> None:
    child = multiprocessing.get_context("spawn").Process(
        target=_die_while_writing, args=(str(folder),)
    )
    child.start()
    child.join()
    assert child.exitcode == -9
    [left] = (folder / UNFINISHED).iterdir()
    assert {path.stat().st_size for path in left.iterdir()} == {0, 2}
    assert not (folder / "files").exists()

    with Cache(str(folder), "md5") as living:
        keep(living, b"kit")
        for each in (folder / UNFINISHED).iterdir():
            os.utime(each, (1, 1))
        with Cache(str(folder), "md5") as other:
            keep(other, b"rex")
            there = set((folder / UNFINISHED).iterdir())
            assert len(there) == 2
            assert left not in there
    assert list((folder / UNFINISHED).iterdir()) == []


def test_cleaning_takes_what_was_not_used_for_longest(cache: Cache, folder: Path) -> None:
    for age, data in enumerate([b"newest", b"middle", b"oldest"]):
        path = keep(cache, data)
        os.utime(path, (2e9 - 1e6 * age, 1e9))
    assert usage(str(folder)) == Usage(3, 18)
    os.utime(cache.path(md5(b"oldest")), (1e9, 1e9))
    cache.find(md5(b"oldest"), 6)  # used again: now it is newer than 1e9, not than 2e9
    os.utime(cache.path(md5(b"middle")), (1e9, 1e9))
    assert clean(str(folder), 12) == Usage(1, 6)
    assert cache.find(md5(b"middle"), 6) is None
    assert clean(str(folder), 0) == Usage(2, 12)
    assert usage(str(folder)) == Usage(0, 0)


def test_a_cache_of_others_is_never_cleaned(folder: Path) -> None:
    theirs = folder / "files/md5/00" / ("1" * 30)
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"nowhere else")
    with Cache(str(folder), "md5") as cache:
        keep(cache, b"tom")
    assert not may_be_cleaned(str(folder))
    with pytest.raises(BadInput, match="not LDB's alone"):
        clean(str(folder), 0)
    assert theirs.read_bytes() == b"nowhere else"


@pytest.mark.parametrize("where", ["project/.dvc/cache", "shared"])
def test_a_cache_that_dvc_came_to_use_is_never_cleaned(tmp_path: Path, where: str) -> None:
    folder = tmp_path / where
    prepare(str(folder))
    assert may_be_cleaned(str(folder)) == (where == "shared")
    listing = folder / "files/md5/00" / ("1" * 30 + ".dir")
    listing.parent.mkdir(parents=True)
    listing.write_bytes(b"[]")
    with pytest.raises(BadInput):
        clean(str(folder), 0)


def test_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with Cache(str(tmp_path / "file"), "md5") as cache, pytest.raises(StoreFailed, match="cache"):
        keep(cache, b"tom")
    with Cache("relative", "md5") as cache, pytest.raises(BadInput, match="absolute"):
        keep(cache, b"tom")
