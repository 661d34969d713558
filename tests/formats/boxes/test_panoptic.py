"""Panoptic COCO, as its own tools have it: a pixel of colour R, G, B belongs to the segment
R + 256 G + 256² B of the image."""

from __future__ import annotations

import copy
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldb.formats.base import Peek, Trouble
from ldb.formats.boxes import coco, yolo
from tests.formats.boxes.labels import png
from tests.formats.boxes.places import FolderListing, read, write

CAT, SKY, CROWD = 8345037, 70_000, 255
PIXELS = np.array([[SKY] * 4, [SKY, CAT, CAT, CROWD], [0, CAT, CAT, CROWD]], np.uint32)
CATEGORIES = [
    {"id": 17, "name": "cat", "supercategory": "animal", "isthing": 1, "color": [1, 2, 3]},
    {"id": 187, "name": "sky-other", "supercategory": "sky", "isthing": 0, "color": [4, 5, 6]},
]
PANOPTIC: dict[str, Any] = {
    "info": {}, "licenses": [], "categories": CATEGORIES,
    "images": [
        {"id": 139, "file_name": "000000000139.jpg", "width": 4, "height": 3},
        {"id": 285, "file_name": "000000000285.jpg", "width": 4, "height": 3},
    ],
    "annotations": [
        {"image_id": 139, "file_name": "000000000139.png", "segments_info": [
            {"id": CAT, "category_id": 17, "iscrowd": 0, "bbox": [1, 1, 2, 2], "area": 4},
            {"id": SKY, "category_id": 187, "iscrowd": 0, "bbox": [0, 0, 4, 2], "area": 5},
            {"id": CROWD, "category_id": 17, "iscrowd": 1, "bbox": [3, 1, 1, 2], "area": 2},
        ]},
    ],
}  # fmt: skip
INSTANCES = {
    "categories": [{"id": 17, "name": "cat", "supercategory": "animal"}],
    "images": PANOPTIC["images"],
    "annotations": [
        {"id": 1, "image_id": 139, "category_id": 17, "iscrowd": 0, "bbox": [1, 1, 2, 2],
         "area": 4, "segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]},
    ],
}  # fmt: skip


def colours(ids: np.ndarray[Any, np.dtype[np.uint32]]) -> bytes:
    """A PNG whose colours are the ids."""
    rgb = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def pixels_of(data: bytes) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Ids of such a PNG, by the rule of the format."""
    raw = zlib.decompress(data[data.index(b"IDAT") + 4 : data.index(b"IEND") - 8])
    rgb = np.frombuffer(raw, np.uint8).reshape(3, -1)[:, 1:].reshape(3, 4, 3).astype(np.uint32)
    return rgb[..., 0] + 256 * rgb[..., 1] + 256**2 * rgb[..., 2]


def folder_of(root: Path, panoptic: Any, instances: Any = None) -> Path:
    masks = root / "annotations/panoptic_val2017"
    masks.mkdir(parents=True)
    (root / "val2017").mkdir()
    for image in PANOPTIC["images"]:
        (root / "val2017" / image["file_name"]).write_bytes(png())
    (masks / "000000000139.png").write_bytes(colours(PIXELS))
    (root / "annotations/panoptic_val2017.json").write_text(json.dumps(panoptic))
    if instances:
        (root / "annotations/instances_val2017.json").write_text(json.dumps(instances))
    return root


def of(root: Path) -> tuple[dict[str, Any], list[Trouble]]:
    found, troubles = read(coco.reader({}), root)
    return {Path(path).stem.lstrip("0"): value for path, value in found.items()}, troubles


@pytest.mark.parametrize("instances", [None, INSTANCES])
def test_read(tmp_path: Path, instances: Any) -> None:
    root = folder_of(tmp_path, PANOPTIC, instances)
    reader = coco.reader({})
    files = reader.files(FolderListing(root))
    assert files.data == ["val2017/000000000139.jpg", "val2017/000000000285.jpg"]
    found, troubles = of(root)
    assert (set(found), troubles) == ({"139", "285"}, [])
    assert found["139"]["subset"] == "val2017"
    assert found["139"]["segments"][0] == {
        "label": "cat", "crowd": False, "bbox": [1, 1, 2, 2], "area": 4,
        "coco": {"id": CAT, "category": {
            "id": 17, "supercategory": "animal", "isthing": 1, "color": [1, 2, 3]}},
    }  # fmt: skip
    assert [each["label"] for each in found["139"]["segments"]] == ["cat", "sky-other", "cat"]
    assert found["139"]["coco"]["panoptic"] == {"file_name": "000000000139.png"}
    assert found["285"]["segments"] == []
    # They are no objects, of which the same file of a subset has outlines.
    assert len(found["139"].get("objects", ())) == (1 if instances else 0)


@pytest.mark.parametrize("instances", [None, INSTANCES])
def test_written_again(tmp_path: Path, instances: Any) -> None:
    """Ids are those of the pixels still, categories are what they were, files know their own."""
    root = folder_of(tmp_path / "in", PANOPTIC, instances)
    found, _ = read(coco.reader({}), root)
    out = tmp_path / "out"
    losses = write(coco.writer({}), out, found, root)
    assert [each.why.partition(":")[0] for each in losses.found] == [
        "the PNG of segments is not copied"
    ]
    made = json.loads((out / "annotations/panoptic_val2017.json").read_text())
    assert made["categories"] == CATEGORIES
    assert [each["id"] for each in made["images"]] == [139, 285]
    [first] = made["annotations"]
    assert first == PANOPTIC["annotations"][0]
    ids = pixels_of((root / "annotations/panoptic_val2017/000000000139.png").read_bytes())
    assert {each["id"]: each["area"] for each in first["segments_info"]} == {
        key: int((ids == key).sum()) for key in (CAT, SKY, CROWD)
    }
    if instances:
        told = json.loads((out / "annotations/instances_val2017.json").read_text())
        assert told["categories"] == INSTANCES["categories"]
    again, troubles = of(out)
    assert troubles == []
    assert again["139"]["segments"] == of(root)[0]["139"]["segments"]
    assert again["285"]["segments"] == []


def test_other_formats_say_that_they_have_no_place(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "in", PANOPTIC, INSTANCES)
    found, _ = read(coco.reader({}), root)
    losses = write(yolo.writer({}), tmp_path / "out", found, root)
    assert "no place for segments" in [each.why for each in losses.found]


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    bad = copy.deepcopy(PANOPTIC)
    [one] = bad["annotations"]
    one["segments_info"][0]["bbox"] = [1]
    one["segments_info"][2]["category_id"] = 99
    bad["annotations"] += [one, {"image_id": 285, "file_name": "x", "segments_info": {}}]
    found, troubles = of(folder_of(tmp_path, bad))
    assert [(each.record, each.why.partition(" of ")[0]) for each in troubles] == [
        ("annotations[0].segments_info[0]", "its bbox is not [left, top, width, height]"),
        ("annotations[0].segments_info[2]",
         "there is no category with the id 99; the segment has no label"),
        ("annotations[1]", "the image has segments"),
        ("annotations[2]", "its segments_info is not a list"),
    ]  # fmt: skip
    assert len(found["139"]["segments"]) == 2


def test_segments_made_by_hand(tmp_path: Path) -> None:
    thing = {"label": "a", "bbox": [0, 0, 1, 1]}
    (tmp_path / "a.png").write_bytes(png())
    for value, why in (
        ({"segments": [thing]}, ["segments whose PNG is not known", "segments without an id"]),
        ({"segments": [thing], "unit": "relative"}, ["segments in fractions of an image"]),
        ({"segments": 7}, ["no objects"]),
    ):
        losses = write(coco.writer({}), tmp_path / str(len(str(value))), {"a.png": value}, tmp_path)
        told = " ".join(each.why for each in losses.found)
        assert [each for each in why if each not in told] == []


def test_recognised_by_itself() -> None:
    class Seen(Peek):
        names = ("annotations/panoptic_val2017.json", "val2017/000000000139.jpg")

        def head(self, name: str, size: int = 4096) -> bytes:
            return b'{"info": {}, "images": ['

    assert "panoptic_val2017.json" in coco.recognise(Seen())
