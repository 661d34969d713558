"""What the demo computes from pixels, and the files it writes."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest

from demo import digits
from demo.run import MARK, NotOurs, make_room

SIDE = digits.SIDE


def image(*rows: str) -> bytes:
    """Pixels from letters: `#` is ink; what is not given is background."""
    padded = [row.ljust(SIDE) for row in rows] + [" " * SIDE] * (SIDE - len(rows))
    return bytes(255 if letter == "#" else 0 for row in padded for letter in row)


EIGHT = image("###", "# #", "###", "# #", "###")


def test_loops_of_an_eight() -> None:
    assert digits.loops(EIGHT) == [
        {"x": 1, "y": 1, "width": 1, "height": 1, "pixels": 1},
        {"x": 1, "y": 3, "width": 1, "height": 1, "pixels": 1},
    ]


def test_a_loop_with_an_opening_is_none() -> None:
    assert digits.loops(image("###", "#", "###")) == []


def test_a_loop_closed_by_corners_alone_is_one() -> None:
    assert len(digits.loops(image(" # ", "# #", " # "))) == 1
    assert len(digits.strokes(image(" # ", "# #", " # "))) == 1


def test_strokes_are_told_apart_the_largest_first() -> None:
    strokes = digits.strokes(image("#", "", "  ####", "     #"))
    assert strokes == [
        {"x": 2, "y": 2, "width": 4, "height": 2, "pixels": 5},
        {"x": 0, "y": 0, "width": 1, "height": 1, "pixels": 1},
    ]


def test_edges_do_not_touch_each_other() -> None:
    """The last pixel of a row is no neighbour of the first of the next."""
    assert len(digits.strokes(image(" " * (SIDE - 1) + "#", "#"))) == 2


def test_everything_ink_and_nothing_ink() -> None:
    full, empty = bytes([255]) * SIDE * SIDE, bytes(SIDE * SIDE)
    whole = {"x": 0, "y": 0, "width": SIDE, "height": SIDE, "pixels": SIDE * SIDE}
    assert digits.annotation(full, "0") == {"label": "0", "ink": 1, "strokes": [whole], "loops": []}
    assert digits.annotation(empty, "0") == {"label": "0", "ink": 0, "strokes": [], "loops": []}


def test_png_holds_the_pixels() -> None:
    data, found = digits.png(EIGHT), {}
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at = 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        (check,) = struct.unpack(">I", data[at + 8 + size : at + 12 + size])
        assert check == zlib.crc32(kind + body)
        found[kind] = body
        at += 12 + size
    assert list(found) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", found[b"IHDR"]) == (SIDE, SIDE, 8, 0, 0, 0, 0)
    rows = zlib.decompress(found[b"IDAT"])
    step = SIDE + 1
    assert b"".join(rows[at + 1 : at + step] for at in range(0, len(rows), step)) == EIGHT
    assert set(rows[::step]) == {0}


def test_drawn() -> None:
    lines = digits.drawn(image("##", "##", " #", "")).split("\n")
    assert lines == ["##", " :"]


def test_written_files_say_what_was_counted(tmp_path: Path) -> None:
    ring = image("#####", "#   #", "#   #", "#   #", "#####", "    #")
    group = [digits.Digit(ring, "9"), digits.Digit(EIGHT, "8"), digits.Digit(image("#"), "1")]
    made = digits.write(tmp_path, group)
    assert (made.images, made.copies) == (3, 2)
    assert made.wrong == {str(tmp_path / "00" / "0000.json"): "9"}
    notes = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("00/*.json"))]
    assert [note["label"] for note in notes] == ["4", "8", "1"]
    for copy in tmp_path.glob("again/*"):
        original = tmp_path / "00" / copy.name.replace("-copy", "")
        assert copy.read_bytes() == original.read_bytes()


def test_only_the_demos_own_folder_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "demo-folder"
    make_room(folder)
    (folder / "inside").mkdir()
    make_room(folder)
    assert [path.name for path in folder.iterdir()] == [MARK]
    (folder / MARK).unlink()
    (folder / "mine.txt").write_text("precious")
    with pytest.raises(NotOurs, match="not made by the demo"):
        make_room(folder)
    assert (folder / "mine.txt").read_text() == "precious"
