"""Small data sets of another project's tests, beside this repository: read, written, read again.

Skipped where they are not there. Nothing here was made by LDB; expected values were read off the
files by eye.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.formats.boxes.places import read, write

FOLDERS = (each / "shared" / "format-samples" for each in Path(__file__).parents[4:])
SAMPLES = next((each for each in FOLDERS if each.is_dir()), Path("missing"))
FORMATS = {
    "coco": "coco",
    "coco_captions": "coco",
    "coco_labels": "coco",
    "cvat_images": "cvat",
    "imagenet": "imagenet",
    "open_images_v6": "openimages",
    "voc": "voc",
    "yolo_darknet": "yolo",
    "yolo_ultralytics": "yolo",
}
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not beside this")


def module(name: str) -> Any:
    return importlib.import_module(f"ldb.formats.boxes.{name}")


def sample(name: str) -> dict[str, Any]:
    found, troubles = read(module(FORMATS[name]).reader({}), SAMPLES / name)
    known = "image_ids_and_rotation.csv"  # has a line that lacks a field
    assert [each for each in troubles if known not in each.source] == []
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_written_and_read_again(name: str, tmp_path: Path) -> None:
    """What was read of the other project's files is what is read of ours."""
    found = sample(name)
    losses = write(module(FORMATS[name]).writer({}), tmp_path, found, SAMPLES / name)
    files = ("masks", "the PNG of segments")
    assert [each.why for each in losses.found if not any(w in each.why for w in files)] == []
    again, troubles = read(module(FORMATS[name]).reader({}), tmp_path)
    assert troubles == []
    key = str
    assert sorted(map(settled, again.values()), key=key) == sorted(
        map(settled, found.values()), key=key
    )


def settled(annotation: Any) -> Any:
    """Without what is as it should be, and yet not the same: numbers of CVAT's images, for one."""
    if isinstance(annotation, dict):
        off = (
            ("filename", "file_name", "skeleton", "name", "id")
            if "objects" not in annotation
            else ()
        )
        return {
            key: settled(each)
            for key, each in sorted(annotation.items())
            if key not in off and (key, each) != ("occluded", False)
        }
    return [settled(each) for each in annotation] if isinstance(annotation, list) else annotation


def test_coco() -> None:
    image = sample("coco")["images/val/b.jpg"]
    assert image["image"] == {"width": 5, "height": 10}
    first, second = image["objects"]
    assert (first["label"], first["bbox"], first["area"]) == ("a", [0, 0, 1, 2], 2)
    assert first["attributes"] == {"x": 1, "y": "hello"}
    assert first["keypoints"][1] == {"x": 3, "y": 4, "v": 2}
    assert first["coco"]["category"]["skeleton"] == [[0, 1], [1, 2]]
    assert (second["crowd"], second["mask"]["counts"]) == (True, [0, 20, 30])
    assert [each["text"] for each in image["captions"]] == ["world", "text"]
    assert [each["label"] for each in image["labels"]] == ["a", "b"]
    assert [(each["label"], each["bbox"], each["crowd"]) for each in image["segments"]] == [
        ("a", [0, 0, 1, 9], False), ("b", [2, 0, 1, 9], True)
    ]  # fmt: skip


def test_voc() -> None:
    found = sample("voc")
    cat, person = found["JPEGImages/2007_000001.jpg"]["objects"]
    assert (cat["label"], cat["bbox"], cat["truncated"]) == ("cat", [1, 2, 2, 2], True)
    assert person["voc"]["part"]["name"] == "head"
    assert found["JPEGImages/2007_000002.jpg"]["subset"] == "test"


def test_cvat() -> None:
    found = sample("cvat_images")
    box, line = found["images/img0.jpg"]["objects"]
    assert (box["bbox"], box["occluded"], box["attributes"]["a4"]) == ([0, 2, 4, 2], True, "2.4")
    assert line["polyline"] == [1, 2, 3, 4, 5, 6, 7, 8]
    polygon, points = found["images/img1.jpg"]["objects"]
    assert (polygon["polygons"], polygon["bbox"]) == ([[1, 2, 3, 4, 6, 5]], [1, 2, 5, 3])
    assert points["keypoints"][2] == {"x": 5, "y": 6}


def test_openimages() -> None:
    found = sample("open_images_v6")
    [thing] = found["images/train/b.jpg"]["objects"]
    assert (thing["label"], thing["bbox"]) == ("Generic label #0", [0.2, 0.3, 0.8, 0.2])
    assert (thing["occluded"], thing["openimages"]["PredictedIoU"]) == (None, 0.5)
    assert found["images/train/a.jpg"]["labels"][0]["score"] == 1
    assert found["images/test/c.jpg"]["objects"][0]["crowd"] is True


@pytest.mark.parametrize(
    ("name", "folder"), [("yolo_darknet", "obj_train_data"), ("yolo_ultralytics", "images/train")]
)
def test_yolo(name: str, folder: str) -> None:
    found = sample(name)[f"{folder}/1.jpg"]
    assert (found["unit"], found["subset"]) == ("relative", "train")
    assert [each["label"] for each in found["objects"]] == ["label_2", "label_4"]
    assert found["objects"][1]["bbox"] == pytest.approx([0.2, 0.3, 0.133333, 0.3], abs=1e-6)


def test_imagenet() -> None:
    found = sample("imagenet")
    assert {name: each["label"] for name, each in found.items()} == {
        "label_0/label_0_1.jpg": "label_0",
        "label_1/label_1_1.jpg": "label_1",
        "label_1/label_1_1/label_1_1.jpg": "label_1",
    }
