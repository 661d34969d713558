"""Reading files, and noticing when they change. Races: tests/indexing/test_bad_input.py."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ldb.errors import BadInput
from ldb.storage.reading import COARSE_NS, FINE_NS, WHOLE, hash_file, read_bytes, settled_mtime

SECOND = 10**9
NOW = 1_700_000_000 * SECOND + 5


@pytest.mark.parametrize("size", [0, 1, 1000, WHOLE, WHOLE + 1])
@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_hash(tmp_path: Path, size: int, algorithm: str) -> None:
    content = os.urandom(min(size, 1000)) * (size // 1000 + 1)
    path = tmp_path / "a"
    path.write_bytes(content[:size])
    digest, state = hash_file(os.fsencode(path), algorithm)
    assert digest == hashlib.new(algorithm, content[:size]).digest()
    assert state.st_size == size


def test_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bytes(os.fsencode(path), 5)[0] == b"12345"
    with pytest.raises(BadInput, match="5 bytes; the limit is 4"):
        read_bytes(os.fsencode(path), 4)


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="regular"):
        hash_file(os.fsencode(tmp_path), "md5")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(os.fsencode(tmp_path / "no"), 5)


@pytest.mark.parametrize(
    ("mtime", "settled"),
    [
        (NOW - FINE_NS - 1, True),
        (NOW - FINE_NS, False),
        (NOW, False),
        (NOW + SECOND, False),
        (-SECOND - 1, False),
        (NOW - 5 - SECOND, False),
        (NOW - 5 - COARSE_NS - SECOND, True),
    ],
    ids=["old", "tick", "now", "future", "before 1970", "whole second", "old whole second"],
)
def test_settled(mtime: int, settled: bool) -> None:
    assert settled_mtime(mtime, NOW) == (mtime if settled else 0)
