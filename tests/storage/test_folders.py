"""Open folders, by handle and by path: the same promises, kept in two ways."""

from __future__ import annotations

import ntpath
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldb.storage import folders
from ldb.storage.folders import NEW, READ, Folder, PathFolder, open_folder
from ldb.storage.windowsnames import windows_objection
from ldb.system import is_link

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")


@pytest.fixture(params=["handle", "path"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to open, with one outside of it."""
    if request.param == "path":
        monkeypatch.setattr(folders, "BY_HANDLE", False)
    elif not folders.BY_HANDLE:
        pytest.skip("this system has no handles")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"mine")
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def put(where: Folder, name: str, data: bytes) -> None:
    fd = where.open(name, NEW)
    os.write(fd, data)
    os.close(fd)


def test_folders_and_files(folder: Path) -> None:
    root = open_folder(str(folder))
    below = root.enter("a", make=True)
    assert root.enter("a", make=False).names() == []
    with pytest.raises(FileNotFoundError):
        root.enter("b", make=False)
    put(root, "one", b"1")
    root.move_new("one", below, "x")
    put(root, "two", b"2")
    with pytest.raises(FileExistsError):
        root.move_new("two", below, "x")
    assert (folder / "a" / "x").read_bytes() == b"1"
    root.replace("two", below, "x")
    assert (folder / "a" / "x").read_bytes() == b"2"
    below.link("x", root, "y")
    with pytest.raises(FileExistsError):
        below.link("x", root, "y")
    assert below.stat("x").st_nlink == 2
    with pytest.raises(OSError, match="empty"):
        root.rmdir("a")
    below.unlink("x")
    below.close()
    root.rmdir("a")
    assert (root.names(), root.has("y"), root.has("a")) == (["y"], True, False)
    root.close()


def test_the_named_folder_may_be_a_link(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    root = open_folder(str(folder.parent / "link"))
    put(root, "x", b"1")
    assert (folder / "x").read_bytes() == b"1"
    root.close()


WAYS: dict[str, Callable[[Folder], object]] = {
    "enter": lambda root: root.enter("link", make=True),
    "read": lambda root: root.open("link", READ),
    "write": lambda root: root.open("link", NEW),
    "append": lambda root: root.open("link", os.O_WRONLY | os.O_APPEND | os.O_CREAT),
    "remove": lambda root: root.rmdir("link"),
}


@pytest.mark.parametrize("to", ["outside", "outside/file", "nowhere"])
@pytest.mark.parametrize("way", list(WAYS))
def test_no_link_is_followed(folder: Path, to: str, way: str) -> None:
    (folder / "link").symlink_to(folder.parent / to)
    root = open_folder(str(folder))
    with pytest.raises(OSError, match=r"link|Not a directory|exists"):
        WAYS[way](root)
    assert (folder.parent / "outside" / "file").read_bytes() == b"mine"
    assert not (folder.parent / "nowhere").exists()
    root.unlink("link")  # the link itself
    assert sorted(each.name for each in folder.parent.iterdir()) == ["in", "outside"]
    root.close()


def test_a_folder_that_was_swapped_for_a_link(folder: Path) -> None:
    """By handle the folder itself is still written to; by path it is refused."""
    root = open_folder(str(folder))
    below = root.enter("a", make=True)
    (folder / "a").rename(folder / "moved")
    (folder / "a").symlink_to(folder.parent / "outside")
    if isinstance(below, PathFolder):
        with pytest.raises(OSError, match="link"):
            put(below, "x", b"1")
        (folder / "a").unlink()
        (folder / "a").mkdir()  # nor is another folder taken for it
        with pytest.raises(OSError, match="link"):
            put(below, "x", b"1")
    else:
        put(below, "x", b"1")
    assert os.listdir(folder.parent / "outside") == ["file"]
    below.close()
    root.close()


def test_a_lock_is_one_holders(folder: Path) -> None:
    one, two = open_folder(str(folder)), open_folder(str(folder))
    assert one.try_lock("lock") is True
    assert two.try_lock("lock") is False
    one.close()
    assert two.try_lock("lock") is True
    two.close()
    assert os.listdir(folder) == []


STEPS = st.text(alphabet="ab./\\:*\0 é", max_size=4)


@given(name=STEPS)
def test_a_name_is_one_step(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """By path what is not a single name never gets to the system."""
    top = tmp_path_factory.getbasetemp() / "steps"
    (top / "in").mkdir(parents=True, exist_ok=True)
    root = PathFolder(str(top / "in"))
    try:
        os.close(root.open(name, NEW))
    except (OSError, ValueError):
        assert name in ("", ".", "..") or "/" in name or "\0" in name
    else:
        assert root.names() == [name]
        root.unlink(name)
    assert os.listdir(top) == ["in"]


@pytest.mark.parametrize(
    "name",
    ["", "a:b", "a:", "C:", "..\\x", "a/b", "\\\\?\\x", "CON", "nul", "aux.txt", "com1", "LPT¹.x",
     "CONOUT$", "con .txt", "a.", "a ", "..", ".", "a?", "a*", "a\tb", "<a>", '"', "a|b"],
)  # fmt: skip
def test_names_that_mean_something_else_on_windows(name: str) -> None:
    assert windows_objection(name)


@pytest.mark.parametrize("name", ["a", ".a", "a.b.c", "con1", "console", "com", "nul-1.jpg", "é ü"])
def test_names_that_do_not(name: str) -> None:
    assert not windows_objection(name)


@given(name=st.text(min_size=1, max_size=8))
def test_what_windows_drops_or_splits_is_refused(name: str) -> None:
    if not windows_objection(name):
        assert ntpath.split(ntpath.join("C:\\in", name)) == ("C:\\in", name)
        assert name == name.rstrip(". ")


def test_by_path_with_the_names_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "WINDOWS_NAMES", True)
    root = PathFolder(str(tmp_path))
    for name in ("aux.txt", "a:b", "x.", "..\\y"):
        with pytest.raises(OSError, match="Invalid"):
            root.open(name, NEW)
        with pytest.raises(OSError, match="Invalid"):
            root.enter(name, make=True)
    assert root.names() == []


@pytest.mark.parametrize(
    ("tag", "leads"), [(0xA000000C, True), (0xA0000003, True), (0x9000001A, False), (0, False)]
)
def test_links_of_windows(tag: int, leads: bool) -> None:
    """Symbolic link, junction, placeholder of a cloud drive, plain folder."""
    found = SimpleNamespace(st_mode=stat.S_IFDIR | 0o700, st_reparse_tag=tag)
    assert is_link(cast("os.stat_result", found)) is leads
