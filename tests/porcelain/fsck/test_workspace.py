"""The draft around the user is checked with the instance."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.errors import NotFound
from ldb.instance import create
from ldb.porcelain.fsck import fsck
from ldb.porcelain.place import Place
from tests.porcelain.fsck.samples import make_instance


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_instance(tmp_path_factory.mktemp("workspace"))


def inside(place: Place) -> Path:
    return Path(place.cwd, ".ldb_workspace")


def test_sound(place: Place) -> None:
    report = fsck(place.instance.backend, place.cwd)
    assert report.sound
    alone = fsck(place.instance.backend)
    assert report.checked.files > alone.checked.files
    assert report.checked.nodes > alone.checked.nodes


def test_every_file_of_a_workspace(place: Place) -> None:
    """But `lock`, which holds nothing that anybody relies on."""
    files = [each for each in inside(place).rglob("*") if each.is_file() and each.name != "lock"]
    assert len(files) >= 2
    for path in files:
        data = path.read_bytes()
        path.chmod(0o644)
        for position in range(0, len(data), 1 + len(data) // 60):
            changed = bytearray(data)
            changed[position] ^= 1 << position % 8
            path.write_bytes(changed)
            report = fsck(place.instance.backend, place.cwd)
            assert str(path) in {each.name for each in report.problems}, (path, position)
        path.write_bytes(data)
    assert fsck(place.instance.backend, place.cwd).sound


def test_draft_that_needs_a_lost_pack(place: Place) -> None:
    packs = list(inside(place).rglob("*.pack"))
    data = {path: path.read_bytes() for path in packs}
    for path in packs:
        path.unlink()
    problems = fsck(place.instance.backend, place.cwd).problems
    assert any(f"the draft in {place.cwd}" in each.needed_by for each in problems)
    for path, content in data.items():
        path.write_bytes(content)


def test_what_a_killed_command_left(place: Place) -> None:
    left = inside(place) / ".state-abc"
    left.write_bytes(b"half a state")
    report = fsck(place.instance.backend, place.cwd)
    assert report.sound
    assert any(str(left) in note for note in report.notes)
    left.unlink()


def test_workspace_of_another_instance(place: Place, tmp_path: Path) -> None:
    other = create(LocalBackend(tmp_path / "other"))
    report = fsck(other.backend, place.cwd)
    assert report.sound
    assert any("another instance" in note for note in report.notes)


def test_no_workspace(place: Place, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        fsck(place.instance.backend, str(tmp_path))
