"""`annotation-only`: annotations that find their objects by id, and go out the same way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.formats.conftest import Scene, files_below, problems

UNKNOWN = "0" * 32


@pytest.fixture
def labels(scene: Scene, tmp_path: Path) -> Path:
    """Two indexed images, and a folder outside of all locations."""
    scene.write("a.jpg")
    scene.write("b.jpg")
    scene.index("bare")
    folder = tmp_path / "labels"
    folder.mkdir()
    return folder


def put(folder: Path, name: str, value: object) -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_by_id_in_either_spelling(scene: Scene, labels: Path) -> None:
    ids = scene.ids()
    put(labels, "x.json", {"annotation": 1, "ldb_meta": {"data_object_id": ids["a.jpg"].upper()}})
    put(labels, "y.json", [{"annotation": None, "data-object-info": {"md5": ids["b.jpg"]}, "k": 1}])
    report = scene.index("annot", paths=[labels])
    assert problems(report) == []
    assert scene.notes() == {"a.jpg": 1, "b.jpg": None}
    assert (report.found_objects, report.new_annotations, report.label_files) == (0, 2, 2)
    assert (report.new_paths, report.gone_paths) == (0, 0)
    assert len(scene.objects()) == 2


def test_unchanged_files_are_not_read_and_an_edited_one_is(scene: Scene) -> None:
    scene.write("images/a.jpg")
    scene.index("bare")
    value = {"annotation": 1, "ldb_meta": {"data_object_id": scene.ids()["images/a.jpg"]}}
    scene.write("labels/x.json", value)
    where = [scene.data / "labels"]
    assert scene.index("annot", paths=where).labels_read == 1
    report = scene.index("annot", paths=where, tags=["t"])
    assert (report.labels_read, report.new_annotations) == (0, 0)
    scene.write("labels/x.json", {**value, "annotation": 2}, age=1_600_000_100)
    report = scene.index("annot", paths=where)
    assert (report.labels_read, report.new_annotations) == (1, 1)
    assert scene.notes() == {"images/a.jpg": 2}


def test_what_is_wrong_is_told_by_file_and_record_and_read_again(
    scene: Scene, labels: Path
) -> None:
    good = {"annotation": 7, "ldb_meta": {"data_object_id": scene.ids()["a.jpg"]}}
    put(labels, "bad.json", '[{"annotation"')
    put(labels, "empty.json", "")
    put(labels, "text.json", '"x"')
    put(
        labels,
        "list.json",
        [
            good, {"annotation": 1}, {"ldb_meta": {"data_object_id": UNKNOWN}},
            {"annotation": 1, "ldb_meta": {"data_object_id": UNKNOWN}}, 7,
            {"annotation": 1, "ldb_meta": {"data_object_id": 7}}, {**good, "annotation": 8},
        ],
    )  # fmt: skip
    put(labels, "nan.json", '{"annotation": NaN}')
    for _ in range(2):
        report = scene.index("annot", paths=[labels])
        found = problems(report)
        assert scene.notes() == {"a.jpg": 7, "b.jpg": None}
        why = "has no `ldb_meta.data_object_id` or `data-object-info.md5` that says what it is for"
        assert found[0].startswith("bad.json: bad JSON")
        assert found[1].startswith("empty.json: empty, not JSON")
        assert f"list.json: [1]: {why}" in found
        assert "list.json: [2]: has no key `annotation`" in found
        assert f"list.json: [3]: id:{UNKNOWN} is not in the index" in found
        assert "list.json: [4]: has no key `annotation`" in found
        assert f"list.json: [5]: {why}" in found
        [twice] = [each for each in found if "has another annotation already" in each]
        assert twice.startswith("list.json: [6]: id:")
        assert any(each.startswith("nan.json: bad JSON") for each in found)
        assert "text.json: has no key `annotation`" in found
        assert report.labels_read == 5


@pytest.mark.parametrize("single", [False, True])
def test_round_trip(scene: Scene, labels: Path, single: bool) -> None:
    scene.write("a.json", {"label": "cät", "deep": [{"x": 1.0}, None]})
    scene.write("b.json", 7)
    scene.index("bare")
    before = scene.notes()
    folder, report = scene.instantiate("annot", f"single-file={single}")
    assert (report.objects, report.label_files) == (0, 1 if single else 2)
    names = files_below(folder)
    assert all(name.endswith(".json") for name in names)
    assert scene.index("annot", paths=[folder]).new_annotations == 0
    assert scene.notes() == before
    path = folder / names[0]
    values = json.loads(path.read_text())
    for each in values if single else [values]:
        each["annotation"] = "edited"
    path.write_text(json.dumps(values))
    assert scene.index("annot", paths=[folder]).new_annotations == 1 + single
    assert "edited" in scene.notes().values()


def test_data_files_of_the_location_are_left_alone(scene: Scene) -> None:
    scene.write("a.jpg")
    scene.index("bare")
    scene.write("x.json", {"annotation": 1, "ldb_meta": {"data_object_id": scene.ids()["a.jpg"]}})
    report = scene.index("annot")
    assert (report.gone_paths, scene.notes()) == (0, {"a.jpg": 1})
    report = scene.index("bare")
    assert (report.gone_paths, report.new_paths, scene.notes()) == (1, 0, {"a.jpg": 1})
