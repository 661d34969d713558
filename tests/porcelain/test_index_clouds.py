"""`index` over object stores, on real servers: what is found, read again, forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ldb.errors import BadInput, Conflict, NotFound
from ldb.instance import Instance
from ldb.objects.model import MAX_PAYLOAD
from ldb.porcelain.index import index
from ldb.porcelain.storage import add_storage
from tests.clouds.buckets import Bucket
from tests.porcelain.cloudteam import Team, md5, pairs, team_of


@pytest.fixture
def team(bucket: Bucket, instance: Instance, tmp_path: Path) -> Team:
    """On each kind of store in turn."""
    return team_of(bucket, instance, tmp_path)


@pytest.fixture
def s3(s3_bucket: Bucket, instance: Instance, tmp_path: Path) -> Team:
    return team_of(s3_bucket, instance, tmp_path)


def test_everything_is_found_once_and_then_left_alone(team: Team) -> None:
    objects = pairs(["a", "sub/b", "sub/deep/c", "sub-x/d", "z"])
    team.bucket.fill({**objects, "lone.json": b"1", ".hidden/x.jpg": b"x", "plain.txt": b"p"})
    team.register()
    report = team.index().report
    assert report.problems == []
    assert (report.found_objects, report.new_objects, report.new_annotations) == (6, 6, 5)
    assert report.lone == 1
    record, note = team.objects()[md5(b"image sub/b")]
    assert note == {"label": "cat", "name": "sub/b"}
    (seen,) = record.paths
    assert seen.path == f"{team.bucket.url}/sub/b.jpg"
    assert seen.token
    assert seen.mtime > 1_600_000_000_000_000_000
    assert record.size == len(b"image sub/b")
    assert sorted(team.paths) == sorted([f"/{name}" for name in objects] + ["/plain.txt"])

    again = team.index().report
    assert (again.found_objects, again.new_objects, again.gone_paths) == (6, 0, 0)
    assert again.version is not None
    assert again.version.commit.maps["paths"] == report.version.commit.maps["paths"]  # type: ignore[union-attr]


def test_what_changes_is_read_again_and_what_is_gone_is_forgotten(team: Team) -> None:
    team.bucket.fill(pairs(["a", "b", "c", "d/e"]))
    team.register()
    team.index()
    team.bucket.fill({"a.jpg": b"another", "b.json": b'{"label": "dog"}', "c.jpg": b"image c"})
    team.bucket.raw.delete("d/e.jpg")
    team.bucket.raw.delete("d/e.json")
    report = team.index().report
    assert report.problems == []
    assert (report.new_objects, report.new_annotations, report.gone_paths) == (1, 2, 2)
    objects = team.objects()
    assert objects[md5(b"another")][1] == {"label": "cat", "name": "a"}
    assert objects[md5(b"image b")][1] == {"label": "dog"}
    assert md5(b"image d/e") in objects  # known still, with the place where it was
    assert "/d/e.jpg" not in team.paths


def test_copies_of_an_object_are_one_with_all_its_paths_pinned(team: Team) -> None:
    team.bucket.fill({"a.jpg": b"same", "b/c.jpg": b"same", "b/c.json": b'{"n": 1}'})
    team.register()
    team.index()
    ((record, note),) = team.objects().values()
    assert [seen.path.removeprefix(team.bucket.url) for seen in record.paths] == [
        "/a.jpg",
        "/b/c.jpg",
    ]
    assert all(seen.token for seen in record.paths)
    assert note == {"n": 1}


def test_large_objects_and_annotations(s3: Team) -> None:
    large = bytes(range(256)) * 12_000
    note = {"text": "x" * 2_000_000}
    s3.bucket.fill({
        "a.bin": large,
        "a.json": json.dumps(note).encode(),
        "b.bin": b"",
        "b.json": b"[" + b" " * MAX_PAYLOAD + b"]",
    })  # fmt: skip
    s3.register()
    report = s3.index().report
    assert [(each.path.rpartition("/")[2], each.why) for each in report.problems] == [
        ("b.json", f"is {MAX_PAYLOAD + 2} bytes; the limit is {MAX_PAYLOAD}")
    ]
    assert s3.objects()[md5(large)][1] == note
    assert s3.objects()[md5(b"")][1] is None


def test_worker_processes_give_the_same_index(
    s3: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.bucket.fill(pairs(f"{folder}/{at}" for folder in "abc" for at in range(12)))
    s3.register()
    monkeypatch.setattr("ldb.indexing.cloudscan.BATCH", 7)
    assert s3.index().report.problems == []
    by_two = s3.objects()
    assert len(by_two) == 36
    assert all(note["name"] for _, note in by_two.values())


def test_keys_that_are_no_file_names_are_reported_and_skipped(
    gs_bucket: Bucket, instance: Instance, tmp_path: Path
) -> None:
    team = team_of(gs_bucket, instance, tmp_path)
    good = {"ok.jpg": b"1", "dir/ok.jpg": b"2"}
    hidden = {".git/x": b"3", "dir/.x.jpg": b"4", "marker/": b""}
    bad = {
        "two//slashes.jpg": b"5",
        "with\x07bell.jpg": b"6",
        "content/": b"8",
        "l" * 256 + ".jpg": b"7",
        "up/../x.jpg": b"9",
    }
    gs_bucket.fill({**good, **hidden, **bad})
    team.register()
    report = team.index().report
    assert sorted(team.paths) == ["/dir/ok.jpg", "/ok.jpg"]
    reported = sorted(each.path.removeprefix(gs_bucket.url + "/") for each in report.problems)
    assert reported == sorted(bad)


def test_single_objects_bring_their_partners(s3: Team) -> None:
    s3.bucket.fill({**pairs(["d/a", "d/ab", "d/b", "d/a/inner"]), "d/a.png": b"png"})
    s3.register()
    s3.index("/d/a.json")
    assert sorted(s3.paths) == ["/d/a.jpg", "/d/a.json", "/d/a.png"]
    s3.index("/d/b.jpg", "/d/ab.jpg")
    assert sorted(s3.paths) == [
        "/d/a.jpg", "/d/a.json", "/d/a.png", "/d/ab.jpg", "/d/ab.json", "/d/b.jpg", "/d/b.json",
    ]  # fmt: skip
    with pytest.raises(NotFound):
        s3.index("/d/nothing.jpg")


def test_globs(s3: Team) -> None:
    s3.bucket.fill({**pairs(["x/a", "x/b", "y/a", "y/z/c"]), "x/a.png": b"png"})
    s3.register()
    s3.index("/*/a.jpg")
    assert sorted(s3.paths) == ["/x/a.jpg", "/x/a.json", "/y/a.jpg", "/y/a.json"]
    s3.index("/x/*.png", "/y/?", "/x/b*")  # `y/z` is a folder
    assert sorted(s3.paths) == [
        "/x/a.jpg", "/x/a.json", "/x/a.png", "/x/b.jpg", "/x/b.json",
        "/y/a.jpg", "/y/a.json", "/y/z/c.jpg", "/y/z/c.json",
    ]  # fmt: skip
    s3.bucket.raw.delete("y/z/c.jpg")
    assert s3.index("/?/z").report.gone_paths == 2  # its annotation is nobody's now


def test_strict_pairs_and_tags(s3: Team) -> None:
    s3.bucket.fill({**pairs(["a", "b"]), "alone.jpg": b"alone", "b.json": b"{bad"})
    s3.register()
    report = s3.index(format="strict", tags=["new"]).report
    assert [each.path for each in report.problems] == [f"{s3.bucket.url}/b.json"]
    assert sorted(s3.paths) == ["/a.jpg", "/a.json"]
    assert s3.objects()[md5(b"image a")][0].tags == ("new",)
    s3.index(tags=["again"])
    assert s3.objects()[md5(b"image a")][0].tags == ("again", "new")
    with pytest.raises(BadInput, match=r"b\.json"):
        s3.index(strict=True)


def test_an_emptied_location_is_all_gone_and_a_foreign_bucket_is_refused(s3: Team) -> None:
    s3.bucket.fill(pairs(["p/a"]))
    with pytest.raises(BadInput, match="lies in no storage location"):
        s3.index("/p")
    s3.register("/p")
    s3.index("/p")
    for key in s3.bucket.raw.list():
        s3.bucket.raw.delete(key)
    assert s3.index("/p").report.gone_paths == 2
    assert s3.paths == {}
    with pytest.raises(BadInput, match="lies in no storage location"):
        s3.index("")


def test_several_stores_and_a_folder_in_one_run(s3: Team, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "here.jpg").write_bytes(b"here")
    (folder / "here.json").write_text("1")
    s3.bucket.fill(pairs(["a/1", "b/1"]))
    s3.register("/a")
    s3.register("/b")
    add_storage(s3.place, str(folder))
    found = index(s3.place, [f"{s3.bucket.url}/b", str(folder), f"{s3.bucket.url}/a/1.jpg"])
    assert found.report.problems == []
    assert found.report.new_objects == 3
    assert {path for path in s3.paths if not path.startswith("file")} == {
        "/a/1.jpg", "/a/1.json", "/b/1.jpg", "/b/1.json",
    }  # fmt: skip


def test_a_read_add_location_takes_files_from_elsewhere(s3: Team, tmp_path: Path) -> None:
    s3.register("/in", read_add=True)
    folder = tmp_path / "ephemeral"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"content")
    (folder / "a.json").write_text('{"n": 1}')
    (folder / "empty.txt").write_bytes(b"")
    (folder / "big.bin").write_bytes(b"x" * 700_000)
    found = index(s3.place, [str(folder)])
    assert found.report.problems == []
    assert (found.imported, found.read_add) == (3, f"{s3.bucket.url}/in")
    name = md5(b"content")
    key = f"in/imported/{name[:2]}/{name}/a.jpg"
    assert s3.bucket.raw.get(key) == b"content"
    assert s3.objects()[name][1] == {"n": 1}
    (folder / "a.json").write_text('{"n": 2}')
    again = index(s3.place, [str(folder)])
    assert again.report.new_objects == 0
    assert s3.objects()[name][1] == {"n": 2}
    s3.bucket.raw.put(key, b"foreign")
    with pytest.raises(Conflict, match="other content"):
        index(s3.place, [str(folder / "a.jpg")])
    assert s3.bucket.raw.get(key) == b"foreign"


def test_without_an_index_nothing_is_published_when_the_bucket_is_missing(
    s3: Team, instance: Instance
) -> None:
    s3.register()
    s3.bucket.raw.remove_bucket()
    try:
        with pytest.raises(NotFound):
            s3.index("/some/prefix")
        report = s3.index().report
        assert len(report.problems) == 1
        assert "cannot be listed" in report.problems[0].why
    finally:
        s3.bucket.raw.make_bucket()
