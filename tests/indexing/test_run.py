"""What one run after another finds: new, unchanged, changed, moved, removed."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.errors import BadInput
from ldb.indexing.scan import BATCH
from ldb.instance import create
from tests.indexing.conftest import LONG_AGO, Box, opened

NEW = LONG_AGO + 1000


def fill(box: Box, count: int = 6) -> None:
    for number in range(count):
        box.pair(f"f{number % 2}/{number}", f"image {number}", {"label": number})


def test_first_run(box: Box) -> None:
    fill(box)
    report = box.index()
    assert (report.found_objects, report.new_objects) == (6, 6)
    assert (report.found_annotations, report.new_annotations) == (6, 6)
    assert (report.new_paths, report.gone_paths, report.updated_objects) == (6, 0, 0)
    assert report.problems == []
    assert box.notes() == {f"f{n % 2}/{n}.jpg": {"label": n} for n in range(6)}


def test_nothing_changed(box: Box) -> None:
    fill(box)
    first = box.index()
    again = box.index()
    assert (again.found_objects, again.found_annotations) == (6, 6)
    assert (again.new_objects, again.new_annotations, again.new_paths) == (0, 0, 0)
    assert first.version
    assert again.version
    assert (first.version.number, again.version.number) == (1, 2), "every run is a version"
    assert first.version.commit.maps == again.version.commit.maps


def test_only_if_new(box: Box) -> None:
    fill(box)
    first, again = box.index(), box.index(only_if_new=True)
    assert first.version == again.version
    assert box.version() == 1


def test_unchanged_files_are_not_read_again(box: Box) -> None:
    fill(box)
    with opened() as names:
        box.index()
    assert {"0.jpg", "0.json", "5.jpg"} <= set(names)
    box.write("f1/3.jpg", "another image", NEW)
    with opened() as names:
        box.index()
    assert [name for name in names if name.endswith((".jpg", ".json"))] == ["3.jpg"]


def test_same_size_and_time_is_taken_for_unchanged(box: Box) -> None:
    box.write("a.jpg", "abc")
    box.index()
    box.write("a.jpg", "xyz")
    box.index()
    assert box.id_at("a.jpg") == md5("abc")
    box.write("a.jpg", "xyz", NEW)
    box.index()
    assert box.id_at("a.jpg") == md5("xyz")


def test_file_written_this_moment_is_read_again(box: Box) -> None:
    """It could change once more within the same tick of the clock."""
    path = box.folder / "a.jpg"
    path.write_text("one")
    now = path.stat().st_mtime_ns
    box.index()
    path.write_text("two")
    os.utime(path, ns=(now, now))
    box.index()
    assert box.id_at("a.jpg") == md5("two")


@pytest.mark.parametrize("age", [-1000.0, 10_000_000_000.0])
def test_times_that_prove_nothing(box: Box, age: float) -> None:
    """Before 1970, in the future, and later than 64 bits of nanoseconds reach."""
    for content in ("one", "two"):
        box.write("a.jpg", content, age)
        assert box.index().problems == []
        assert box.id_at("a.jpg") == md5(content)


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_changed_file_is_another_object(box: Box) -> None:
    box.pair("a", "old", 1)
    box.index()
    box.write("a.jpg", "new", NEW)
    report = box.index()
    assert (report.new_objects, report.new_paths, report.gone_paths) == (1, 0, 0)
    old, new = (
        next(each for each in box.objects() if each.id == md5(text)) for text in ("old", "new")
    )
    assert (old.annotation, new.annotation) == (1, 1)
    assert old.paths == [str(box.folder / "a.jpg")], "the last known place is kept"
    assert new.paths == old.paths


def test_copies_are_one_object(box: Box) -> None:
    box.write("b/copy.jpg", "same")
    box.pair("a/one", "same", {"from": "a"})
    report = box.index()
    assert (report.found_objects, report.new_objects, report.new_paths) == (2, 1, 2)
    [known] = box.objects()
    assert known.paths == [str(box.folder / name) for name in ("a/one.jpg", "b/copy.jpg")]
    assert known.annotation == {"from": "a"}
    box.write("c.jpg", "same")
    report = box.index()
    assert (report.new_objects, report.updated_objects, report.new_paths) == (0, 1, 1)
    assert len(box.objects()[0].paths) == 3


def test_copies_with_different_annotations_have_both(box: Box) -> None:
    box.pair("a", "same", "first")
    box.pair("b", "same", "second")
    report = box.index()
    assert (report.new_objects, report.new_annotations) == (1, 2)
    [known] = box.objects()
    assert known.annotation == "second", "the last path's is current"
    assert len(known.record.annotations) == 2


def test_two_files_with_one_stem_share_the_annotation(box: Box) -> None:
    box.pair("a", "jpeg", {"both": True})
    box.write("a.png", "png")
    report = box.index()
    assert (report.found_objects, report.found_annotations) == (2, 1)
    assert box.notes() == {"a.jpg": {"both": True}, "a.png": {"both": True}}
    box.write("a.json", '{"both": false}', NEW)
    report = box.index()
    assert report.updated_objects == 2
    assert box.notes() == {"a.jpg": {"both": False}, "a.png": {"both": False}}


def test_annotation_changed_and_back(box: Box) -> None:
    box.pair("a", "x", 1)
    box.index()
    box.write("a.json", "2", NEW)
    report = box.index()
    assert (report.new_annotations, report.updated_objects, report.new_objects) == (1, 1, 0)
    assert box.at("a.jpg").annotation == 2
    box.write("a.json", "1", NEW + 1)
    report = box.index()
    assert (report.new_annotations, report.updated_objects) == (0, 0)
    known = box.at("a.jpg")
    assert known.annotation == 2, "an older version indexed again does not become current"
    assert len(known.record.annotations) == 2


def test_annotation_touched(box: Box) -> None:
    box.pair("a", "x", {"k": 1})
    box.index()
    box.write("a.json", ' { "k" : 1 } ', NEW)
    assert box.index().new_annotations == 0
    assert len(box.at("a.jpg").record.annotations) == 1


def test_annotation_added_later(box: Box) -> None:
    box.write("a.jpg", "x")
    box.index()
    assert box.at("a.jpg").annotation is None
    box.write("a.json", "true")
    report = box.index()
    assert (report.new_annotations, report.updated_objects) == (1, 1)
    assert box.at("a.jpg").annotation is True


def test_annotation_removed_stays_current(box: Box) -> None:
    box.pair("a", "x", 1)
    box.index()
    (box.folder / "a.json").unlink()
    report = box.index()
    assert (report.found_annotations, report.gone_paths) == (0, 1)
    assert box.at("a.jpg").annotation == 1
    assert box.path_rows() == ["a.jpg"]


def test_moved_file(box: Box) -> None:
    box.pair("a/x", "content", 1)
    box.index()
    (box.folder / "b").mkdir()
    for name in ("x.jpg", "x.json"):
        (box.folder / "a" / name).rename(box.folder / "b" / name)
    report = box.index()
    assert (report.new_objects, report.updated_objects) == (0, 1)
    assert (report.new_paths, report.gone_paths) == (1, 2)
    [known] = box.objects()
    assert known.paths == [str(box.folder / "b/x.jpg")]
    assert known.annotation == 1


def test_deleted_folder(box: Box) -> None:
    box.pair("keep/a", "a", 1)
    box.pair("gone/deep/b", "b", 2)
    box.index()
    for name in ("gone/deep/b.jpg", "gone/deep/b.json"):
        (box.folder / name).unlink()
    (box.folder / "gone/deep").rmdir()
    report = box.index()
    assert report.gone_paths == 2
    assert box.path_rows() == ["keep/a.jpg", "keep/a.json"]
    assert box.notes() == {"keep/a.jpg": 1, "gone/deep/b.jpg": 2}, "the object is still known"


def test_indexing_a_folder_leaves_others_alone(box: Box) -> None:
    fill(box)
    box.index()
    (box.folder / "f1/1.jpg").unlink()
    assert box.index(box.folder / "f0").gone_paths == 0
    assert "f1/1.jpg" in box.path_rows()


@pytest.mark.parametrize("name", ["f", "f0-more", "f00", "f0."])
def test_folders_with_near_names(box: Box, name: str) -> None:
    box.write("f0/a.jpg", "a")
    box.write(f"{name}/b.jpg", "b")
    box.index()
    (box.folder / "f0/a.jpg").unlink()
    assert box.index(box.folder / "f0").gone_paths == 1
    assert box.path_rows() == [f"{name}/b.jpg"]


def test_tags(box: Box) -> None:
    fill(box, 3)
    box.index()
    box.write("f0/new.jpg", "new")
    report = box.index(box.folder / "f0", tags=("winter", "2024"))
    assert (report.new_objects, report.updated_objects) == (1, 2)
    tags = {name: box.at(name).record.tags for name in box.notes()}
    assert tags == {
        "f0/0.jpg": ("2024", "winter"), "f0/2.jpg": ("2024", "winter"),
        "f0/new.jpg": ("2024", "winter"), "f1/1.jpg": (),
    }  # fmt: skip
    assert box.index(box.folder / "f0", tags=("winter",)).updated_objects == 0


def test_strict(box: Box) -> None:
    box.pair("a", "a", 1)
    box.write("b.jpg", "b")
    box.write("c.json", "3")
    report = box.index(strict=True)
    assert (report.found_objects, report.found_annotations, report.lone) == (1, 1, 2)
    assert box.notes() == {"a.jpg": 1}
    report = box.index(strict=True)
    assert (report.found_objects, report.found_annotations, report.new_objects) == (1, 1, 0)


def test_strict_forgets_nothing_that_is_there(box: Box) -> None:
    box.pair("a", "a", 1)
    box.write("b.jpg", "b")
    box.index()
    assert box.index(strict=True).gone_paths == 0
    assert box.path_rows() == ["a.jpg", "a.json", "b.jpg"]
    (box.folder / "b.jpg").unlink()
    assert box.index(strict=True).gone_paths == 1


def test_stop_at_problem_publishes_nothing(box: Box) -> None:
    box.pair("a", "a", 1)
    box.write("b.jpg", "b")
    box.write("b.json", "{")
    with pytest.raises(BadInput, match=r"b\.json"):
        box.index(stop_at_problem=True)
    assert box.version() == 0
    box.write("b.json", "{}")
    assert box.index(stop_at_problem=True).new_objects == 2


def test_several_workers_give_the_same_index(box: Box) -> None:
    for number in range(3 * BATCH):
        box.write(f"{number % 7}/{number}.jpg", f"image {number // 2}")
        if number % 3 == 0:
            box.write(f"{number % 7}/{number}.json", f'{{"n": {number // 2}}}')
    several = box.index(processes=3)
    assert several.new_objects == (3 * BATCH + 1) // 2
    assert several.new_paths == 3 * BATCH
    paths = [each.record.paths for each in box.objects()]
    other = Box(create(LocalBackend(box.folder.parent / "other")), box.folder)
    one = other.index()
    assert [each.record.paths for each in other.objects()] == paths
    assert several.version
    assert one.version
    assert several.version.commit.maps["paths"] == one.version.commit.maps["paths"]


def test_targets(box: Box) -> None:
    fill(box)
    report = box.index(
        box.folder / "f0", box.folder, box.folder / "f1/1.jpg", box.folder / "f1/3.jpg"
    )
    assert report.found_objects == 6, "one inside another is looked at once"


def test_one_file(box: Box) -> None:
    fill(box)
    report = box.index(box.folder / "f1/3.jpg")
    assert (report.found_objects, report.found_annotations) == (1, 1)
    assert box.notes() == {"f1/3.jpg": {"label": 3}}
    assert box.path_rows() == ["f1/3.jpg", "f1/3.json"]


def test_annotation_file_stands_for_its_data(box: Box) -> None:
    fill(box)
    assert box.index(box.folder / "f1/3.json").found_objects == 1
    assert box.notes() == {"f1/3.jpg": {"label": 3}}


def test_file_beside_unknown_ones_says_nothing_of_them(box: Box) -> None:
    box.write("a.jpg", "a")
    os.mkfifo(box.folder / "pipe")
    assert box.index(box.folder / "a.jpg").problems == []
    [problem] = box.index().problems
    assert problem.path.endswith("pipe")


def test_empty_folder(box: Box) -> None:
    report = box.index()
    assert (report.found_objects, report.problems) == (0, [])
    assert box.version() == 1
    assert box.objects() == []


def test_sha256_instance(box: Box, tmp_path: Path) -> None:
    wide = Box(create(LocalBackend(tmp_path / "wide"), "sha256"), box.folder)
    wide.write("a.jpg", "a")
    wide.write("b.jpg", "a")
    wide.index()
    [known] = wide.objects()
    assert len(known.id) == 64
    assert len(known.paths) == 2


def test_workers_that_cannot_be_forked(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no fork they start anew and open the instance by its address."""
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    for number in range(BATCH + 1):
        box.write(f"{number}.jpg", f"image {number}")
    report = box.index(processes=2, tags=("t",))
    assert (report.new_objects, report.problems) == (BATCH + 1, [])
    assert {each.record.tags for each in box.objects()} == {("t",)}
