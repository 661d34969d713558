"""`ldb gc` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.instance import open_instance
from ldb.objects.codec import encode
from ldb.objects.model import Blob, BlobType
from tests.cli.conftest import Ldb
from tests.porcelain.fsck.samples import make_instance


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """An instance with a pack, a loose blob and a temporary file that nobody needs."""
    make_instance(tmp_path)
    objects = open_instance(LocalBackend(tmp_path / "instance")).objects
    with objects.writer() as writer:
        writer.add_many(BlobType.ANNOTATION, [encode({"n": n}) for n in range(300)])
    objects.put(Blob(BlobType.ANNOTATION, encode("alone")))
    (tmp_path / "instance" / "tmp" / ("ab" * 16)).write_text("torn")
    return tmp_path


def files(base: Path) -> set[str]:
    return {str(path) for path in (base / "instance").rglob("*") if path.is_file()}


def run(ldb: Ldb, base: Path, *args: str) -> str:
    result = ldb("--instance", str(base / "instance"), "gc", *args)
    assert (result.code, result.out) == (0, "")
    return result.err


def test_nothing_happens_by_default(ldb: Ldb, base: Path) -> None:
    before = files(base)
    assert "nothing to delete" in run(ldb, base)
    said = run(ldb, base, "--dry-run", "--alone")
    assert "would be condemned: 1 pack(s), 1 loose blob(s), 1 file(s) of columns" in said
    assert "--prune does it" in said
    assert files(base) == before


def test_young_garbage_waits(ldb: Ldb, base: Path) -> None:
    before = files(base)
    said = run(ldb, base, "--prune", "--grace", "1h", "-v")
    assert "nothing to delete; too young to tell: 1 pack(s), 1 loose blob(s)" in said
    assert files(base) == before


def test_alone(ldb: Ldb, base: Path) -> None:
    before = files(base)
    said = run(ldb, base, "--prune", "--alone")
    assert "deleted: 1 pack(s), 1 loose blob(s)" in said
    assert "1 temporary" in said
    gone = before - files(base)
    assert len(gone) == 4
    (mark,) = (base / "instance/objects/pack/-gc").iterdir()
    assert (mark.name, mark.read_bytes()) == ("0000000001.done", b"\n")
    assert "nothing to delete" in run(ldb, base, "--prune", "--alone")
    assert ldb("--instance", str(base / "instance"), "fsck").code == 0
    assert run(ldb, base, "-q", "--prune", "--alone") == ""


def test_json(ldb: Ldb, base: Path) -> None:
    result = ldb("--instance", str(base / "instance"), "gc", "--json", "--alone")
    value = json.loads(result.out)
    assert value["dry_run"]
    assert (value["condemned"]["packs"], value["condemned"]["loose"]) == (1, 1)
    assert value["deleted"]["packs"] == 0
    value = json.loads(
        ldb("--instance", str(base / "instance"), "gc", "--prune", "--json", "--alone").out
    )
    assert not value["dry_run"]
    assert (value["deleted"]["packs"], value["deleted"]["derived"]) == (1, 1)
    assert value["waiting"] == []


@pytest.mark.parametrize(
    "args",
    [
        ("--prune", "--dry-run"),
        ("--alone", "--grace", "3d"),
        ("--grace", "soon"),
        ("--grace", "0h"),
        ("--grace", "-1d"),
    ],
)
def test_usage(ldb: Ldb, base: Path, args: tuple[str, ...]) -> None:
    assert ldb("--instance", str(base / "instance"), "gc", *args).code == 2


def test_damage_stops_it(ldb: Ldb, base: Path) -> None:
    ref = next((base / "instance/refs/datasets/cats").iterdir())
    ref.chmod(0o644)
    ref.write_bytes(ref.read_bytes()[:-3])
    before = files(base)
    result = ldb("--instance", str(base / "instance"), "gc", "--prune", "--alone")
    assert result.code == 5
    assert files(base) == before
