"""Files, folders and names that are not as they should be: each is reported, the rest goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ldb.backends.local import LocalBackend
from ldb.errors import StoreFailed
from ldb.indexing.run import IndexOptions, IndexReport, index
from ldb.indexing.scan import BATCH
from ldb.indexing.targets import Target
from ldb.instance import Instance, create
from ldb.objects.model import MAX_PAYLOAD
from ldb.storage import reading
from tests.indexing.conftest import LONG_AGO, Box, before_open

NEW = LONG_AGO + 1000


def problems(report: IndexReport) -> dict[str, str]:
    """File name → what is wrong with it."""
    return {os.path.basename(each.path.rstrip("/")): each.why for each in report.problems}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1,\n "b": }', "line 2, column 7"),
        ("", "empty"),
        ('{"a": 1} 2', "column 10"),
        ("{'a': 1}", "column 2"),
        ("NaN", "JSON"),
        ('"\\ud800"', "surrogate"),
        ("123456789012345678901234567890", "64 bit"),
        (b'{"a": "\xff"}', "UTF-8"),
        ("[" * 100_000 + "]" * 100_000, "deep"),
        ("1" + " " * MAX_PAYLOAD, "limit"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_bad_json(box: Box, text: str | bytes, why: str) -> None:
    box.pair("good", "good", {"fine": True})
    box.write("bad.jpg", "bad")
    box.write("bad.json", text)
    report = box.index()
    assert list(problems(report)) == ["bad.json"]
    assert why.lower() in problems(report)["bad.json"].lower()
    assert box.notes() == {"good.jpg": {"fine": True}, "bad.jpg": None}
    assert problems(box.index()), "it is said again until it is mended"
    box.write("bad.json", "[]", NEW)
    assert problems(box.index()) == {}
    assert box.notes()["bad.jpg"] == []


def test_bad_json_changes_no_annotation(box: Box) -> None:
    box.pair("a", "a", {"version": 1})
    box.index()
    box.write("a.json", "{", NEW)
    assert list(problems(box.index())) == ["a.json"]
    assert box.notes() == {"a.jpg": {"version": 1}}


def test_bad_json_with_strict_leaves_the_object_out(box: Box) -> None:
    box.write("a.jpg", "a")
    box.write("a.json", "{")
    assert list(problems(box.index(strict=True))) == ["a.json"]
    assert box.notes() == {}


def test_bad_json_that_two_files_share_is_said_once(box: Box) -> None:
    for end in ("jpg", "png", "json"):
        box.write(f"a.{end}", "{" if end == "json" else end)
    assert len(box.index().problems) == 1


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "text", [1, [2]], {}, [], 2**64 - 1])
def test_any_json_value_is_an_annotation(box: Box, value: Any) -> None:
    box.pair("a", "a", value)
    report = box.index()
    assert (report.problems, report.new_annotations) == ([], 1)
    assert box.notes() == {"a.jpg": value}


def test_nested_within_the_limit(box: Box) -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]
    box.pair("a", "a", value)
    assert box.index().problems == []
    assert box.notes() == {"a.jpg": value}


def test_byte_order_mark(box: Box) -> None:
    box.write("a.jpg", "a")
    box.write("a.json", b"\xef\xbb\xbf" + json.dumps({"k": "ö"}).encode())
    assert box.index().problems == []
    assert box.notes() == {"a.jpg": {"k": "ö"}}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"not-\xff-text.jpg", "UTF-8"),
        (b"line\nbreak.jpg", "control"),
        (b"esc\x1b[31m.jpg", "control"),
        (b"first\x01.jpg", "control"),
        ("next\u0085line.jpg".encode(), "control"),
        ("lone\u2028line.jpg".encode(), "control"),
    ],
)
def test_bad_names(box: Box, name: bytes, why: str) -> None:
    box.pair("good", "good", 1)
    try:
        Path(os.fsdecode(os.path.join(os.fsencode(box.folder), name))).write_text("x")
    except OSError:
        pytest.skip("this file system refuses such a name by itself")
    [problem] = box.index().problems
    assert why in problem.why
    assert os.fsencode(problem.path).endswith(name)
    assert list(box.notes()) == ["good.jpg"]


def test_folder_with_a_bad_name(box: Box) -> None:
    box.write("good.jpg", "good")
    folder = os.path.join(os.fsencode(box.folder), b"\xff\xfe")
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system refuses such a name by itself")
    with open(os.path.join(folder, b"inside.jpg"), "w"):
        pass
    [problem] = box.index().problems
    assert "UTF-8" in problem.why
    assert list(box.notes()) == ["good.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        "with space.jpg",
        "naïve café.jpg",
        "日本語/写真.jpg",
        "joined \N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}.jpg",
        "a'b\"c$d`e.jpg",
        "-m.jpg",
        "%41.jpg",
    ],
)
def test_unusual_names_are_fine(box: Box, name: str) -> None:
    box.write(name, "content")
    box.write(os.path.splitext(name)[0] + ".json", '"note"')
    assert box.index().problems == []
    assert box.notes() == {name: "note"}
    assert box.index().new_paths == 0


@pytest.mark.parametrize(
    ("name", "kind"), [("plain", ""), ("a.tar.GZ", "gz"), ("dot.", ""), ("UP.JPEG", "jpeg")]
)
def test_type_is_the_extension(box: Box, name: str, kind: str) -> None:
    box.write(name, "x")
    box.index()
    assert box.at(name).record.type == kind


def test_hidden_files_are_skipped(box: Box) -> None:
    box.write("a.jpg", "a")
    box.write(".hidden.jpg", "h")
    box.write(".git/objects/b.jpg", "b")
    os.symlink("nowhere", box.folder / ".broken")
    report = box.index()
    assert (report.found_objects, report.problems) == (1, [])
    assert list(box.notes()) == ["a.jpg"]


def test_the_instance_inside_is_skipped(tmp_path: Path) -> None:
    box = Box(create(LocalBackend(tmp_path / "instance")), tmp_path)
    box.write("a.jpg", "a")
    box.index()
    assert box.index().problems == []
    assert list(box.notes()) == ["a.jpg"]


def test_symlink_loop(box: Box) -> None:
    box.write("sub/a.jpg", "a")
    os.symlink("..", box.folder / "sub" / "up")
    os.symlink("self", box.folder / "self")
    found = problems(box.index())
    assert set(found) == {"up", "self"}
    assert "above" in found["up"]
    assert list(box.notes()) == ["sub/a.jpg"]


def test_symlinks_are_followed(box: Box, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.jpg").write_text("b")
    os.symlink(elsewhere, box.folder / "link")
    os.symlink(elsewhere / "b.jpg", box.folder / "c.jpg")
    assert box.index().problems == []
    [known] = box.objects()
    assert known.paths == [str(box.folder / "c.jpg"), str(box.folder / "link/b.jpg")]


def test_broken_symlink(box: Box) -> None:
    box.write("a.jpg", "a")
    os.symlink("nowhere", box.folder / "b.jpg")
    assert "leads nowhere" in problems(box.index())["b.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_are_not_waited_for(box: Box) -> None:
    """Neither one in the folder, nor one that takes a file's place after the listing."""
    os.mkfifo(box.folder / "pipe.jpg")
    assert "regular" in problems(box.index())["pipe.jpg"]
    os.remove(box.folder / "pipe.jpg")
    box.write("a.jpg", "a")
    with before_open("a.jpg", lambda: _replace_by_pipe(box.folder / "a.jpg")):
        assert "regular" in problems(box.index())["a.jpg"]


