"""The README's quick start, line by line, in a shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def lines() -> list[str]:
    """The commands under "Your own data"."""
    section = (ROOT / "README.md").read_text("utf-8").split("## Your own data")[1].split("\n## ")[0]
    found = re.findall(r"^    (.*)$", section, re.MULTILINE)
    assert found[0].startswith("pip install .")
    return found[1:]


def test_quick_start(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for at, kind in enumerate(["cat", "dog", "cat"]):
        (photos / f"{at}.jpg").write_bytes(b"picture %d" % at)
        (photos / f"{at}.json").write_text(json.dumps({"class": kind}))
    ldb = f'ldb() {{ {shlex.quote(sys.executable)} -m ldb.cli.main "$@"; }}'
    commands = "\n".join([ldb, *lines()]).replace("/data/photos", str(photos))
    done = subprocess.run(
        ["bash", "-exc", commands],
        cwd=tmp_path,
        env={
            **{name: text for name, text in os.environ.items() if "LDB" not in name},
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "data objects: 3 found, 3 new" in done.stderr
    assert "ds:cats.v1: 2 data objects" in done.stderr
    assert len(done.stdout.splitlines()) == 2
    written = sorted(path.name.split("-")[0] for path in (tmp_path / "cats").glob("*.jpg"))
    assert written == ["0", "2"]
