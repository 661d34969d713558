"""Runs at the same time, over the same files: each keeps what the other found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ldb.backends.local import LocalBackend
from ldb.history import head
from ldb.indexing.run import IndexOptions, index
from ldb.indexing.targets import targets_of
from ldb.instance import open_instance
from ldb.refs.name import INDEX
from tests.indexing.conftest import LONG_AGO, Box

ROOT = Path(__file__).resolve().parents[2]
NEW = LONG_AGO + 1000


class During:
    """A `Progress` that lets something else happen in the middle of the run."""

    def __init__(self, happen: Callable[[], object]) -> None:
        self._left = [happen]

    def start(self, label: str, total: int | None = None) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        if self._left:
            self._left.pop()()


def index_while(box: Box, happen: Callable[[], object], *paths: str, **options: Any) -> None:
    """Index these folders; when their files have been read, `happen`."""
    targets = targets_of([str(box.folder / path) for path in paths])
    index(box.instance, targets, IndexOptions(**{"processes": 1, **options}), During(happen))
    box.instance.objects.refresh()


def other(box: Box) -> Box:
    """The same files and the same instance, seen by another process."""
    return Box(open_instance(LocalBackend(box.instance.url)), box.folder)


def test_first_runs(box: Box) -> None:
    """Neither has a version to start from; both see one object, at different paths."""
    box.pair("a/1", "one", 1)
    box.pair("a/both", "both", {"from": "a"})
    box.pair("b/2", "two", 2)
    box.pair("b/both", "both", {"from": "b"})
    index_while(box, lambda: other(box).index(box.folder / "b", tags=("b",)), "a", tags=("a",))
    assert box.version() == 2
    assert box.at("a/1.jpg").annotation == 1
    assert box.at("b/2.jpg").annotation == 2
    both = box.at("a/both.jpg")
    assert both.paths == [str(box.folder / name) for name in ("a/both.jpg", "b/both.jpg")]
    assert both.record.tags == ("a", "b")
    assert len(both.record.annotations) == 2
    assert len(box.path_rows()) == 8


def test_same_folder(box: Box) -> None:
    for number in range(20):
        box.pair(f"a/{number}", f"{number}", number)
    index_while(box, lambda: other(box).index(box.folder / "a"), "a")
    assert box.version() == 2
    assert box.notes() == {f"a/{number}.jpg": number for number in range(20)}
    assert all(len(each.record.annotations) == 1 for each in box.objects())


def test_changes_on_top_of_a_version(box: Box) -> None:
    for name in ("a/x", "a/gone", "b/y", "b/gone"):
        box.pair(name, name, "old")
    box.index()
    box.write("a/x.json", '"new x"', NEW)
    (box.folder / "a/gone.jpg").unlink()

    def meanwhile() -> None:
        box.write("b/y.json", '"new y"', NEW)
        (box.folder / "b/gone.jpg").unlink()
        box.pair("b/more", "more", "more")
        other(box).index(box.folder / "b")

    index_while(box, meanwhile, "a")
    notes = box.notes()
    assert (notes["a/x.jpg"], notes["b/y.jpg"], notes["b/more.jpg"]) == ("new x", "new y", "more")
    rows = [name for name in box.path_rows() if name.endswith(".jpg")]
    assert rows == ["a/x.jpg", "b/more.jpg", "b/y.jpg"]
    assert box.index().new_paths == 0


def test_one_object_moved_by_both(box: Box) -> None:
    box.pair("a/x", "same", 1)
    box.pair("b/x", "same", 1)
    box.index()
    (box.folder / "a/x.jpg").rename(box.folder / "a/moved.jpg")

    def meanwhile() -> None:
        (box.folder / "b/x.jpg").rename(box.folder / "b/moved.jpg")
        other(box).index(box.folder / "b")

    index_while(box, meanwhile, "a")
    [known] = box.objects()
    assert known.paths == [str(box.folder / name) for name in ("a/moved.jpg", "b/moved.jpg")]


def test_annotation_changed_by_both(box: Box) -> None:
    """Both annotations are in the history; this run's, which came last, is current."""
    box.pair("a", "a", "first")
    box.index()
    box.write("a.json", '"ours"', NEW)

    def meanwhile() -> None:
        box.write("a.json", '"theirs"', NEW + 1)
        other(box).index()

    index_while(box, meanwhile, ".")
    known = box.at("a.jpg")
    assert known.annotation == "ours"
    assert len(known.record.annotations) == 3
    assert box.index().new_annotations == 0


def test_annotation_changed_by_the_other_only(box: Box) -> None:
    box.pair("a/x", "same", "first")
    box.index()
    box.write("b/copy.jpg", "same")

    def meanwhile() -> None:
        box.write("a/x.json", '"theirs"', NEW)
        other(box).index(box.folder / "a")

    index_while(box, meanwhile, "b")
    [known] = box.objects()
    assert known.annotation == "theirs"
    assert len(known.paths) == 2


def test_versions_after_a_race_are_a_line(box: Box) -> None:
    box.write("a/x.jpg", "x")
    box.write("b/y.jpg", "y")
    index_while(box, lambda: other(box).index(box.folder / "b"), "a")
    newest = head(box.instance, INDEX)
    assert newest is not None
    assert [ref.number for ref in box.instance.refs.history(INDEX)] == [2, 1]
    assert newest.commit.parents == (box.instance.refs.get(INDEX, 1).target,)


@pytest.mark.parametrize("runs", [4])
def test_processes_at_once(box: Box, runs: int) -> None:
    """Each takes its own folder and one that all have in common."""
    for folder in (*map(str, range(runs)), "common"):
        for number in range(30):
            box.pair(f"{folder}/{number}", f"{folder} {number}", {"n": number})
        box.write(f"{folder}/same.jpg", "the same in all")
    main = (sys.executable, "-m", "ldb.cli.main", "--instance", box.instance.url)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*main, "add-storage", str(box.folder)], check=True, env=environment)
    started = [
        subprocess.Popen(
            [*main, "index", "-q", str(box.folder / str(at)), str(box.folder / "common")],
            env=environment,
        )
        for at in range(runs)
    ]
    assert [each.wait(60) for each in started] == [0] * runs
    box.instance.objects.refresh()
    assert box.version() == runs
    notes = box.notes()
    assert len(notes) == (runs + 1) * 31
    assert sum(note is not None for note in notes.values()) == (runs + 1) * 30
    [same] = [each for each in box.objects() if each.annotation is None]
    assert len(same.paths) == runs + 1
    report = box.index()
    assert (report.new_objects, report.new_paths, report.new_annotations) == (0, 0, 0)
