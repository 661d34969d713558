"""LDB beside a real DVC: one cache, both ways, and the pages of docs/guide/dvc.md run.

Needs `dvc` on the PATH, or in the environment variable LDB_TEST_DVC; skipped without.
Last run with DVC 3.67.1.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DVC = os.environ.get("LDB_TEST_DVC") or shutil.which("dvc")
GIT = shutil.which("git")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DVC is None or GIT is None, reason="needs dvc and git"),
]

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, home: Path) -> Run:
    """Runs a shell script in a folder below `tmp_path`; its standard output."""
    tools = tmp_path / "bin"
    tools.mkdir()
    ldb = tools / "ldb"
    ldb.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ldb.cli.main "$@"\n')
    ldb.chmod(0o755)
    assert DVC is not None
    (tools / "dvc").symlink_to(DVC)
    environment = {
        **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
        "DVC_NO_ANALYTICS": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    }  # fmt: skip
    environment.pop("LDB_DIR", None)

    def script(text: str, folder: str = ".") -> str:
        done = subprocess.run(
            ["sh", "-ec", text], cwd=tmp_path / folder, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (text, done.stdout, done.stderr)
        return done.stdout

    return script


@pytest.fixture
def registry(run: Run, tmp_path: Path) -> Path:
    """A DVC project, and an instance with ds:pets of two versions: three pictures, then two."""
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        (data / f"p{number}.jpg").write_bytes(content(number))
        (data / f"p{number}.json").write_text(json.dumps({"n": number}))
    run(
        "ldb init ldb && ldb add-storage data && ldb index data && ldb stage ds:pets work;"
        "ldb -C work add ds:root; ldb -C work commit -m one;"
        "ldb -C work del --query 'n == `0`'; ldb -C work commit -m two;"
        "mkdir registry training; for each in registry training; do"
        "  (cd $each; git init -q .; dvc init -q; git commit -q -m start); done"
    )
    return tmp_path / "registry"


def content(number: int) -> bytes:
    return b"picture %d\n" % number * 10_000


def md5(number: int) -> str:
    return hashlib.md5(content(number)).hexdigest()


def blocks() -> list[str]:
    page = (ROOT / "docs/guide/dvc.md").read_text("utf-8")
    return re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def in_cache(registry: Path, number: int) -> Path:
    name = md5(number)
    return registry / ".dvc/cache/files/md5" / name[:2] / name[2:]


def test_what_dvc_has_is_not_fetched(run: Run, registry: Path, tmp_path: Path) -> None:
    run("cp ../data/p1.jpg . && dvc add -q p1.jpg", "registry")
    assert in_cache(registry, 1).exists()
    run(blocks()[0], "registry")
    before = in_cache(registry, 1).stat()
    shutil.move(tmp_path / "data/p1.jpg", tmp_path / "hidden")
    run("ldb instantiate ds:pets.v1 -t out")
    [written] = (tmp_path / "out").glob("p1-*.jpg")
    assert written.read_bytes() == content(1), "it was nowhere but in DVC's cache"
    after = in_cache(registry, 1).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    refused = subprocess.run(
        [sys.executable, "-m", "ldb.cli.main", "cache", "clean"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert in_cache(registry, 1).exists()


def test_what_ldb_fetched_is_found_by_dvc(run: Run, registry: Path) -> None:
    run(blocks()[0], "registry")
    run("ldb instantiate ds:pets.v1 -t ../out", "registry")
    outs = f"outs:\n- md5: {md5(2)}\n  size: {len(content(2))}\n  hash: md5\n  path: p2.jpg\n"
    (registry / "p2.jpg.dvc").write_text(outs)
    run("dvc checkout -q p2.jpg.dvc", "registry")
    assert (registry / "p2.jpg").read_bytes() == content(2)
    assert "up to date" in run("dvc status p2.jpg.dvc", "registry")


def test_the_guide(run: Run, registry: Path, tmp_path: Path) -> None:
    shared, first, second, others = blocks()
    run(shared, "registry")
    run(first, "registry")
    names = [f"p{number}-{md5(number)}" for number in range(3)]
    folder = registry / "pets"
    assert sorted(each.stem for each in folder.glob("p*.jpg")) == names
    lock = (registry / "dvc.lock").read_text()
    assert "nfiles: 6" in lock, "the list of what was written is no part of it"
    assert "didn't change, skipping" in run("dvc repro", "registry")
    assert "up to date" in run("dvc status", "registry")
    shutil.rmtree(folder)
    run("dvc checkout -q", "registry")
    assert sorted(each.stem for each in folder.glob("p*.jpg")) == names
    run("ldb -C ../work list -s ds:pets && dvc repro -q -f", "registry")
    assert (registry / "dvc.lock").read_text() == lock, "written twice, the same twice"
    run(second, "registry")
    assert sorted(each.stem for each in folder.glob("p*.jpg")) == names[1:]
    run(others, "registry")
    taken = tmp_path / "training/pets"
    assert sorted(each.stem for each in taken.glob("p*.jpg")) == names[1:]
    assert "pets@v1" in (tmp_path / "training/dvc.yaml").read_text()
