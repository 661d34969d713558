"""`label-studio`: tasks that go out, are labelled, and find their objects again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ldb.errors import BadInput
from tests.formats.conftest import Scene, problems

CHOICE = {
    "from_name": "choice", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]},
}  # fmt: skip


@pytest.fixture
def labels(scene: Scene, tmp_path: Path) -> Path:
    """Two indexed images, and a folder outside of all locations."""
    scene.write("a.jpg")
    scene.write("b b.jpg")
    scene.index("bare")
    folder = tmp_path / "labels"
    folder.mkdir()
    return folder


def put(folder: Path, tasks: object, name: str = "export.json") -> None:
    (folder / name).write_text(json.dumps(tasks))


def labelled(task: dict[str, Any], number: int) -> dict[str, Any]:
    """The task as Label Studio exports it once somebody has labelled it."""
    return {
        **task, "id": number, "project": 1, "created_at": "2026-01-01T00:00:00Z",
        "annotations": [{"id": 10 + number, "result": [{**CHOICE, "id": f"r{number}"}]}],
        "predictions": [],
    }  # fmt: skip


def test_out_labelled_and_back(scene: Scene, labels: Path) -> None:
    ids = scene.ids()
    root = f"document-root={scene.data}"
    folder, report = scene.instantiate("label-studio", root)
    assert (report.losses, report.objects, report.label_files) == ([], 0, 1)
    tasks = json.loads((folder / "label-studio.json").read_text())
    assert sorted(task["data"]["image"] for task in tasks) == [
        "/data/local-files/?d=a.jpg", "/data/local-files/?d=b%20b.jpg"
    ]  # fmt: skip
    # The order changes, and one URL: ids hold all the same.
    exported = [labelled(task, at) for at, task in enumerate(reversed(tasks))]
    exported[0]["data"]["image"] = "/data/upload/1/zzz.jpg"
    put(labels, exported)
    assert problems(scene.index("label-studio", root, paths=[labels])) == []
    assert scene.ids() == ids
    for name, note in scene.notes().items():
        assert note["data"]["data-object-info"] == {"md5": ids[name], "path_key": "data.image"}
        assert note["annotations"][0]["result"][0]["value"] == {"choices": ["cat"]}
    # Out once more: the tasks as they came, nothing lost, and nothing new when read again.
    folder, report = scene.instantiate("label-studio", root)
    assert report.losses == []
    again = json.loads((folder / "label-studio.json").read_text())
    assert sorted(map(json.dumps, _sorted(again))) == sorted(map(json.dumps, _sorted(exported)))
    assert scene.index("label-studio", root, paths=[folder]).new_annotations == 0


def _sorted(tasks: list[dict[str, Any]]) -> list[Any]:
    return [json.loads(json.dumps(task, sort_keys=True)) for task in tasks]


def test_by_path_where_no_id_is_known(scene: Scene, labels: Path) -> None:
    data = scene.data
    photo = {"path_key": "data.photo"}
    put(labels, [
        {"data": {"image": f"file://{data}/a.jpg", "data-object-info": {"md5": "0" * 32}}},
        {"data": {"photo": f"{data}/b b.jpg", "title": "x", "data-object-info": photo}},
    ])  # fmt: skip
    assert problems(scene.index("label-studio", paths=[labels])) == []
    notes, ids = scene.notes(), scene.ids()
    assert notes["a.jpg"]["data"]["data-object-info"] == {
        "md5": ids["a.jpg"], "path_key": "data.image"
    }  # fmt: skip
    assert notes["b b.jpg"]["data"]["data-object-info"] == {
        "md5": ids["b b.jpg"], "path_key": "data.photo"
    }  # fmt: skip


def test_the_id_goes_before_the_path(scene: Scene, labels: Path) -> None:
    info = {"md5": scene.ids()["b b.jpg"]}
    put(labels, {"data": {"image": f"{scene.data}/a.jpg", "data-object-info": info}})
    scene.index("label-studio", paths=[labels])
    assert scene.notes()["a.jpg"] is None
    assert scene.notes()["b b.jpg"]["data"]["image"].endswith("a.jpg")


def test_what_is_wrong_is_told_by_task(scene: Scene, labels: Path) -> None:
    info = "data-object-info"
    tasks: list[object] = [
        {"image": "/x.jpg"},
        7,
        *({"data": each} for each in (
            {"image": "/nowhere.jpg"}, {"a": "x", "b": "y"}, {"image": "/data/upload/1/x.jpg"},
            {"image": 7, info: 7}, {"image": "../../etc/passwd"}, {"image": "x", info: {"md5": 1}},
            {"image": f"{scene.data}/a.jpg"}, {info: {"path_key": "data..x"}},
            {"image": "s3://u:p@b/x.jpg"},
        )),
    ]  # fmt: skip
    put(labels, tasks)
    found = problems(scene.index("label-studio", paths=[labels]))
    assert [each.partition(": ")[2] for each in found if "[" in each] == [
        "[0]: task: has no `data`; export as JSON, not as JSON-MIN",
        "[1]: task: has no `data`; export as JSON, not as JSON-MIN",
        "[3]: data: holds neither an id nor a single URL; -p path-key=data.KEY says which",
        "[4]: data.image: was uploaded into Label Studio, so where it came from is not known",
        "[5]: data.data-object-info: is no object",
        "[7]: data.data-object-info.md5: is no text",
        "[9]: path_key: 'data..x' has an empty key; keys look like a or a.b",
        "[10]: s3://***@b: holds a name or a password, which would go into the index",
        "[2]: /nowhere.jpg is neither here nor in the index",
        "[6]: ../../etc/passwd is neither here nor in the index",
    ]
    assert scene.notes()["a.jpg"] is not None


def test_other_annotations_go_along_and_what_cannot_be_loaded_is_said(scene: Scene) -> None:
    scene.write("a.jpg")
    scene.write("a.json", {"label": "cat"})
    scene.index("bare")
    folder, report = scene.instantiate("label-studio", "path-key=data.photo", "tasks-per-file=1")
    assert sorted(each.why.partition(",")[0].partition(":")[0] for each in report.losses) == [
        "a local file", "an annotation that is no task"
    ]  # fmt: skip
    [task] = json.loads((folder / "label-studio-1.json").read_text())
    assert task["meta"] == {"annotation": {"label": "cat"}}
    assert task["data"]["photo"] == f"file://{scene.data}/a.jpg"
    with pytest.raises(BadInput, match="not below `data`"):
        scene.instantiate("label-studio", "path-key=image")