def _replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def test_file_that_vanishes(box: Box) -> None:
    for name in ("a", "b"):
        box.pair(name, name, name)
    with before_open("a.jpg", (box.folder / "a.jpg").unlink):
        assert "gone" in problems(box.index())["a.jpg"]
    assert box.notes() == {"b.jpg": "b"}
    assert box.index().problems == []


def test_annotation_that_vanishes(box: Box) -> None:
    box.pair("a", "a", 1)
    with before_open("a.json", (box.folder / "a.json").unlink):
        assert "gone" in problems(box.index())["a.json"]
    assert box.notes() == {"a.jpg": None}


def test_file_that_keeps_growing(box: Box) -> None:
    """Another process appends to it all the while."""
    path = box.write("big.bin", b"x")
    os.truncate(path, 64 << 20)  # takes long enough to read for the writer to get its turn
    box.write("good.jpg", "good")
    code = (
        "import sys\n"
        "f = open(sys.argv[1], 'ab', buffering=0)\n"
        "print('on', flush=True)\n"
        "while True: f.write(b'more')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "on\n"
        report = box.index()
        writer.kill()
    assert "changing" in problems(report)["big.bin"]
    assert list(box.notes()) == ["good.jpg"]
    assert box.index().problems == []
    assert set(box.notes()) == {"big.bin", "good.jpg"}


def test_file_that_changes_once_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    real = os.read
    reads: list[int] = []

    def read(handle: int, count: int) -> bytes:
        data = real(handle, count)
        if not reads:
            path.write_bytes(b"newer")
        reads.append(count)
        return data

    monkeypatch.setattr(os, "read", read)
    data, state = reading.read_bytes(os.fsencode(path), 100)
    assert (data, state.st_size) == (b"newer", 5)
    assert len(reads) >= 2


def test_file_that_shrinks_while_read(box: Box) -> None:
    """A thread cuts and fills it; whatever is indexed is one of its states, or a problem."""
    path = box.write("a.bin", b"0" * 3_000_000)
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            os.truncate(path, 1_000)
            os.truncate(path, 3_000_000)

    thread = threading.Thread(target=change)
    thread.start()
    report = box.index()
    stop.set()
    thread.join()
    assert set(problems(report)) <= {"a.bin"}
    for each in box.objects():
        assert each.record.size in (1_000, 3_000_000)
    assert box.index().problems == []


def test_unreadable_file(nobody: Path, instance_of_nobody: Instance) -> None:
    box = Box(instance_of_nobody, nobody / "data")
    box.write("a.jpg", "a")
    box.write("b.jpg", "b")
    box.index()
    (box.folder / "b.jpg").chmod(0)
    os.utime(box.folder / "b.jpg", (NEW, NEW))
    assert "Permission denied" in problems(box.index())["b.jpg"]
    assert set(box.notes()) == {"a.jpg", "b.jpg"}, "what was known stays known"


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
def test_unreadable_folder_is_kept(nobody: Path, instance_of_nobody: Instance, mode: int) -> None:
    """No rights; names without contents; contents without names."""
    box = Box(instance_of_nobody, nobody / "data")
    box.write("a.jpg", "a")
    box.pair("closed/b", "b", 1)
    box.pair("closed/deep/c", "c", 2)
    box.index()
    before = box.path_rows()
    (box.folder / "closed").chmod(mode)
    report = box.index()
    assert report.problems
    assert report.gone_paths == 0
    assert box.path_rows() == before
    (box.folder / "closed").chmod(0o700)
    report = box.index()
    assert (report.problems, report.new_objects, report.new_paths) == ([], 0, 0)


def test_unreadable_target(nobody: Path, instance_of_nobody: Instance) -> None:
    box = Box(instance_of_nobody, nobody / "data")
    box.write("a.jpg", "a")
    box.index()
    box.folder.chmod(0)
    assert problems(box.index())
    box.folder.chmod(0o700)
    assert box.path_rows() == ["a.jpg"]


def test_target_that_vanishes(box: Box) -> None:
    box.write("sub/a.jpg", "a")
    box.index()
    (box.folder / "sub/a.jpg").unlink()
    (box.folder / "sub").rmdir()
    target = Target(os.fsencode(box.folder / "sub") + b"/")
    report = index(box.instance, [target], IndexOptions(processes=1))
    assert "No such file" in problems(report)["sub"]
    assert box.path_rows() == ["sub/a.jpg"]


def test_read_only_instance(nobody: Path, instance_of_nobody: Instance) -> None:
    box = Box(instance_of_nobody, nobody / "data")
    box.write("a.jpg", "a")
    folders = [path for path in (nobody / "instance").rglob("*") if path.is_dir()]
    for path in (nobody / "instance", *folders):
        path.chmod(0o500)
    with pytest.raises(StoreFailed, match="Permission denied"):
        box.index()
    for path in (nobody / "instance", *folders):
        path.chmod(0o700)
    assert box.version() == 0
    assert box.index().new_objects == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_full_disk(box: Box, processes: int) -> None:
    """A limit on the size of files stops the packs, wherever they are written."""
    resource = pytest.importorskip("resource")
    for number in range(3 * BATCH):
        box.write(f"{number}.jpg", f"image {number}")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(StoreFailed):
            box.index(processes=processes)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert box.version() == 0
    assert list(box.instance.backend.list("refs/")) == []
    box.instance.objects.refresh()
    assert box.index(processes=processes).new_objects == 3 * BATCH
