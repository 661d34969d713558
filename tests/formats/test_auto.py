"""`auto`: which format a folder looks like, and what is said of it."""

from __future__ import annotations

import json

import pytest

from ldb.porcelain.index import index
from tests.formats.conftest import Scene

TABLE = '{"file_name": "a.jpg", "n": 1}\n'
TASK = '[{"data": {"image": "/x/a.jpg"}, "annotations": []}]'
ANNOTATION = '{"annotation": 1, "ldb_meta": {"data_object_id": "0"}}'


@pytest.mark.parametrize(
    ("files", "format_", "why"),
    [
        ({"a.jpg": "", "a.json": "{}"}, "bare-pairs", "no other format"),
        ({}, "bare-pairs", "no other format"),
        ({"a.jpg": "", "b.json": "{}"}, "bare-pairs", "no other format"),
        ({"a.jpg": "", "metadata.jsonl": TABLE}, "hf-imagefolder", "metadata.jsonl is there"),
        ({"train/a.jpg": "", "train/metadata.jsonl": TABLE}, "hf-imagefolder", "train/metadata"),
        ({"metadata.jpg": "", "a.jpg": "", "metadata.jsonl": "{}"}, "bare-pairs", ""),
        ({"x.json": ANNOTATION}, "annotation-only", "x.json holds an annotation with an id"),
        ({"x.json": ANNOTATION, "x.jpg": ""}, "bare-pairs", ""),
        ({"x.json": ANNOTATION, "a.jpg": ""}, "bare-pairs", ""),
        ({"out/export.json": TASK}, "label-studio", "out/export.json is a list of tasks"),
        ({"export.json": TASK, "export.jpg": ""}, "bare-pairs", ""),
    ],
)
def test_what_a_folder_looks_like(
    scene: Scene, files: dict[str, str], format_: str, why: str
) -> None:
    for name, text in files.items():
        scene.write(name, text)
    [layout] = index(scene.place, [str(scene.data)]).layouts
    assert layout.chosen.name == format_
    assert why in layout.chosen.why
    assert scene.place.refreshed().catalog.version is not None


def test_each_path_has_its_own(scene: Scene) -> None:
    scene.write("one/a.jpg")
    scene.write("one/metadata.jsonl", TABLE)
    scene.write("two/b.jpg")
    scene.write("two/b.json", {"n": 2})
    report = scene.index("auto", paths=[scene.data / "two", scene.data / "one"])
    assert scene.notes() == {"one/a.jpg": {"n": 1}, "two/b.jpg": {"n": 2}}
    assert report.labels_read == 1


def test_another_format_takes_over(scene: Scene) -> None:
    scene.write("cat/a.jpg")
    scene.write("cat/metadata.jsonl", json.dumps({"file_name": "a.jpg", "n": 1}))
    for _ in range(2):
        report = scene.index("hf-imagefolder")
        assert (report.found_objects, report.labels_read) == (1, 1)
        assert scene.notes()["cat/a.jpg"] == {"n": 1}
        report = scene.index("bare")
        assert (report.found_objects, report.new_paths, report.gone_paths) == (2, 1, 0)
        assert set(scene.notes()) == {"cat/a.jpg", "cat/metadata.jsonl"}
        assert scene.index("bare").new_paths == 0
