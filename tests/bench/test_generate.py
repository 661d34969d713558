"""The generated data: the same everywhere, changeable, and put back to the byte."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest

from bench import generate
from bench.generate import annotation_bytes, image_bytes, make, parse_size, show_size


def test_a_position_always_gives_the_same_bytes() -> None:
    assert image_bytes(7) == image_bytes(7)
    assert annotation_bytes(7, 2) == annotation_bytes(7, 2)
    assert annotation_bytes(7, 2) != annotation_bytes(7, 0)
    assert len({image_bytes(position) for position in range(500)}) == 500


def test_sizes_are_those_promised() -> None:
    for position in range(500):
        assert 1000 <= len(image_bytes(position)) <= 3100
        assert 650 <= len(annotation_bytes(position)) <= 800
        assert json.loads(annotation_bytes(position))["position"] == position


def test_images_are_real_png() -> None:
    data = image_bytes(3)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    offset, kinds = 8, []
    while offset < len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        body = data[offset + 4 : offset + 8 + length]
        assert struct.unpack_from(">I", data, offset + 8 + length) == (zlib.crc32(body),)
        kinds.append(body[:4])
        offset += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.*")}


def test_change_touches_a_hundred_annotations_and_restore_puts_them_back(tmp_path: Path) -> None:
    data = make(tmp_path, 1200)
    original = contents(data.files)
    assert len(original) == 2400
    paths = data.change(3)
    changed = contents(data.files)
    different = {name for name in original if original[name] != changed[name]}
    assert different == {str(path.relative_to(data.files)) for path in paths}
    assert len(different) == 100
    data.restore()
    assert contents(data.files) == original


def test_data_is_reused_and_restored_by_the_next_run(tmp_path: Path) -> None:
    data = make(tmp_path, 150)
    original = contents(data.files)
    untouched = data.path(1, ".png").stat().st_mtime_ns
    data.change(1)
    assert make(tmp_path, 150).revision() == 0
    assert contents(data.files) == original
    assert data.path(1, ".png").stat().st_mtime_ns == untouched


def test_half_made_and_outdated_data_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make(tmp_path, 20)
    (data.root / "stamp.json").unlink()
    data.path(0, ".json").write_text("torn")
    make(tmp_path, 20)
    assert data.path(0, ".json").read_bytes() == annotation_bytes(0)
    data.path(0, ".json").write_text("of another version")
    monkeypatch.setattr(generate, "VERSION", generate.VERSION + 1)
    make(tmp_path, 20)
    assert data.path(0, ".json").read_bytes() == annotation_bytes(0)


@pytest.mark.parametrize(("text", "count"), [("250", 250), ("10k", 10_000), ("1M", 1_000_000)])
def test_sizes_are_read_and_shown(text: str, count: int) -> None:
    assert parse_size(text) == count
    assert show_size(count) == text


@pytest.mark.parametrize("text", ["", "k", "0", "-5", "1.5k", "ten"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


def test_files_of_one_kind_follow_changes(tmp_path: Path) -> None:
    data = make(tmp_path, 20)
    notes = data.only(".json")
    assert sorted(path.name for path in notes.rglob("*.*")) == [f"{n:08d}.json" for n in range(20)]
    assert {path.suffix for path in data.only(".png").rglob("*.*")} == {".png"}
    data.change(1)
    assert notes == data.only(".json")
    assert (notes / "00000/00000000.json").read_bytes() == annotation_bytes(0, 1)
