"""`tensorflow-inferred`: folders are labels, labels are folders, and none leads out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldb.errors import BadInput
from tests.formats.conftest import Scene, again, files_below, problems


def test_folders_are_labels(scene: Scene) -> None:
    for name in ("cat/1.jpg", "cat/tabby/2.jpg", "dog/3.jpg", "dog/3.json"):
        scene.write(name)
    report = scene.index("infer")
    assert problems(report) == []
    assert scene.notes() == {
        "cat/1.jpg": {"label": "cat"},
        "cat/tabby/2.jpg": {"label": {"cat": "tabby"}},
        "dog/3.jpg": {"label": "dog"},
    }
    assert (report.found_objects, report.new_annotations, report.lone) == (3, 3, 1)


def test_params(scene: Scene) -> None:
    scene.write("1.jpg")
    scene.write("cat/2.jpg")
    scene.index("infer", "base-label=other", "label-key=meta.class")
    assert scene.notes() == {
        "1.jpg": {"meta": {"class": "other"}},
        "cat/2.jpg": {"meta": {"class": "cat"}},
    }


def test_files_without_a_folder_are_indexed_and_told(scene: Scene) -> None:
    for name in ("1.jpg", "2.jpg", "cat/3.jpg"):
        scene.write(name)
    [why] = problems(scene.index("infer"))
    assert "2 files lie in no folder" in why
    assert "the first is 1.jpg; -p base-label=LABEL" in why
    assert scene.notes() == {"1.jpg": None, "2.jpg": None, "cat/3.jpg": {"label": "cat"}}


def test_again_and_moved(scene: Scene) -> None:
    scene.write("cat/1.jpg")
    scene.index("infer")
    report = scene.index("infer")
    assert (report.new_annotations, report.updated_objects, report.new_paths) == (0, 0, 0)
    (scene.data / "dog").mkdir()
    (scene.data / "cat/1.jpg").rename(scene.data / "dog/1.jpg")
    report = scene.index("infer", tags=["moved"])
    assert (report.new_annotations, report.new_paths, report.gone_paths) == (1, 1, 1)
    [(_, record, annotation)] = scene.objects()
    assert (annotation, record.tags) == ({"label": "dog"}, ("moved",))


@pytest.mark.parametrize("preserve", [False, True])
def test_round_trip(scene: Scene, tmp_path: Path, preserve: bool) -> None:
    for name in ("1.jpg", "cat/1.jpg", "cat/tabby/2.jpg", "dog/3"):
        scene.write(name)
    scene.index("infer", "base-label=other")
    folder, report = scene.instantiate("infer", "base-label=other", preserve_paths=preserve)
    assert problems(report) == [] == report.losses
    if preserve:
        assert files_below(folder) == ["1.jpg", "cat/1.jpg", "cat/tabby/2.jpg", "dog/3"]
    back = again(scene, folder, tmp_path)
    back.index("infer", "base-label=other")
    before = {name: value for name, _, value in scene.objects()}
    assert {name: value for name, _, value in back.objects()} == before


HOSTILE = ["..", ".", "../../x", "/etc/passwd", "C:\\x", "c:", "a/b", "con", "\0", "x" * 300, ""]


def test_a_label_never_leads_out(scene: Scene) -> None:
    for at, label in enumerate(HOSTILE):
        scene.write(f"{at}.jpg")
        scene.write(f"{at}.json", {"label": label})
        scene.write(f"n{at}.jpg")
        scene.write(f"n{at}.json", {"label": {label: {"..": label or "x"}}})
    scene.index("bare")
    folder, report = scene.instantiate("infer")
    assert problems(report) == ["10.jpg: has no label that could name a folder (-p label-key=KEY)"]
    assert len(files_below(folder)) == 2 * len(HOSTILE) - 1
    assert len(files_below(scene.out)) == len(files_below(folder))
    everything = {path.name for path in folder.rglob("*")}
    assert not {"..", ".", "etc", "c:"} & everything


NO_LABELS: list[object] = [None, 1.5, True, [], {}, {"a": 1, "b": 2}, {"a": []}]


def test_what_is_no_label_is_a_problem_and_the_rest_goes_on(scene: Scene) -> None:
    for at, value in enumerate(NO_LABELS):
        scene.write(f"{at}.jpg")
        scene.write(f"{at}.json", {"label": value})
    scene.write("b.jpg")
    scene.write("b.json", {"label": 7})
    scene.index("bare")
    folder, report = scene.instantiate("infer")
    [name] = files_below(folder)
    assert name.startswith("7/b-")
    why = "has no label that could name a folder (-p label-key=KEY)"
    assert problems(report) == [f"{at}.jpg: {why}" for at in range(len(NO_LABELS))]


def test_what_has_no_place_is_said(scene: Scene) -> None:
    scene.write("a.jpg")
    scene.write("a.json", {"label": "x", "box": [1, 2], "who": "ann"})
    scene.write("b.jpg")
    scene.index("bare")
    _, report = scene.instantiate("infer")
    assert sorted((each.why, each.count) for each in report.losses) == [
        ("keys beside the label: box, who", 1),
        ("no annotation, so no folder: put beside the folders", 1),
    ]


def test_outside_of_storage_it_is_refused(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(BadInput, match="in no storage location") as failed:
        scene.index("infer", paths=[tmp_path / "other"])
    assert "ldb add-storage" in failed.value.hint


def test_worker_processes_give_the_same_index(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ldb.indexing.scan.BATCH", 3)
    monkeypatch.setattr("ldb.indexing.run.default_processes", lambda: 2)
    names = [f"l{at % 4}/{at}.jpg" for at in range(14)]
    for name in names:
        scene.write(name)
    scene.write("metadata.jsonl", "".join(f'{{"file_name": "{name}", "n": 1}}\n' for name in names))
    assert problems(scene.index("infer", "base-label=x")) == []
    report = scene.index("hf-imagefolder")
    assert (problems(report), report.new_annotations, report.updated_objects) == ([], 14, 14)
    assert [scene.notes()[name] for name in names] == [{"n": 1}] * 14
    report = scene.index("hf-imagefolder", tags=["t"])
    assert (report.labels_read, report.updated_objects) == (0, 14)
    assert scene.index("infer").new_annotations == 0  # known before: none is new
