"""Masks, crowds and keypoints as pycocotools sees them in our COCO files, and it writes, we read.

Everything comes to COCO from another format, so that both ends are judged by somebody else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ldb.formats.boxes.rle import bitmap_of, counts_of, mask_of
from tests.formats.boxes.labels import HEIGHT, WIDTH, image
from tests.formats.boxes.places import read, write
from tests.formats.boxes.test_conversion import PNG, module, through

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

coco_module = pytest.importorskip("pycocotools.coco")
coco_masks = pytest.importorskip("pycocotools.mask")
evaluation = pytest.importorskip("pycocotools.cocoeval")

OUTLINES = [
    [[10.0, 20.0, 40.5, 20.0, 40.5, 60.0]],
    [[100.5, 30.25, 300.0, 99.5, 222.125, 300.0, 90.0, 250.0]],
    [[0.0, 0.0, 640.0, 0.0, 640.0, 480.0, 0.0, 480.0]],
    [[5, 5, 25, 5, 25, 25, 5, 25], [300, 200, 340, 200, 320, 260]],
]


def blobs() -> list[Any]:
    """Bitmaps: a ring, single pixels at the edges, noise, all of the image, a column."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    far = np.hypot(x - 300, y - 200)
    corners = np.zeros((HEIGHT, WIDTH), np.bool_)
    corners[0, 0] = corners[-1, -1] = corners[0, -1] = True
    noise = np.random.default_rng(3).random((HEIGHT, WIDTH)) < 0.01
    return [(far < 90) & (far > 40), corners, noise, far >= 0, x == 17]


def written(folder: Path, annotations: dict[str, Any]) -> Any:
    """pycocotools' view of what we write as COCO."""
    source = folder / "source"
    for each in annotations:
        (source / each).parent.mkdir(parents=True, exist_ok=True)
        (source / each).write_bytes(PNG)
    losses = write(module("coco").writer({}), folder / "coco", annotations, source)
    assert not [each.why for each in losses.found if "no place" in each.why]
    [file] = (folder / "coco/annotations").iterdir()
    return coco_module.COCO(str(file))


def notes(found: Any) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = found.loadAnns(found.getAnnIds())
    return loaded


@pytest.mark.parametrize("source", ["coco", "cvat"])
def test_masks_are_the_same_pixels(source: str, tmp_path: Path) -> None:
    things = [{"label": "cat", "mask": mask_of(each), "bbox": list(coco_masks.toBbox(
        coco_masks.encode(np.asfortranarray(each.astype(np.uint8))))), "crowd": False}
        for each in blobs()]  # fmt: skip
    found = written(tmp_path, through(source, {"a.png": image(*things)}))
    assert len(notes(found)) == len(things)
    for note, bitmap in zip(notes(found), blobs(), strict=True):
        assert np.array_equal(found.annToMask(note), bitmap)
        assert note["area"] == bitmap.sum() == coco_masks.area(note["segmentation"])
        assert note["bbox"] == coco_masks.toBbox(note["segmentation"]).tolist()


def test_a_mask_without_box_or_area_has_both_in_coco(tmp_path: Path) -> None:
    """Also in an annotation whose boxes are fractions, and where the box is larger."""
    ring = blobs()[0]
    thing = {"label": "cat", "mask": mask_of(ring)}
    wider = {**thing, "bbox": [0.25, 0.125, 0.5, 0.75]}
    value = {"unit": "relative", "objects": [thing, wider]}
    first, second = notes(written(tmp_path, {"a.png": value}))
    assert first["bbox"] == coco_masks.toBbox(first["segmentation"]).tolist()
    assert second["bbox"] == [160, 60, 320, 360]
    assert first["area"] == second["area"] == ring.sum()


@pytest.mark.parametrize("source", ["coco", "cvat", "yolo"])
def test_outlines_are_the_same_pixels(source: str, tmp_path: Path) -> None:
    """YOLO and CVAT have one outline for an object, so the last one goes through COCO only."""
    outlines = OUTLINES if source == "coco" else OUTLINES[:3]
    things = [{"label": "cat", "polygons": each} for each in outlines]
    found = written(tmp_path, through(source, {"a.png": image(*things)}))
    assert len(notes(found)) == len(outlines)
    for note, outline in zip(notes(found), outlines, strict=True):
        theirs = coco_masks.merge(coco_masks.frPyObjects(outline, HEIGHT, WIDTH))
        assert np.array_equal(found.annToMask(note), coco_masks.decode(theirs))
        assert note["bbox"] == pytest.approx(around(outline))
        # An area is that of the outline, and not of the pixels that it covers.
        assert note["area"] == pytest.approx(coco_masks.area(theirs), rel=0.05)


