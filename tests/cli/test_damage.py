"""The command line over damage: what needs a damaged file says so, all else works."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ldb.backends.local import LocalBackend
from ldb.objects.codec import decode, encode
from ldb.objects.model import BlobType
from ldb.objects.packread import PackReader
from ldb.workspace import locked
from tests.cli.conftest import Ldb
from tests.porcelain.fsck.samples import make_instance

Damage = Callable[[bytes], bytes]

DAMAGES: dict[str, Damage] = {
    "flipped": lambda data: bytes([*data[:60], data[60] ^ 1, *data[61:]]),
    "cut": lambda data: data[:-9],
    "empty": lambda _: b"",
}


@pytest.fixture
def base(tmp_path: Path, ldb: Ldb) -> Path:
    """`instance`, `cats` (a workspace) and `data`; the instance is the user's own."""
    make_instance(tmp_path)
    assert ldb("config", "set", "core.instance", str(tmp_path / "instance")).code == 0
    return tmp_path


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def packs_with(base: Path, kind: BlobType) -> list[Path]:
    backend = LocalBackend(base / "instance")
    found = []
    for path in sorted((base / "instance" / "objects" / "pack").iterdir()):
        key = f"objects/pack/{path.name}"
        pack = PackReader(backend, key, path.stat().st_size)
        if next(pack.blocks()).type is kind:
            found.append(path)
    return found


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_annotations(ldb: Ldb, base: Path, damage: Damage) -> None:
    for path in packs_with(base, BlobType.ANNOTATION):
        overwrite(path, damage(path.read_bytes()))
        result = ldb("eval", "ds:root")
        assert result.code == 5
        assert path.stem[:16] in result.err or "corrupt: " in result.err
        assert "Traceback" not in result.err
        found = ldb("fsck")
        assert found.code == 5
        assert path.name in found.out
    for args in (
        ["ds", "list"],
        ["log", "ds:cats"],
        ["-C", str(base / "cats"), "status"],
        ["storage", "list"],
    ):
        assert ldb(*args).code == 0, args


def test_damage_names_the_pack(ldb: Ldb, base: Path) -> None:
    (path, *_) = packs_with(base, BlobType.ANNOTATION)
    overwrite(path, DAMAGES["flipped"](path.read_bytes()))
    result = ldb("eval", "ds:root")
    assert path.name in result.err
    assert "hint: run `ldb fsck`" in result.err


def test_damaged_maps(ldb: Ldb, base: Path) -> None:
    for path in packs_with(base, BlobType.MAP):
        overwrite(path, DAMAGES["flipped"](path.read_bytes()))
    for args in (["list", "ds:cats"], ["diff", "ds:cats.v1", "ds:cats.v2"]):
        result = ldb(*args)
        assert result.code == 5, args
        assert ".pack" in result.err
    assert ldb("log", "ds:cats").code == 0


def test_damaged_commit(ldb: Ldb, base: Path) -> None:
    loose = [path for path in (base / "instance" / "objects").glob("??/*") if path.is_file()]
    for path in loose:
        overwrite(path, b"zeros?" + bytes(100))
    result = ldb("log", "ds:cats")
    assert result.code == 5
    assert any(path.name in result.err for path in loose)


def test_damaged_ref(ldb: Ldb, base: Path) -> None:
    newest = min((base / "instance" / "refs" / "datasets" / "cats").iterdir())
    overwrite(newest, newest.read_bytes().replace(b"time 2", b"time 3"))
    result = ldb("list", "ds:cats")
    assert result.code == 5
    assert f"refs/datasets/cats/{newest.name}" in result.err
    assert ldb("list", "ds:cats.v1").code == 0
    assert ldb("list", "ds:dogs").code == 0


# -- workspaces --------------------------------------------------------------------------

IN_WORKSPACE = (
    ["status"],
    ["list"],
    ["diff"],
    ["add", "ds:root"],
    ["del", "--limit", "1"],
    ["commit"],
    ["stage", "ds:dogs", "."],
)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_state(ldb: Ldb, base: Path, damage: Damage) -> None:
    path = base / "cats" / ".ldb_workspace" / "state"
    overwrite(path, damage(path.read_bytes()))
    for args in IN_WORKSPACE:
        result = ldb("-C", str(base / "cats"), *args)
        assert result.code == 5, args
        assert str(path) in result.err
    # What does not need the draft works elsewhere, and staging anew with -f mends it.
    assert ldb("-C", str(base), "list", "ds:cats").code == 0
    result = ldb("-C", str(base), "stage", "-f", "ds:cats", str(base / "cats"))
    assert result.code == 0, result
    assert ldb("-C", str(base / "cats"), "status").code == 0


def test_state_of_the_future(ldb: Ldb, base: Path) -> None:
    path = base / "cats" / ".ldb_workspace" / "state"
    value = decode(path.read_bytes()[32:])
    payload = encode({**value, "format": 99})
    overwrite(path, hashlib.sha256(payload).digest() + payload)
    for args in IN_WORKSPACE[:-1]:
        result = ldb("-C", str(base / "cats"), *args)
        assert result.code == 1, args
        assert "not supported: workspace format 99" in result.err


def test_instance_of_the_future(ldb: Ldb, base: Path) -> None:
    path = base / "instance" / "instance"
    body = json.loads(path.read_text())
    del body["check"]
    body["format"] = 2
    plain = json.dumps(body, sort_keys=True, separators=(",", ":"))
    body["check"] = hashlib.sha256(plain.encode()).hexdigest()
    overwrite(path, json.dumps(body).encode())
    for args in (["list", "ds:cats"], ["fsck"], ["index", str(base / "data")]):
        result = ldb(*args)
        assert result.code == 1, args
        assert "instance format 2" in result.err
        assert "hint: upgrade ldb" in result.err


def test_two_commands_at_once(ldb: Ldb, base: Path) -> None:
    workspace = str(base / "cats")
    state = (base / "cats" / ".ldb_workspace" / "state").read_bytes()
    changing = (
        ["add", "ds:root"],
        ["del", "--limit", "1"],
        ["commit"],
        ["stage", "-f", "ds:dogs", "."],
    )
    with locked(workspace):
        for args in changing:
            result = ldb("-C", workspace, *args)
            assert result.code == 4, args
            assert "an ldb command at work (process " in result.err
        for args in (["status"], ["list"], ["diff"]):
            assert ldb("-C", workspace, *args).code == 0
    assert (base / "cats" / ".ldb_workspace" / "state").read_bytes() == state
    assert ldb("-C", workspace, "commit").code == 0
