"""A system without what only POSIX has: what can work there does, the rest says so.

Windows is not here to try: its lacks are, in a process of its own. Paths are still this system's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.porcelain.conftest import PETS, write

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import multiprocessing.popen_spawn_posix, os, subprocess, sys, tempfile, types
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY", "geteuid", "getuid",
             "fchmod", "killpg", "sched_getaffinity", "fork"):
    if hasattr(os, name):
        delattr(os, name)
windows = types.ModuleType("msvcrt")
windows.LK_NBLCK, windows.locking = 2, lambda handle, mode, size: None
sys.modules["msvcrt"] = windows
os.supports_dir_fd, os.supports_fd = set(), set()
from ldb.cli.main import main
for line in sys.stdin.read().splitlines():
    code = main(line.split("|"))
    print(f"{line.split('|')[0]}: {code}")
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for path, annotation in PETS.items():
        write(tmp_path / "pets" / path, path, annotation)
    return tmp_path / "pets"


def test_without_posix(tmp_path: Path, data: Path, environment: dict[str, str]) -> None:
    lines = [
        f"init|{tmp_path / 'instance'}",
        f"add-storage|{data}",
        f"index|{data}",
        f"stage|ds:cats|{tmp_path / 'cats'}",
        f"-C|{tmp_path / 'cats'}|add|ds:root|--query|class == 'cat'",
        "commit|-m|two",
        "list|ds:cats",
        "diff|ds:root.v1|ds:root",
        "fsck",
        "instantiate",
    ]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        input="\n".join(lines),
        cwd=tmp_path,
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    codes = [line for line in done.stdout.splitlines() if line[:2] != "id"]
    assert [line.rpartition(" ")[2] for line in codes] == ["0"] * 9 + ["1"], done.stderr
    assert "on Windows, use WSL" in done.stderr
