"""`webdataset`: samples in tar files, written, and unpacked whatever somebody put into them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from ldb.errors import BadInput, Unsupported
from ldb.porcelain.storage import add_storage
from tests.formats.conftest import Scene, again, files_below, problems


def shard(path: Path, members: Iterable[tuple[str, bytes] | tarfile.TarInfo]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for each in members:
            if isinstance(each, tarfile.TarInfo):
                tar.addfile(each, io.BytesIO(b"x" * each.size))
                continue
            info = tarfile.TarInfo(each[0])
            info.size = len(each[1])
            tar.addfile(info, io.BytesIO(each[1]))
    return path


@pytest.fixture
def room(scene: Scene, tmp_path: Path) -> Scene:
    """With a read-add location."""
    (tmp_path / "room").mkdir()
    add_storage(scene.place, str(tmp_path / "room"), read_add=True)
    scene.place = scene.place.refreshed()
    return scene


def named(scene: Scene) -> dict[str, object]:
    """File name → annotation."""
    return {name.rpartition("/")[2]: note for name, note in scene.notes().items()}


def test_samples_are_unpacked_and_indexed(room: Scene, tmp_path: Path) -> None:
    shard(tmp_path / "in/a.tar", [
        ("x/001.jpg", b"one"), ("x/001.json", b'{"n": 1}'), ("x/001.cls", b"7\n"),
        ("./x/002.left.png", b"l"), ("./x/002.right.png", b"r"), ("./x/002.cls", b"cat"),
        ("003.txt", b"a text"), ("004.jpg", b"four"), ("004.txt", b"caption"), ("004.json", b"[1]"),
        ("005.jpg", b"five"),
    ])  # fmt: skip
    report = room.index("webdataset", paths=[tmp_path / "in"])
    assert problems(report) == []
    assert named(room) == {
        "001.jpg": {"cls": 7, "n": 1}, "002.left.png": {"cls": "cat"}, "003.txt": None,
        "002.right.png": {"cls": "cat"}, "004.jpg": {"txt": "caption", "json": [1]},
        "005.jpg": None,
    }  # fmt: skip
    assert room.index("wds", paths=[tmp_path / "in/a.tar"]).new_objects == 0
    assert all(path.startswith(str(tmp_path / "room/imported/")) for path in
               (seen.path.removeprefix("file://") for _, record, _ in room.objects()
                for seen in record.paths))  # fmt: skip


@pytest.mark.parametrize("preserve", [False, True])
def test_round_trip(room: Scene, tmp_path: Path, preserve: bool) -> None:
    notes = {"a.jpg": {"n": 1}, "b.c.jpg": [1, None], "d": "text", "none.png": None, "e.cls": 7}
    for name, note in notes.items():
        room.write(name)
        if note is not None:
            room.write((name.rpartition(".")[0] or name) + ".json", note)
    room.index("bare")
    folder, report = room.instantiate("webdataset", "samples=2", preserve_paths=preserve)
    assert (problems(report), report.objects, report.label_files) == ([], 5, 3)
    assert files_below(folder) == [f"shard-{at:06d}.tar" for at in range(3)]
    again_folder, _ = room.instantiate("webdataset", "samples=2", preserve_paths=preserve)
    one, other = ((each / "shard-000000.tar").read_bytes() for each in (folder, again_folder))
    assert one == other
    back = again(room, tmp_path / "room", tmp_path)  # a new instance
    (tmp_path / "more").mkdir()
    add_storage(back.place, str(tmp_path / "more"), read_add=True)
    back.place = back.place.refreshed()
    report_back = back.index("auto", paths=[folder])
    assert problems(report_back) == []
    assert [each[::2] for each in back.objects()] == [each[::2] for each in room.objects()]


def link(name: str, kind: bytes, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def test_hostile_members_are_refused_and_the_rest_goes_on(room: Scene, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    path = shard(tmp_path / "in/a.tar", [
        ("good.jpg", b"good"), ("../up.jpg", b"1"), ("a/../../up.jpg", b"2"), ("/abs.jpg", b"3"),
        ("C:/win.jpg", b"4"), ("a\\..\\b.jpg", b"5"), (".hidden.jpg", b"6"),
        ("x" * 300 + ".jpg", b"7"),
        ("tab\t.jpg", b"8"), link("link.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        link("hard.jpg", tarfile.LNKTYPE, "good.jpg"), link("dev.jpg", tarfile.CHRTYPE),
        link("fifo.jpg", tarfile.FIFOTYPE), ("alone.json", b"{}"), ("bad.jpg", b"9"),
        ("bad.json", b"{"), ("last.jpg", b"last"),
    ])  # fmt: skip
    report = room.index("webdataset", paths=[path])
    assert named(room) == {"good.jpg": None, "bad.jpg": None, "last.jpg": None}
    found = problems(report)
    assert len(found) == 14
    assert sum("refused" in each for each in found) == 11
    assert "a.tar: '../up.jpg': has a name that leads out of the shard; refused" in found
    assert "a.tar: 'alone': has no member that is data" in found
    made = {each for each in tmp_path.rglob("*") if each.is_file()} - before - {path}
    assert all("imported" in each.parts or "instance" in str(each) for each in made)


@pytest.mark.parametrize("spoil", ["empty", "cut", "text", "pax", "sparse"])
def test_a_bad_shard_is_a_problem(room: Scene, tmp_path: Path, spoil: str) -> None:
    path = shard(tmp_path / "in/a.tar", [("a.jpg", b"a" * 5000), ("b.jpg", b"b" * 5000)])
    raw = bytearray(path.read_bytes())
    if spoil == "empty":
        raw = bytearray()
    elif spoil == "cut":
        raw = raw[:7000]
    elif spoil == "text":
        raw = bytearray(b"no tar file at all" * 100)
    elif spoil == "pax":
        info = tarfile.TarInfo("x")
        info.type, info.size = tarfile.XHDTYPE, 1 << 33
        raw = bytearray(info.tobuf()) + raw
    else:
        info = tarfile.TarInfo("c.jpg")
        info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
        raw = bytearray(info.tobuf()) + raw
    path.write_bytes(raw)
    found = problems(room.index("webdataset", paths=[path]))
    assert found
    assert all(each.startswith("a.tar: ") for each in found)


def test_it_needs_a_place_to_copy_to(scene: Scene, tmp_path: Path) -> None:
    path = shard(tmp_path / "in/a.tar", [("a.jpg", b"a")])
    with pytest.raises(BadInput, match="holds data objects inside of files") as failed:
        scene.index("webdataset", paths=[path])
    assert "add-storage -a true" in failed.value.hint


def test_what_is_gone_is_a_problem_and_in_no_shard(scene: Scene) -> None:
    scene.write("a.jpg", b"a")
    scene.write("b.jpg", b"b")
    scene.index("bare")
    (scene.data / "a.jpg").write_bytes(b"x")
    folder, report = scene.instantiate("webdataset", "prefix=train")
    assert len(report.problems) == 1
    with tarfile.open(folder / "train-000000.tar") as tar:
        [member] = tar.getmembers()
        content = tar.extractfile(member)
        assert content is not None
        assert hashlib.md5(content.read()).hexdigest() in member.name


def test_not_from_a_bucket() -> None:
    from ldb.formats.registry import chosen
    from ldb.indexing.cloudtargets import CloudTarget
    from ldb.instance import Settings
    from ldb.porcelain.layouts import Layouts

    layouts = Layouts(chosen("webdataset", {}, True), Settings())
    with pytest.raises(Unsupported, match="webdataset in a bucket"):
        layouts.of_clouds([CloudTarget(b"s3://b/x/", (b"s3://b/x/",))])
