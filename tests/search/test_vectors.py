"""Kept vectors: format, what is passed over, many writers, merging."""

from __future__ import annotations

import multiprocessing
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ldb.search.vectors import MANY, Unfit, VectorStore, encode_part, read_part, unit


def ids_of(*numbers: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in numbers]


def keys(*numbers: int) -> NDArray[np.bytes_]:
    return np.frombuffer(b"".join(ids_of(*numbers)), "S16")


def vectors_of(*numbers: int) -> NDArray[np.float32]:
    """A vector for each number: its angle in degrees."""
    angles = np.radians(numbers)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def store(folder: Path, name: str = "hue", version: str = "1") -> VectorStore:
    return VectorStore(str(folder), name, version, 16)


EAST = np.array([2, 0], np.float32)


def test_what_is_added_is_found_again(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.add(ids_of(90, 0, 45), vectors_of(90, 0, 45))
    for kept in (first, store(tmp_path)):
        found = kept.scores(keys(45, 7, 90, 0), EAST)
        assert found.known.tolist() == [True, False, True, True]
        assert np.allclose(found.values, [0.70710677, np.nan, 0, 1], atol=1e-6, equal_nan=True)
        assert kept.known(keys(7, 0)).tolist() == [False, True]


def test_the_worked_example() -> None:
    data = b"".join(encode_part(keys(1, 2), vectors_of(0, 90), "hue", "1"))
    header = b'{"count": 2, "dimensions": 2, "encoder": "hue", "id_bytes": 16, "version": "1"}'
    crc = zlib.crc32(header + b"".join(ids_of(1, 2)))
    assert data[:16] == b"LDBVEC1\n" + struct.pack("<II", len(header), crc)
    assert data[16 : 16 + len(header)] == header
    assert data[128:160] == b"".join(ids_of(1, 2))
    assert data[192:] == vectors_of(0, 90).astype("<f4").tobytes()
    assert (len(header), len(data)) == (79, 208)


def test_encoders_and_versions_are_kept_apart(tmp_path: Path) -> None:
    store(tmp_path).add(ids_of(1), vectors_of(0))
    for other in (store(tmp_path, version="2"), store(tmp_path, "hue2"), store(tmp_path, "../x")):
        assert not other.known(keys(1)).any()
    store(tmp_path, "../x").add(ids_of(1), vectors_of(0))
    assert {path.parent for path in tmp_path.rglob("*.vectors")} == {
        path for path in tmp_path.iterdir() if path.is_dir()
    }


def test_nan_says_that_nothing_can_be_encoded(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.add(ids_of(1, 2), np.array([[np.nan, np.nan], [1, 0]], np.float32))
    found = kept.scores(keys(1, 2), EAST)
    assert found.known.all()
    assert np.isnan(found.values[0])


def test_without_a_folder_they_are_kept_in_memory() -> None:
    kept = VectorStore("", "hue", "1", 16)
    kept.add(ids_of(1), vectors_of(0))
    assert kept.scores(keys(1), EAST).values.tolist() == [1.0]


WHOLE = b"".join(encode_part(keys(1, 2, 3), vectors_of(1, 2, 3), "hue", "1"))
VECTORS_AT = 192


@given(st.binary(max_size=300), st.integers(0, VECTORS_AT))
@settings(max_examples=50)
def test_damage_is_passed_over(junk: bytes, at: int) -> None:
    with tempfile.NamedTemporaryFile() as file:
        for text in (junk, WHOLE[:at], WHOLE[:at] + junk, WHOLE + junk + b"x"):
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()
            with pytest.raises(Unfit):
                read_part(file.name, "hue", "1", 16)


def test_a_flipped_bit_before_the_vectors_is_found(tmp_path: Path) -> None:
    data = bytearray(b"".join(encode_part(keys(1, 2), vectors_of(1, 2), "hue", "1")))
    used = [*range(16 + 79), *range(128, 160)]
    path = tmp_path / "x"
    for at in used[::3]:
        data[at] ^= 4
        path.write_bytes(data)
        with pytest.raises(Unfit):
            read_part(str(path), "hue", "1", 16)
        data[at] ^= 4


def test_strange_files_are_left_alone(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.add(ids_of(1), vectors_of(0))
    folder = Path(kept.folder)
    (folder / ("0" * 32 + ".vectors")).write_bytes(b"junk")
    (folder / "notes.txt").write_text("mine")
    again = store(tmp_path)
    again.add(ids_of(2), vectors_of(0))
    assert again.known(keys(1, 2)).all()
    assert (folder / "notes.txt").read_text() == "mine"


def test_many_files_become_few(tmp_path: Path) -> None:
    kept = store(tmp_path)
    for number in range(3 * MANY):
        kept.add(ids_of(number), vectors_of(number % 90))
    assert len(list(tmp_path.rglob("*.vectors"))) <= MANY + 1
    for each in (kept, store(tmp_path)):
        found = each.scores(keys(*range(3 * MANY)), EAST).values
        assert np.allclose(found, np.cos(np.radians(np.arange(3 * MANY) % 90)), atol=1e-6)


def write_some(folder: str, start: int) -> None:
    kept = store(Path(folder))
    for number in range(start, start + 40):
        kept.add(ids_of(number), vectors_of(number % 90))


def test_writers_that_merge_at_once_lose_nothing(tmp_path: Path) -> None:
    context: Any = multiprocessing.get_context("fork")
    children = [
        context.Process(target=write_some, args=(str(tmp_path), start)) for start in (0, 40, 80)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert store(tmp_path).known(keys(*range(120))).all()


def test_vectors_without_a_direction() -> None:
    made = unit([[3, 4], [0, 0], [np.inf, 1], [np.nan, 0]])
    assert np.allclose(made[0], [0.6, 0.8])
    assert np.isnan(made[1:]).all()
