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


def exported(task: dict[str, Any], number: int) -> dict[str, Any]:
    """The task as Label Studio exports it when nobody has labelled it."""
    return {
        "meta": {}, **task, "id": number, "inner_id": number, "project": 1, "annotations": [],
        "drafts": [], "predictions": [], "created_at": f"2026-01-01T00:00:0{number}Z",
        "total_annotations": 0, "file_upload": None,
    }  # fmt: skip


def test_what_was_not_touched_stays_as_it_is(scene: Scene, labels: Path) -> None:
    """Two of six are labelled, one of which had an annotation before."""
    root = f"document-root={scene.data}"
    for number in range(4):
        scene.write(f"{number}.jpg")
        scene.write(f"{number}.json", {"label": number})
    scene.index("bare")
    folder, _ = scene.instantiate("label-studio", root)
    tasks = json.loads((folder / "label-studio.json").read_text())
    names = {digits: name for name, digits in scene.ids().items()}

    def by_name(tasks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {names[task["data"]["data-object-info"]["md5"]]: task for task in tasks}

    before = scene.objects()
    out = [exported(task, at) for at, task in enumerate(tasks)]
    put(labels, out)
    report = scene.index("label-studio", root, paths=[labels])
    assert (report.found_annotations, report.new_annotations, problems(report)) == (6, 0, [])
    assert scene.objects() == before

    for name in ("1.jpg", "a.jpg"):
        by_name(out)[name]["annotations"] = [{"id": 7, "result": [CHOICE]}]
    put(labels, out)
    assert scene.index("label-studio", root, paths=[labels]).new_annotations == 2
    notes = scene.notes()
    assert notes["1.jpg"]["meta"] == {"annotation": {"label": 1}}
    assert notes["1.jpg"]["annotations"][0]["result"] == notes["a.jpg"]["annotations"][0]["result"]
    same = {name: note for name, note in notes.items() if name not in ("1.jpg", "a.jpg")}
    assert same == {"b b.jpg": None, **{f"{at}.jpg": {"label": at} for at in (0, 2, 3)}}

    # Tasks once more: other numbers and times are no news, other labels and none are.
    folder, _ = scene.instantiate("label-studio", root)
    out = [
        {**task, "id": 100 + at, "updated_at": "2027-01-01T00:00:00Z"}
        for at, task in enumerate(json.loads((folder / "label-studio.json").read_text()))
    ]
    put(labels, out)
    assert scene.index("label-studio", root, paths=[labels]).new_annotations == 0
    by_name(out)["a.jpg"]["annotations"] = []
    by_name(out)["1.jpg"]["annotations"][0]["result"] = []
    put(labels, out)
    report = scene.index("label-studio", root, paths=[labels])
    assert (report.new_annotations, problems(report)) == (2, [])
    assert scene.notes()["a.jpg"]["annotations"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"predictions": [{"result": [CHOICE], "score": 0.5}]},
        {"annotations": [{"result": [], "was_cancelled": True}]},
        {"annotations": "odd"},
        {"meta": {"reviewed": True}},
        {"meta": ["odd"]},
        {"more": {"title": "x"}},
    ],
)
def test_what_counts_as_touched(scene: Scene, labels: Path, change: dict[str, Any]) -> None:
    folder, _ = scene.instantiate("label-studio", f"document-root={scene.data}")
    task, other = json.loads((folder / "label-studio.json").read_text())
    task["data"] |= change.pop("more", {})
    put(labels, [{**exported(task, 1), **change}, exported(other, 2)])
    report = scene.index("label-studio", f"document-root={scene.data}", paths=[labels])
    assert (report.found_annotations, report.new_annotations) == (2, 1)


def snapshot(task: dict[str, Any], minute: int, *labels: str, **changes: Any) -> dict[str, Any]:
    """A task in an export of one project, touched last at that minute, with these labels."""
    touched = f"2026-01-02T03:{minute:02}:05.678901Z"
    annotations: list[dict[str, Any]] = [
        {
            "id": 70 + at, "completed_by": 1, "was_cancelled": False, "ground_truth": False,
            "result": [{**CHOICE, "origin": "manual", "value": {"choices": [label]}}],
            "created_at": "2026-01-02T03:00:04.500000Z", "updated_at": touched, "lead_time": 2.5,
            "draft_created_at": None, "prediction": {}, "result_count": 0, "import_id": None,
            "last_action": None, "task": 5, "project": 3, "updated_by": 1, "last_created_by": None,
            "parent_prediction": None, "parent_annotation": None,
        }
        for at, label in enumerate(labels)
    ]  # fmt: skip
    return {
        **task, "id": 5, "inner_id": 1, "project": 3, "annotations": annotations, "drafts": [],
        "predictions": [], "meta": {}, "file_upload": None, "updated_by": 1, "comment_authors": [],
        "created_at": "2026-01-02T03:00:00.000001Z", "updated_at": touched,
        "total_annotations": len(labels), "cancelled_annotations": 0, "total_predictions": 0,
        "comment_count": 0, "unresolved_comment_count": 0, "last_comment_updated_at": None,
        **changes,
    }  # fmt: skip


