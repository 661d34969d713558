"""`ldb repack` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Ldb
from tests.porcelain.fsck.samples import make_instance


def test_repack_then_gc(ldb: Ldb, tmp_path: Path) -> None:
    make_instance(tmp_path)
    instance = ("--instance", str(tmp_path / "instance"))
    listed = ldb(*instance, "ds", "list", "-a").out
    said = ldb(*instance, "repack", "--dry-run")
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith("would be put together: 8 pack(s) and 7 loose blob(s)")
    done = ldb(*instance, "repack", "-v")
    assert "as 1 pack(s)" in done.err
    assert "blobs copied" in done.err
    assert "ldb gc --prune" in done.err
    assert ldb(*instance, "gc", "--prune", "--alone").code == 0
    assert "nothing to do" in ldb(*instance, "repack").err
    assert ldb(*instance, "repack", "-q").err == ""
    assert ldb(*instance, "fsck").code == 0
    assert ldb(*instance, "ds", "list", "-a").out == listed
    packs = list((tmp_path / "instance").rglob("*.pack"))
    assert len(packs) == 1


def test_json(ldb: Ldb, tmp_path: Path) -> None:
    make_instance(tmp_path)
    result = ldb("--instance", str(tmp_path / "instance"), "repack", "--json")
    value = json.loads(result.out)
    assert (value["packs"], value["loose"], value["new_packs"]) == (8, 7, 1)
    assert value["bytes"] > 0
    assert not value["dry_run"]


def test_damage_stops_it(ldb: Ldb, tmp_path: Path) -> None:
    make_instance(tmp_path)
    ref = next((tmp_path / "instance/refs/datasets/cats").iterdir())
    ref.chmod(0o644)
    ref.write_bytes(ref.read_bytes()[:-3])
    before = len(list((tmp_path / "instance").rglob("*.pack")))
    assert ldb("--instance", str(tmp_path / "instance"), "repack").code == 5
    assert len(list((tmp_path / "instance").rglob("*.pack"))) == before
