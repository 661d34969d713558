"""Copies of ephemeral files."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from ldb.errors import StoreFailed
from ldb.storage import folders
from ldb.storage.importing import Imported, import_file
from ldb.storage.reading import Changing


def copy(source: Path, root: Path, annotation: Path | None = None) -> Imported:
    note = os.fsencode(annotation) if annotation else b""
    return import_file(os.fsencode(source), note, os.fsencode(root), "md5")


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture(params=["handle", "path"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "path":
        monkeypatch.setattr(folders, "BY_HANDLE", False)
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "tom.jpg"
    path.write_bytes(b"tom" * 1000)
    path.with_suffix(".json").write_text("{}")
    return path


def test_named_by_content(photo: Path, root: Path) -> None:
    done = copy(photo, root, photo.with_suffix(".json"))
    name = hashlib.md5(photo.read_bytes()).hexdigest()
    assert done.id.hex() == name
    folder = f"imported/{name[:2]}/{name}"
    assert files(root) == [f"{folder}/tom.jpg", f"{folder}/tom.json"]
    assert Path(os.fsdecode(done.path)).read_bytes() == photo.read_bytes()


def test_again_changes_nothing(photo: Path, root: Path) -> None:
    def state() -> list[tuple[int, int]]:
        found = [(root / name).stat() for name in files(root)]
        return [(each.st_ino, each.st_mtime_ns) for each in found]

    copy(photo, root, photo.with_suffix(".json"))
    before = state()
    copy(photo, root, photo.with_suffix(".json"))
    assert state() == before


def test_new_annotation_replaces_the_copy(photo: Path, root: Path) -> None:
    copy(photo, root, photo.with_suffix(".json"))
    photo.with_suffix(".json").write_text('{"new": 1}')
    copy(photo, root, photo.with_suffix(".json"))
    [note] = root.rglob("*.json")
    assert note.read_text() == '{"new": 1}'
    assert len(files(root)) == 2


def test_source_that_changes_before_it_is_copied(
    photo: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is hashed first; when the folder for the copy is made, it becomes another file."""
    makedirs = os.makedirs

    def change(folder: bytes, exist_ok: bool = False) -> None:
        makedirs(folder, exist_ok=exist_ok)  # of the root, which is there
        photo.write_bytes(b"rex")

    monkeypatch.setattr(os, "makedirs", change)
    with pytest.raises(Changing):
        copy(photo, root)
    assert files(root) == []


def test_missing_source(tmp_path: Path, root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy(tmp_path / "no.jpg", root)
    assert files(root) == []


def test_root_that_cannot_be_written(photo: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    with pytest.raises(StoreFailed):
        copy(photo, blocked)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_link_to_a_folder_is_not_followed(
    photo: Path, root: Path, tmp_path: Path, step: int
) -> None:
    """Somebody who can write in the location put it where a folder of copies is going to be."""
    name = hashlib.md5(photo.read_bytes()).hexdigest()
    outside = tmp_path / "outside"
    (outside / name[:2] / name).mkdir(parents=True)
    (outside / name).mkdir()
    link = root.joinpath(*("imported", name[:2], name)[:step])
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(StoreFailed, match="symbolic link"):
        copy(photo, root, photo.with_suffix(".json"))
    assert files(outside) == []


def test_links_in_the_place_of_copies_are_replaced(photo: Path, root: Path, tmp_path: Path) -> None:
    done = copy(photo, root, photo.with_suffix(".json"))
    victims = [tmp_path / "victim.jpg", tmp_path / "victim.json"]
    made = Path(os.fsdecode(done.path))
    for victim, there in zip(victims, (made, made.with_suffix(".json"))):
        victim.write_text("mine")
        there.unlink()
        there.symlink_to(victim)
    copy(photo, root, photo.with_suffix(".json"))
    assert [victim.read_text() for victim in victims] == ["mine", "mine"]
    assert made.read_bytes() == photo.read_bytes()
    assert not made.is_symlink()
    assert made.with_suffix(".json").read_text() == "{}"
    assert len(files(root)) == 2


def test_links_planted_meanwhile(photo: Path, root: Path, tmp_path: Path) -> None:
    """As fast as another process can: nothing is ever written outside."""
    if not folders.BY_HANDLE:
        pytest.skip("by path a moment is left between a look and its use")
    outside, name = tmp_path / "outside", hashlib.md5(photo.read_bytes()).hexdigest()
    (outside / name[:2] / name).mkdir(parents=True)
    stop = threading.Event()

    def plant() -> None:
        while not stop.is_set():
            for at in (1, 2, 3):
                path = root.joinpath(*("imported", name[:2], name)[:at])
                with suppress(OSError):
                    path.rename(tmp_path / f"moved-{os.urandom(4).hex()}")
                with suppress(OSError):
                    path.symlink_to(outside)
                    path.unlink()

    planter = threading.Thread(target=plant)
    planter.start()
    try:
        for _ in range(100):
            with suppress(StoreFailed):
                copy(photo, root, photo.with_suffix(".json"))
    finally:
        stop.set()
        planter.join()
    assert files(outside) == []
