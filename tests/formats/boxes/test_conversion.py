"""What is read in one box format can be written in any other: the boxes stay where they are.

Independent readers have their say: pycocotools and globox read what we write, and globox writes
what we read.
"""

from __future__ import annotations

import importlib
import itertools
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldb.formats.boxes.rle import mask_of
from tests.formats.boxes.labels import HEIGHT, WIDTH, Boxes, box, image, images, pixels, png
from tests.formats.boxes.places import read, write

FORMATS = ("coco", "cvat", "openimages", "voc", "yolo")
SAMPLE = {
    "a.jpg": image(
        box("cat", 10, 20, 30.5, 40), box("traffic light", 0, 0, 640, 480), subset="train"
    ),
    "b.jpg": image(box("dog", 1.25, 2.5, 3, 4), subset="train"),
    "c.jpg": image(subset="val"),
}


def module(name: str) -> Any:
    return importlib.import_module(f"ldb.formats.boxes.{name}")


def by_stem(found: dict[str, Any]) -> dict[str, Boxes]:
    return {Path(name).stem: pixels(each) for name, each in found.items() if "objects" in each}


def through(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Written in a format and read again."""
    with TemporaryDirectory() as folder, TemporaryDirectory() as source:
        for each in given:
            (Path(source) / each).parent.mkdir(parents=True, exist_ok=True)
            (Path(source) / each).write_bytes(PNG)
        write(module(name).writer({}), Path(folder), given, Path(source))
        found, troubles = read(module(name).reader({}), Path(folder))
        assert troubles == []
        return found


PNG = png()


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(FORMATS, 2)])
def test_boxes_stay_where_they_are(one: str, other: str) -> None:
    expected = {name: each for name, each in by_stem(SAMPLE).items() if each}
    found = by_stem(through(other, through(one, SAMPLE)))
    # Open Images has no place for an image without anything in it.
    assert {name: each for name, each in found.items() if each} == expected


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=5, suppress_health_check=list(HealthCheck), deadline=None, database=None)
@given(found=st.lists(images, min_size=1, max_size=3))
def test_any_boxes(name: str, found: list[dict[str, Any]]) -> None:
    given = {f"{at}.png": each for at, each in enumerate(found)}
    again = through(name, given)
    kept = {stem: each for stem, each in by_stem(given).items() if each}
    assert {stem: each for stem, each in by_stem(again).items() if each} == kept
    subsets = {Path(key).stem: each["subset"] for key, each in again.items()}
    assert (
        subsets.items() <= {Path(key).stem: each["subset"] for key, each in given.items()}.items()
    )


# -- independent readers ---------------------------------------------------------------------


def written(name: str, root: Path) -> Path:
    (root / "source").mkdir()
    for each in SAMPLE:
        (root / "source" / each).write_bytes(PNG)
    given = {each: {**SAMPLE[each], "subset": "train"} for each in SAMPLE}
    write(module(name).writer({}), root / "written", given, root / "source")
    return root / "written"


def test_pycocotools_reads_our_coco(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    folder = written("coco", tmp_path)
    found = coco.COCO(str(folder / "annotations/instances_train.json"))
    names = {each["id"]: each["name"] for each in found.loadCats(found.getCatIds())}
    boxes: dict[str, Boxes] = {}
    for key in found.getImgIds():
        [each] = found.loadImgs(key)
        assert (each["width"], each["height"]) == (WIDTH, HEIGHT)
        notes = found.loadAnns(found.getAnnIds(key))
        boxes[Path(each["file_name"]).stem] = [(names[n["category_id"]], n["bbox"]) for n in notes]
        assert all(n["area"] == n["bbox"][2] * n["bbox"][3] and n["iscrowd"] == 0 for n in notes)
    assert boxes == by_stem(SAMPLE)


def of_globox(found: Any, names: dict[str, str]) -> dict[str, Boxes]:
    def sides(b: Any) -> list[float]:
        return [round(v, 3) for v in (b.xmin, b.ymin, b.xmax - b.xmin, b.ymax - b.ymin)]

    return {
        Path(each.image_id).stem: [(names.get(b.label, b.label), sides(b)) for b in each.boxes]
        for each in found
    }


@pytest.mark.parametrize("name", FORMATS)
def test_globox_reads_ours(name: str, tmp_path: Path) -> None:
    globox = pytest.importorskip("globox").AnnotationSet
    folder = written(name, tmp_path)
    names: dict[str, str] = {}
    if name == "coco":
        found = globox.from_coco(folder / "annotations/instances_train.json")
    elif name == "cvat":
        found = globox.from_cvat(folder / "annotations.xml")
    elif name == "voc":
        found = globox.from_pascal_voc(folder / "Annotations")
    elif name == "yolo":
        images = folder / "images/train"
        found = globox.from_yolo_v5(
            folder / "labels/train", image_folder=images, image_extension=".jpg"
        )
        names = {"0": "cat", "1": "dog", "2": "traffic light"}
    else:
        for each in (folder / "images/train").iterdir():  # it takes an ImageID for a file's name
            each.rename(each.with_suffix(""))
        file = folder / "annotations/oidv6-train-annotations-bbox.csv"
        found = globox.from_openimage(file, image_folder=folder / "images/train")
    boxes = of_globox(found, names)
    assert boxes == {stem: by_stem(SAMPLE)[stem] for stem in boxes}
    assert {"a", "b"} <= {*boxes}


@pytest.mark.parametrize("name", FORMATS)
def test_we_read_globoxes(name: str, tmp_path: Path) -> None:
    """Label files that LDB did not make."""
    globox = pytest.importorskip("globox")
    made = globox.AnnotationSet(
        globox.Annotation(
            f"{stem}.jpg",
            (WIDTH, HEIGHT),
            [
                globox.BoundingBox(label=label, xmin=x, ymin=y, xmax=x + w, ymax=y + h)
                for label, (x, y, w, h) in boxes
            ],
        )
        for stem, boxes in by_stem(SAMPLE).items()
    )
    for each in SAMPLE:
        (tmp_path / each).write_bytes(PNG)
    if name == "coco":
        made.save_coco(tmp_path / "instances.json", auto_ids=True)
    elif name == "cvat":
        made.save_cvat(tmp_path / "annotations.xml")
    elif name == "voc":
        made.save_pascal_voc(tmp_path)
    elif name == "yolo":
        (tmp_path / "classes.txt").write_text("cat\ndog\ntraffic light\n")
        numbers = {"cat": 0, "dog": 1, "traffic light": 2}
        made.save_yolo_v5(tmp_path, label_to_id=numbers)
    else:
        made.save_openimage(tmp_path / "train-annotations-bbox.csv")
    found, troubles = read(module(name).reader({}), tmp_path)
    assert troubles == []
    boxes = by_stem(found)
    assert boxes == {stem: by_stem(SAMPLE)[stem] for stem in boxes}
    assert {"a", "b"} <= {*boxes}


# -- what is more than a box -----------------------------------------------------------------

OUTLINE = [10.0, 20.0, 40.5, 20.0, 40.5, 60.0]


def test_outlines_through_the_formats_that_have_them() -> None:
    thing = {"label": "cat", "bbox": [10, 20, 30.5, 40], "polygons": [OUTLINE]}
    found = through("yolo", through("cvat", through("coco", {"a.png": image(thing)})))
    [each] = next(iter(found.values()))["objects"]
    flat = each["polygons"][0]
    assert [round(v * (HEIGHT if at % 2 else WIDTH), 3) for at, v in enumerate(flat)] == OUTLINE


def test_masks_between_coco_and_cvat() -> None:

    bitmap = np.zeros((HEIGHT, WIDTH), np.bool_)
    bitmap[100:150, 200:260] = True
    bitmap[120:130, 210:220] = False
    thing = {"label": "cat", "bbox": [200, 100, 60, 50], "mask": mask_of(bitmap)}
    found = through("coco", through("cvat", through("coco", {"a.png": image(thing)})))
    [each] = next(iter(found.values()))["objects"]
    assert (each["mask"], each["bbox"]) == (thing["mask"], thing["bbox"])
    box_only = through("yolo", {"a.png": image({"label": "cat", "mask": mask_of(bitmap)})})
    assert by_stem(box_only) == {"a": [("cat", [200, 100, 60, 50])]}


def test_keypoints_through_coco_yolo_and_cvat() -> None:
    points = [
        {"name": "nose", "x": 12.5, "y": 25, "v": 2},
        {"name": "ear", "x": 20, "y": 30, "v": 1},
        {"name": "tail", "x": 0, "y": 0, "v": 0},
    ]
    thing = {"label": "cat", "bbox": [10, 20, 30, 40], "keypoints": points}
    for name in ("coco", "cvat"):
        found = through(name, {"a.png": image(thing)})
        assert next(iter(found.values()))["objects"][0]["keypoints"] == points
    [each] = next(iter(through("yolo", {"a.png": image(thing)}).values()))["objects"]
    assert [round(p["x"] * WIDTH, 3) for p in each["keypoints"]] == [12.5, 20, 0]
    assert [(p["name"], p["v"]) for p in each["keypoints"]] == [
        ("nose", 2),
        ("ear", 1),
        ("tail", 0),
    ]


def test_a_size_is_looked_up_only_where_it_is_needed(tmp_path: Path) -> None:
    """Fractions to pixels takes the image's size; without its file that is said."""
    value = {"unit": "relative", "objects": [box("cat", 0.25, 0.5, 0.125, 0.25)]}
    assert by_stem(through("coco", {"a.png": value})) == {"a": [("cat", [160, 240, 80, 120])]}
    losses = write(module("voc").writer({}), tmp_path, {"a.png": value})
    assert "objects in fractions of an image whose size is not known" in {
        each.why for each in losses.found
    }
    assert write(module("openimages").writer({}), tmp_path / "o", {"a.png": value}).found == []


def test_a_mask_is_in_pixels_whatever_the_unit() -> None:
    bitmap = np.zeros((HEIGHT, WIDTH), np.bool_)
    bitmap[120:240, 160:320] = True
    thing = {"label": "cat", "mask": mask_of(bitmap)}
    value = {"unit": "relative", "objects": [thing]}
    for name in FORMATS:
        assert by_stem(through(name, {"a.jpg": value})) == {"a": [("cat", [160, 120, 160, 120])]}


def test_an_image_is_in_the_files_that_say_something_of_it(tmp_path: Path) -> None:
    given = {
        "a.png": image(box("cat", 1, 2, 3, 4)),
        "b.png": {"captions": [{"text": "a dog"}, {"words": 1}]},
        "c.png": {"label": "cow"},
        "d.png": None,
    }
    losses = write(module("coco").writer({}), tmp_path, given)
    names = {
        path.stem: [each["file_name"] for each in json.loads(path.read_text())["images"]]
        for path in (tmp_path / "annotations").iterdir()
    }
    assert names == {"instances": ["a.png", "d.png"], "captions": ["b.png"], "labels": ["c.png"]}
    told = {each.why for each in losses.found}
    assert "entries of captions without a text" in told
    assert "no annotation: COCO has such an image as one without objects" in told


def test_what_is_lost_is_told(tmp_path: Path) -> None:
    thing = box("cat", 1, 2, 3, 4, score=0.5, crowd=True, mood="bad", attributes={"a": {"b": 1}})
    junk: Any = "junk"
    value = image(thing, junk, mine={"x": 1}, captions=[{"text": "a cat"}], empty=[])
    told = {}
    for name in (*FORMATS, "imagenet"):
        losses = write(module(name).writer({}), tmp_path / name, {"a.png": value})
        told[name] = sorted(each.why for each in losses.found)
    lists = "entries of objects that are no objects with keys"
    assert told["coco"] == [lists, "no place for mine", "no place for objects[].mood"]
    assert told["voc"] == [
        lists,
        "no place for captions",
        "no place for mine",
        *(f"no place for objects[].{key}" for key in ("attributes", "crowd", "mood", "score")),
    ]
    assert "attributes that are not texts or numbers" in told["cvat"]
    assert "no place for objects[].crowd" not in told["openimages"]
    assert "no place for objects" in told["imagenet"]


ODD: list[Any] = [
    None, 7, "text", [], {}, {"objects": 3}, {"objects": [[]]}, {"objects": [{}]},
    {"objects": [{"label": 3, "bbox": [1, 2], "polygons": [[1]], "keypoints": [{}], "mask": 5}]},
    {"objects": [{"label": "a", "mask": {"size": [2, 2], "counts": "~~~"}}]},
    {"objects": [{"label": "a", "bbox": [1e308, -1e308, 1e308, 1e308]}]},
    {"unit": "relative", "image": {"width": -1, "height": ""}, "objects": [box("", 0, 0, 1, 1)]},
    {"subset": "../../x", "label": "../../y", "labels": [{"label": "/etc"}, 3]},
    {"captions": [{"text": 1}], "coco": [], "voc": {"../x": {"a": [[]]}}, "cvat": 1, "yolo": ""},
    {"openimages": {"Author": []}, "objects": [box("..", 0, 0, 1, 1)]},
]  # fmt: skip


@pytest.mark.parametrize("name", [*FORMATS, "imagenet"])
@pytest.mark.parametrize("value", ODD, ids=json.dumps)
def test_any_value_can_be_written(name: str, value: Any, tmp_path: Path) -> None:
    """Annotations may hold anything: nothing fails, and nothing leaves the folder."""
    folder = tmp_path / "in"
    folder.mkdir()
    write(module(name).writer({}), folder, {"a.png": value, "b.png": value})
    assert [each.name for each in tmp_path.iterdir()] == ["in"]
    _, troubles = read(module(name).reader({}), folder)
    assert troubles == []


def test_classes_of_coco_keep_their_order_in_yolo(tmp_path: Path) -> None:
    """And numbers that YOLO's files have are kept, with names for those in between."""
    ids = {"person": 1, "bicycle": 2, "car": 4}
    things = [box(name, 1, 2, 3, 4, coco={"category": {"id": at}}) for name, at in ids.items()]
    write(module("yolo").writer({}), tmp_path / "a", {"a.png": image(*things)})
    assert names_in(tmp_path / "a") == ["person", "bicycle", "car"]
    things = [
        box("person", 1, 2, 3, 4, yolo={"class": 2}),
        box("car", 1, 2, 3, 4, yolo={"class": 0}),
    ]
    write(module("yolo").writer({}), tmp_path / "b", {"a.png": image(*things)})
    assert names_in(tmp_path / "b") == ["car", "class 1", "person"]
    write(module("yolo").writer({"names": "bus, car"}), tmp_path / "c", {"a.png": image(*things)})
    assert names_in(tmp_path / "c") == ["bus", "car", "person"]
    assert (tmp_path / "c/labels/train/a.txt").read_text().startswith("2 ")


def names_in(folder: Path) -> list[str]:
    import yaml

    return [*yaml.safe_load((folder / "data.yaml").read_text())["names"].values()]


def test_coco_keeps_what_is_no_outline() -> None:
    """Real files have outlines of two points, images and objects without ids, ids twice."""
    thing = box("cat", 1, 2, 3, 4, polygons=[[1, 2, 3, 4]], coco={"id": 7})
    [found] = through("coco", {"a.png": image(thing, {**thing, "label": "dog"})}).values()
    assert [each["polygons"] for each in found["objects"]] == [[[1, 2, 3, 4]]] * 2
    assert [each["coco"]["id"] for each in found["objects"]] == [1, 2]


def test_keypoints_of_two_files_are_one_object(tmp_path: Path) -> None:
    """person_keypoints repeats the objects of instances."""
    category = {"id": 1, "name": "person", "keypoints": ["nose"], "skeleton": []}
    note = {"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    for name, more in {"instances": {}, "person_keypoints": {"keypoints": [1, 2, 2]}}.items():
        value = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [category]}
        (tmp_path / f"{name}_val.json").write_text(
            json.dumps({**value, "annotations": [{**note, **more}]})
        )
    (tmp_path / "a.png").write_bytes(PNG)
    found, troubles = read(module("coco").reader({}), tmp_path)
    assert troubles == []
    [thing] = found["a.png"]["objects"]
    assert thing["keypoints"] == [{"name": "nose", "x": 1, "y": 2, "v": 2}]
    assert found["a.png"]["subset"] == "val"
