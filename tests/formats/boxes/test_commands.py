"""Box formats by the commands: indexed in place, queried, written, and indexed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ldb.porcelain.index import index
from ldb.query.parse import parse
from ldb.query.rowwise import compile_query
from tests.formats.boxes.labels import box, image, png
from tests.formats.conftest import Scene, again, files_below, problems

FORMATS = ("coco", "cvat", "openimages", "voc", "yolo")


def filled(scene: Scene) -> None:
    """Three images with JSON beside them."""
    values = {
        "a.png": image(box("cat", 10, 20, 30, 40), subset="train"),
        "b.png": image(box("dog", 1, 2, 3, 4), box("cat", 5, 6, 7, 8), subset="val"),
        "c.png": image(subset="train"),
    }
    for at, (name, value) in enumerate(values.items()):
        scene.write(name, png() + bytes([at]))
        scene.write(name.replace(".png", ".json"), value)
    scene.index("bare")


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip(name: str, scene: Scene, tmp_path: Path) -> None:
    filled(scene)
    folder, report = scene.instantiate(name)
    assert problems(report) == []
    assert report.objects == 3
    other = again(scene, folder, tmp_path)
    assert problems(other.index(name)) == []
    boxes = {
        path.split("/")[-1][0]: [each["label"] for each in value["objects"]]
        for path, value in other.notes().items()
        if value and "objects" in value
    }
    assert {key: each for key, each in boxes.items() if each} == {"a": ["cat"], "b": ["dog", "cat"]}
    # The same data again, from what was written, gives the same files.
    second, report = other.instantiate(name)
    assert problems(report) == []
    assert files_below(second) == files_below(folder)
    assert {each: (second / each).read_bytes() for each in files_below(second)} == {
        each: (folder / each).read_bytes() for each in files_below(folder)
    }


@pytest.mark.parametrize("name", FORMATS)
def test_auto_knows_what_was_written(name: str, scene: Scene, tmp_path: Path) -> None:
    filled(scene)
    folder, _ = scene.instantiate(name)
    other = again(scene, folder, tmp_path)
    [layout] = index(other.place, [str(folder)]).layouts
    assert layout.chosen.name == name
    assert layout.chosen.why


def test_auto_takes_nothing_else_for_boxes(scene: Scene) -> None:
    scene.write("a.txt", "a text about 5 cats")
    scene.write("a.png")
    scene.write("settings.yaml", "names: [x]\n")
    scene.write("b.xml", "<note/>")
    scene.write("train.json", '{"images": 5}')
    scene.write("n0/a.csv", "ImageID\n")
    [layout] = index(scene.place, [str(scene.data)]).layouts
    assert layout.chosen.name == "bare-pairs"


def test_queries_read_as_one_would_say_it(scene: Scene) -> None:
    filled(scene)
    asked = compile_query(parse("objects[?label=='cat'].bbox"))
    found = [asked(value) for value in scene.notes().values()]
    assert sorted(map(str, found)) == ["[[10, 20, 30, 40]]", "[[5, 6, 7, 8]]", "[]"]


def test_imagenet_round_trip(scene: Scene, tmp_path: Path) -> None:
    for at, label in enumerate(("cat", "../dog", "a/b", "a_b", "CON")):
        scene.write(f"{at}.png", png(7, 5) + bytes([at]))
        scene.write(f"{at}.json", {"label": label})
    scene.index("bare")
    folder, report = scene.instantiate("imagenet")
    assert problems(report) == []
    folders = {each.split("/")[0] for each in files_below(folder)}
    assert len(folders) == 5
    assert {"cat", "a_b"} <= folders
    assert {each.why: each.count for each in report.losses} == {
        "labels that are no names of folders, which got others": 3
    }
    other = again(scene, folder, tmp_path)
    assert problems(other.index("imagenet")) == []
    assert {value["label"] for value in other.notes().values()} == folders


def test_a_changed_label_file_changes_its_images_only(scene: Scene) -> None:
    for name in ("images/train/a.png", "images/train/b.png"):
        scene.write(name, png() + name.encode())
    scene.write("data.yaml", "names: [cat, dog]\ntrain: images/train\n")
    scene.write("labels/train/a.txt", "0 0.5 0.5 0.25 0.25\n")
    scene.write("labels/train/b.txt", "1 0.5 0.5 0.25 0.25\n")
    assert problems(scene.index("yolo")) == []
    assert [label(scene, f"images/train/{each}.png") for each in "ab"] == ["cat", "dog"]
    scene.write("labels/train/a.txt", "1 0.5 0.5 0.5 0.5\n", age=1_600_000_100)
    report = scene.index("yolo")
    assert (report.new_annotations, report.updated_objects) == (1, 1)
    assert label(scene, "images/train/a.png") == "dog"
    scene.write("data.yaml", "names: [cat, cow]\ntrain: images/train\n", age=1_600_000_100)
    scene.index("yolo")
    assert [label(scene, f"images/train/{each}.png") for each in "ab"] == ["cow", "cow"]


def label(scene: Scene, name: str) -> Any:
    return scene.notes()[name]["objects"][0]["label"]


@pytest.mark.parametrize(
    ("name", "files", "wrong"),
    [
        (
            "coco",
            {"annotations/instances_train.json": {
                "images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}, {}],
                "annotations": [
                    {"image_id": 1, "bbox": [0, 0, 1, 1], "category_id": 7, "id": 1},
                    {"image_id": 2, "id": 2}, 5, {"image_id": 1, "bbox": [1]},
                ]}},
            ["images[1]", "images[2]", "annotations[0]: there is no category", "annotations[1]",
             "annotations[2]", "annotations[3]"],
        ),
        (
            "yolo",
            {"a.txt": "0 0.5 0.5 0.1 0.1\nx 1 1 1 1\n0 1 1\n0 0.5 0.5 0.1 0.1 0.9\n",
             "data.yaml": "names: {a: 1}"},
            ["data.yaml", "line 2", "line 3", "-p confidence"],
        ),
        (
            "voc",
            {"a.xml": "<annotation><object><name>cat</name></object><object><name>dog</name>"
                      "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>"
                      "</object></annotation>", "b.xml": "<annotation>"},
            ["element 1 <object>", "b.xml: bad XML"],
        ),
        (
            "cvat",
            {"annotations.xml": '<annotations><image id="0" name="a.png" width="9" height="9">'
             '<box label="a" xtl="x"/><polygon points="1,2"/><mask rle="1" left="0" top="0" '
             'width="99" height="1"/><what/><box label="b" xtl="1" ytl="1" xbr="2" ybr="2"/>'
             '</image><track id="3"><box frame="x"/></track><image id="4"/></annotations>'},
            ["shape 1", "shape 2", "shape 3", "shape 4", "track 3, shape 1", "image 4"],
        ),
        (
            "openimages",
            {"train-annotations-bbox.csv": "ImageID,LabelName,XMin,XMax,YMin,YMax\na,/m/1,0,1,0,1\n"
             "a,/m/1,0,1,0\na,,0,1,0,1\na,/m/1,0,1,0,x\n",
             "val-annotations-bbox.csv": "A,B\n1,2\n"},
            ["line 3", "line 4", "line 5", "no column ImageID"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_the_rest_goes_on(
    name: str, files: dict[str, Any], wrong: list[str], scene: Scene
) -> None:
    scene.write("a.png", png())
    for path, content in files.items():
        scene.write(path, content)
    report = scene.index(name)
    found = "\n".join(problems(report))
    assert [each for each in wrong if each not in found] == []
    assert len(scene.notes()["a.png"]["objects"]) == 1


def test_sizes_come_from_the_files_that_were_written(scene: Scene) -> None:
    scene.write("a.png", png(20, 10))
    scene.write("a.txt", "0 0.5 0.5 0.5 0.5\n")
    assert problems(scene.index("yolo")) == []
    folder, report = scene.instantiate("voc")
    assert problems(report) == []
    [text] = [each for each in files_below(folder) if each.endswith(".xml")]
    assert "<xmax>15</xmax>" in (folder / text).read_text()
    _, report = scene.instantiate("voc", annotations_only=True)
    assert "objects in fractions of an image whose size is not known" in {
        each.why for each in report.losses
    }