def labels_of(scene: Scene, name: str = "a.jpg") -> list[str]:
    """The choices in the annotation of a data object."""
    return [each["result"][0]["value"]["choices"][0] for each in scene.notes()[name]["annotations"]]


@pytest.fixture
def task(scene: Scene, labels: Path) -> dict[str, Any]:
    """A task for a.jpg that names its file only, as most do."""
    return {"data": {"image": f"{scene.data}/a.jpg"}}


@pytest.mark.parametrize("names", [("1.json", "2.json", "3.json"), ("3.json", "2.json", "1.json")])
def test_of_several_exports_the_newest_counts(
    scene: Scene, labels: Path, task: dict[str, Any], names: tuple[str, ...]
) -> None:
    for minute, name in enumerate(names):
        put(labels, [snapshot(task, minute, f"label {minute}")], name)
    report = scene.index("label-studio", paths=[labels])
    assert (report.found_annotations, report.outdated, problems(report)) == (1, 2, [])
    assert labels_of(scene) == ["label 2"]
    # Whenever an export comes, the older ones are read again, and change nothing.
    put(labels, [snapshot(task, 1, "label 1", comment_count=2)], "4.json")
    report = scene.index("label-studio", paths=[labels])
    assert (report.labels_read, report.new_annotations, problems(report)) == (4, 0, [])
    assert labels_of(scene) == ["label 2"]


def test_an_older_export_that_comes_later_changes_nothing(
    scene: Scene, labels: Path, task: dict[str, Any]
) -> None:
    put(labels, [snapshot(task, 8, "new")])
    scene.index("label-studio", paths=[labels])
    put(labels, [snapshot(task, 7, "old")])
    report = scene.index("label-studio", paths=[labels])
    assert (report.new_annotations, report.outdated, problems(report)) == (0, 1, [])
    assert labels_of(scene) == ["new"]
    # The same state in other words is none either; a later one is.
    put(labels, [snapshot(task, 8, "new", inner_id=9)])
    assert scene.index("label-studio", paths=[labels]).new_annotations == 0
    put(labels, [snapshot(task, 9)])
    assert scene.index("label-studio", paths=[labels]).new_annotations == 1
    assert labels_of(scene) == []


def test_labels_taken_away_in_the_newest_export(scene: Scene, labels: Path, tmp_path: Path) -> None:
    """What LDB wrote, labelled, and unlabelled again: as it went out, so the object keeps what
    it had, in one folder or two."""
    folder, _ = scene.instantiate("label-studio", f"document-root={scene.data}")
    ids = scene.ids()
    [out] = [
        each for each in json.loads((folder / "label-studio.json").read_text())
        if each["data"]["data-object-info"]["md5"] == ids["a.jpg"]
    ]  # fmt: skip
    other = tmp_path / "other"
    other.mkdir()
    put(labels, [snapshot(out, 1, "cat")], "a.json")
    for second in (labels, other):
        put(second, [snapshot(out, 2)], "b.json")
        paths = [labels, other]
        assert scene.index("label-studio", paths=paths[: 1 + (second is other)]).problems == []
        assert scene.notes()["a.jpg"] is None
        (second / "b.json").unlink()


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 6},
        {"id": None},
        {"project": 4},
        {"created_at": "2026-01-01T00:00:00Z"},
        {"updated_at": "2026-01-02T03:01:05.678901Z"},
        {"id": None, "updated_at": "soon", "created_at": 7, "annotations": []},
    ],
)
def test_other_tasks_and_unknown_times_are_a_problem_as_ever(
    scene: Scene, labels: Path, task: dict[str, Any], changes: dict[str, Any]
) -> None:
    put(labels, [snapshot(task, 1, "one"), {**snapshot(task, 1, "two"), **changes}])
    report = scene.index("label-studio", paths=[labels])
    assert [each.partition(": ")[2] for each in problems(report)] == [
        f"[1]: id:{scene.ids()['a.jpg']} has another annotation already"
    ]
    assert labels_of(scene) == ["one"]


def test_times_of_labels_where_tasks_have_none(
    scene: Scene, labels: Path, task: dict[str, Any]
) -> None:
    """As the first versions of Label Studio export them."""
    for minute, name in ((2, "a.json"), (1, "b.json")):
        old = snapshot(task, minute, f"label {minute}")
        del old["updated_at"]
        put(labels, [old], name)
    assert problems(scene.index("label-studio", paths=[labels])) == []
    assert labels_of(scene) == ["label 2"]


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
