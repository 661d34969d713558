"""Copies, clones and hard links: all verified, and what each shares with the source."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from ldb.errors import Unsupported
from ldb.instantiate.source import REFLINK_FROM, Fetcher, Stale, _clone
from ldb.instantiate.target import Target
from tests.instantiate.conftest import World

LARGE = 2 * REFLINK_FROM


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
        ("s3://bucket/cat.jpg", "local folders"),
        ("file://relative", "not a path"),
        ("file:///a\0b", "not a path"),
        ("file:///proc/self/mem", "changed|cannot be read|regular"),
    ],
)
def test_places_that_cannot_be_read(tmp_path: Path, uri: str, why: str) -> None:
    with Target(str(tmp_path)) as target, pytest.raises(Stale, match=why):
        Fetcher(target, "md5", "copy").fetch(uri, bytes(16), 3)