def around(outline: Any) -> list[float]:
    points = np.concatenate([np.reshape(each, (-1, 2)) for each in outline])
    return [*points.min(0), *(points.max(0) - points.min(0))]


def test_crowds_as_lists_of_run_lengths(tmp_path: Path) -> None:
    ring = blobs()[0]
    text = mask_of(ring)
    plain = {"size": text["size"], "counts": counts_of(text["counts"])}
    thing = {"label": "people", "mask": plain, "crowd": True}
    found = written(tmp_path, through("coco", {"a.png": image(thing)}))
    [note] = notes(found)
    assert note["iscrowd"] == 1
    assert isinstance(note["segmentation"]["counts"], list), "as the source has it"
    assert np.array_equal(found.annToMask(note), ring)
    assert note["area"] == ring.sum()


def test_what_pycocotools_encodes_is_read(tmp_path: Path) -> None:
    """Compressed and plain run lengths and crowds; from there to CVAT, unpacked by hand."""
    segments = []
    for bitmap in blobs():
        packed = coco_masks.encode(np.asfortranarray(bitmap.astype(np.uint8)))
        segments.append({"size": packed["size"], "counts": packed["counts"].decode()})
    things = [
        {"id": at, "image_id": 1, "category_id": 1, "iscrowd": at % 2, "segmentation": each,
         "area": int(coco_masks.area(each)), "bbox": coco_masks.toBbox(each).tolist()}
        for at, each in enumerate(segments, 1)
    ]  # fmt: skip
    picture = {"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}
    value = {"images": [picture], "categories": [{"id": 1, "name": "cat"}], "annotations": things}
    (tmp_path / "instances_val.json").write_text(json.dumps(value))
    (tmp_path / "a.png").write_bytes(PNG)
    found, troubles = read(module("coco").reader({}), tmp_path)
    assert troubles == []
    objects = found["a.png"]["objects"]
    for each, bitmap, at in zip(objects, blobs(), range(1, 9), strict=False):
        assert np.array_equal(bitmap_of(each["mask"]), bitmap)
        assert (each["crowd"], each["area"]) == (bool(at % 2), bitmap.sum())
    assert [each["mask"] for each in objects] == segments
    write(module("cvat").writer({}), tmp_path / "cvat", found)
    assert len(objects) == len(blobs())
    for each, bitmap in zip(cvat_masks(tmp_path / "cvat"), blobs(), strict=True):
        assert np.array_equal(each, bitmap)


def cvat_masks(folder: Path) -> list[Any]:
    """As CVAT's page of its format says: runs along the rows of a cut-out, the first of zeros."""
    from xml.etree import ElementTree

    found = []
    for each in ElementTree.parse(folder / "annotations.xml").iter("mask"):
        left, top, width, height = (
            int(each.attrib[key]) for key in ("left", "top", "width", "height")
        )
        runs = [int(run) for run in each.attrib["rle"].split(",")]
        flat = np.repeat(np.arange(len(runs)) % 2, runs)
        bitmap = np.zeros((HEIGHT, WIDTH), np.bool_)
        bitmap[top : top + height, left : left + width] = np.reshape(flat, (height, width))
        found.append(bitmap)
    return found


# -- keypoints -------------------------------------------------------------------------------

NAMES = ["nose", "left ear", "right ear", "tail"]


def posed(*seen: int, at: float) -> dict[str, Any]:
    """A cat with keypoints; those not seen are at 0, 0 as COCO has them."""
    points = [
        {"name": name, "x": at + 8 * number, "y": 2 * at + 4.5, "v": v}
        if v
        else {"name": name, "x": 0, "y": 0, "v": 0}
        for number, (name, v) in enumerate(zip(NAMES, seen, strict=True))
    ]
    return {"label": "cat", "bbox": [at - 4, at, 64, 2 * at], "keypoints": points}


CATS = [posed(2, 2, 1, 2, at=40), posed(2, 0, 0, 1, at=90), posed(1, 2, 2, 2, at=150)]


@pytest.mark.parametrize("source", ["coco", "cvat", "yolo"])
def test_keypoints_are_where_they_were(source: str, tmp_path: Path) -> None:
    without = {"bbox"} if source == "cvat" else set()  # which has no box for a skeleton
    things = [{key: cat[key] for key in cat.keys() - without} for cat in CATS]
    given = {f"{at}.png": image(each) for at, each in enumerate(things)}
    found = written(tmp_path, through(source, given))
    [category] = found.loadCats(found.getCatIds())
    assert (category["name"], category["keypoints"]) == ("cat", NAMES)
    for note, cat in zip(notes(found), CATS, strict=True):
        flat = [value for p in cat["keypoints"] for value in (p["x"], p["y"], p["v"])]
        assert note["keypoints"] == pytest.approx(flat, abs=1e-6)
        assert note["num_keypoints"] == sum(p["v"] > 0 for p in cat["keypoints"])
        if source != "cvat":
            assert note["bbox"] == pytest.approx(cat["bbox"], abs=1e-6)


def test_keypoints_of_yolo_by_plain_reading(tmp_path: Path) -> None:
    """A line is class, centre, size, and x, y, visibility of each point, all but v fractions."""
    source = tmp_path / "source"
    source.mkdir()
    given = {f"{at}.png": image(each) for at, each in enumerate(CATS)}
    for name in given:
        (source / name).write_bytes(PNG)
    write(module("yolo").writer({}), tmp_path / "yolo", given, source)
    for at, cat in enumerate(CATS):
        text = (tmp_path / f"yolo/labels/train/{at}.txt").read_text()
        kind, x, y, width, height, *points = map(float, text.split())
        corner = [(x - width / 2) * WIDTH, (y - height / 2) * HEIGHT]
        assert kind == 0
        assert [*corner, width * WIDTH, height * HEIGHT] == pytest.approx(cat["bbox"], abs=1e-6)
        seen = np.reshape(points, (len(NAMES), 3)) * [WIDTH, HEIGHT, 1]
        assert seen == pytest.approx(np.array([(p["x"], p["y"], p["v"]) for p in cat["keypoints"]]))
    names = yaml.safe_load((tmp_path / "yolo/data.yaml").read_text())
    assert (names["kpt_shape"], names["kpt_names"]) == ([4, 3], {0: NAMES})


@pytest.mark.parametrize(("missing", "width"), [(False, 2), (True, 3)])
def test_a_keypoint_that_is_missing_is_no_place_in_yolo(
    missing: bool, width: int, tmp_path: Path
) -> None:
    """Without a visibility, trainers take 0 0 for the corner of the image."""
    cats = [{**cat, "keypoints": [{k: p[k] for k in ("name", "x", "y")} for p in cat["keypoints"]]}
            for cat in (CATS[0], CATS[2])]  # fmt: skip
    if missing:
        del cats[0]["keypoints"][1]
    given = {f"{at}.png": image(each) for at, each in enumerate(cats)}
    write(module("yolo").writer({}), tmp_path, given)
    names = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert names["kpt_shape"] == [4, width]
    lines = [(tmp_path / f"labels/train/{at}.txt").read_text().split()[5:] for at in (0, 1)]
    assert [len(line) for line in lines] == [4 * width] * 2
    if missing:
        assert [line[2::3] for line in lines] == [["2", "2", "2", "0"], ["2", "2", "2", "2"]]


@pytest.mark.parametrize("kind", ["bbox", "segm", "keypoints"])
def test_an_evaluation_finds_everything_where_it_is(kind: str, tmp_path: Path) -> None:
    """COCO's own evaluation takes our file as the truth: it misses no key, and all of it fits."""
    things = [{**cat, "mask": mask_of(blobs()[0])} for cat in CATS]
    found = written(tmp_path, {f"{at}.png": image(each) for at, each in enumerate(things)})
    keys = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
    results = [
        {"image_id": n["image_id"], "category_id": n["category_id"], "score": 0.9,
         keys[kind]: n[keys[kind]]} for n in notes(found)
    ]  # fmt: skip
    judged = evaluation.COCOeval(found, found.loadRes(results), kind)
    judged.params.kpt_oks_sigmas = np.full(len(NAMES), 0.05)
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    assert judged.stats[0] == pytest.approx(1)
