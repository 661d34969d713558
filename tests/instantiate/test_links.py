"""Copies, clones and hard links: all verified, and what each shares with the source."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from ldb.errors import Unsupported
from ldb.instantiate.manifest import instantiated_files
from ldb.instantiate.source import REFLINK_FROM, Fetcher, Stale, _clone
from ldb.instantiate.target import Target
from tests.instantiate.conftest import World, tree

LARGE = 2 * REFLINK_FROM
OLD = 10**18


def can_clone(folder: Path) -> bool:
    """Whether the file system there shares blocks between files."""
    with open(folder / "one", "wb+") as one, open(folder / "two", "wb") as two:
        one.write(b"x" * LARGE)
        one.flush()
        return not _clone(one.fileno(), two.fileno())


def test_hard_links_share_the_file_and_leave_its_mode(world: World) -> None:
    cat = world.put("cat.jpg", b"cat", b"{}")
    source = world.source / "cat.jpg"
    source.chmod(0o640)
    world.index()
    assert not world.run(link="hardlink").problems
    made = world.target / f"cat-{cat}.jpg"
    assert made.samefile(source)
    assert source.stat().st_mode & 0o777 == 0o640
    assert not (world.target / f"cat-{cat}.json").samefile(world.source / "cat.json")
    assert world.run(link="hardlink").already_there == 2


def test_replacing_a_hard_link_leaves_the_source_as_it_is(world: World) -> None:
    cat = world.put("cat.jpg", b"cat")
    world.index()
    world.run(link="hardlink")
    made = world.target / f"cat-{cat}.jpg"
    made.write_bytes(b"oops")  # through the link: the user's own doing
    other = world.source / "copy.jpg"
    other.write_bytes(b"cat")
    world.index()
    assert not world.run(force=True, link="copy").problems
    assert (world.source / "cat.jpg").read_bytes() == b"oops"


def test_a_changed_source_is_not_hard_linked(world: World) -> None:
    world.put("cat.jpg", b"cat")
    world.index()
    (world.source / "cat.jpg").write_bytes(b"tac")
    assert len(world.run(link="hardlink").problems) == 1
    assert world.tree() == {}


def test_a_symbolic_link_s_file_is_hard_linked_not_the_link(world: World) -> None:
    world.put("cat.jpg", b"cat")
    (world.source / "cat.jpg").rename(world.source / ".hidden")
    (world.source / "cat.jpg").symlink_to(world.source / ".hidden")
    world.index()
    assert not world.run(link="hardlink").problems
    (made,) = (world.target / name for name in world.tree())
    assert not made.is_symlink()
    assert made.samefile(world.source / ".hidden")


# -- hard links of files that are as they were when they were indexed -------------------


def old(*paths: Path) -> None:
    """Give files a time of change that proves that they held still."""
    for path in paths:
        os.utime(path, ns=(OLD, OLD))


def test_an_unchanged_file_is_linked_by_size_and_time_alone(world: World) -> None:
    cat = world.put("cat.jpg", b"cat")
    source = world.source / "cat.jpg"
    old(source)
    world.index()
    source.write_bytes(b"tac")  # which the index cannot notice either
    old(source)
    assert not world.run(link="hardlink").problems
    assert (world.target / f"cat-{cat}.jpg").samefile(source)


def test_a_file_whose_time_proves_nothing_is_hashed(world: World) -> None:
    world.put("cat.jpg", b"cat")
    source = world.source / "cat.jpg"
    tomorrow = time.time_ns() + 86_400 * 10**9
    os.utime(source, ns=(tomorrow, tomorrow))
    world.index()
    source.write_bytes(b"tac")
    os.utime(source, ns=(tomorrow, tomorrow))
    assert "its hash is" in world.run(link="hardlink").problems[0].why
    assert world.tree() == {}


@pytest.mark.parametrize("processes", [1, 2])
def test_whatever_became_of_the_source_is_seen(world: World, processes: int) -> None:
    names = ["touched", "longer", "other", "gone", "link", "folder", "pipe", *map(str, range(20))]
    ids = {name: world.put(f"{name}.bin", name.encode() * 3, b"1") for name in names}
    path = {name: world.source / f"{name}.bin" for name in names}
    old(*path.values())
    world.index()
    os.utime(path["touched"], ns=(OLD + 1, OLD + 1))
    path["longer"].write_bytes(b"x" * 100)
    old(path["longer"])
    path["other"].write_bytes(b"OTHER" * 3)
    for name in ("gone", "link", "folder", "pipe"):
        path[name].rename(world.source / f".{name}")
    path["link"].symlink_to(world.source / ".link")
    path["folder"].mkdir()
    os.mkfifo(path["pipe"])
    old(path["folder"], path["pipe"])
    report = world.run(link="hardlink", processes=processes)
    bad = {"longer", "other", "gone", "folder", "pipe"}
    assert {Path(each.path).stem for each in report.problems} == bad
    good = [name for name in names if name not in bad]
    assert (report.objects, report.annotations) == (len(good), len(good))
    made = {f"{name}-{ids[name]}" for name in good}
    assert set(world.tree()) == {f"{each}.{end}" for each in made for end in ("bin", "json")}
    assert set(instantiated_files(str(world.target))) == set(world.tree())
    assert (world.target / f"link-{ids['link']}.bin").samefile(world.source / ".link")
    assert not (world.target / f"link-{ids['link']}.bin").is_symlink()
    again = world.run(link="hardlink", processes=processes)
    assert (again.already_there, len(again.problems)) == (2 * len(good), len(bad))


def test_the_second_path_is_linked_where_the_first_has_changed(world: World) -> None:
    cat = world.put("a/cat.jpg", b"cat")
    world.put("b/cat.jpg", b"cat")
    old(world.source / "a/cat.jpg", world.source / "b/cat.jpg")
    world.index()
    (world.source / "a/cat.jpg").write_bytes(b"tac")
    report = world.run(link="hardlink")
    assert (report.problems, len(report.passed_over)) == ([], 1)
    assert (world.target / f"cat-{cat}.jpg").samefile(world.source / "b/cat.jpg")


def test_links_of_many_folders_by_several_processes(world: World) -> None:
    for number in range(300):
        world.put(f"d{number % 90}/f{number}.bin", b"%d" % number, b"1")
        old(world.source / f"d{number % 90}/f{number}.bin")
    world.index()
    assert not world.run(link="hardlink", preserve_paths=True, processes=3).problems
    assert set(world.tree()) == set(tree(world.source))
    for name in world.tree():
        same = (world.target / name).samefile(world.source / name)
        assert same == name.endswith(".bin"), "annotations are nobody else's files"


def test_a_link_edited_in_place_is_reported_and_left(world: World) -> None:
    cat = world.put("cat.jpg", b"cat")
    old(world.source / "cat.jpg")
    world.index()
    world.run(link="hardlink")
    made = world.target / f"cat-{cat}.jpg"
    made.write_bytes(b"tac")
    assert "was edited" in world.run(link="hardlink").problems[0].why
    assert made.read_bytes() == b"tac"


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_killed_before_it_saw_that_the_linked_file_had_changed(
    world: World, finished: bool
) -> None:
    cat = world.put("cat.jpg", b"cat", b"1")
    source = world.source / "cat.jpg"
    old(source)
    world.index()
    source.write_bytes(b"tac")
    world.target.mkdir()
    made = world.target / f"cat-{cat}.jpg"
    os.link(source, made)
    lines = f"ldb-instantiated 1\n+ {cat} - {made.name}\n"
    (world.target / ".ldb_instantiated").write_text(lines + "end\n" * finished)
    report = world.run(link="hardlink")
    assert len(report.problems) == 1
    assert made.exists() == finished, "of a run that ended it is an edit, and stays"
    assert source.read_bytes() == b"tac"


def test_hard_links_to_another_file_system_are_refused_clearly(world: World) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == world.source.stat().st_dev:
        pytest.skip("there is no other file system")
    world.put("cat.jpg", b"cat")
    world.index()
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        with pytest.raises(Unsupported, match="hard links") as caught:
            world.run(Path(folder), link="hardlink")
        assert "--link copy" in caught.value.hint
        assert world.run(Path(folder)).objects == 1


@pytest.mark.parametrize("link", ["auto", "reflink"])
def test_clones_share_nothing_that_can_change(world: World, link: str) -> None:
    if not can_clone(world.source.parent):
        pytest.skip("this file system shares no blocks")
    world.put("cat.bin", b"a" * LARGE)
    world.put("dog.bin", b"b" * LARGE)
    world.index()
    (world.source / "dog.bin").write_bytes(b"c" * LARGE)
    report = world.run(link=link)
    assert (report.objects, len(report.problems)) == (1, 1)
    (world.source / "cat.bin").write_bytes(b"x")
    assert list(world.tree().values()) == [b"a" * LARGE]


def test_without_clones_auto_copies_and_reflink_is_refused(world: World) -> None:
    if can_clone(world.source.parent):
        pytest.skip("this file system shares blocks")
    world.put("cat.bin", b"a" * LARGE)
    world.put("dog.bin", b"b" * LARGE)
    world.index()
    with pytest.raises(Unsupported, match="reflinks"):
        world.run(link="reflink")
    assert world.run(link="auto").objects == 2


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("ftp://host/cat.jpg", "known are file://"),
        ("file://relative", "not a path"),
        ("file:///a\0b", "not a path"),
        ("file:///proc/self/mem", "changed|cannot be read|regular"),
    ],
)
def test_places_that_cannot_be_read(tmp_path: Path, uri: str, why: str) -> None:
    with Target(str(tmp_path)) as target, pytest.raises(Stale, match=why):
        Fetcher(target, "md5", "copy").fetch(uri, bytes(16), 3)
