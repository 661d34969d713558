"""A system without what only POSIX has: everything works there, by paths instead of handles.

Windows is not here to try: its lacks are, in a process of its own, and its rules for names.
Paths, and what an open file forbids, are still this system's.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.porcelain.conftest import PETS, write

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import numpy  # whose own build for this system asks it for more
import multiprocessing.popen_spawn_posix, os, select, signal, subprocess, sys, tempfile, time, types
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for module, names in (
    (os, '''O_NOFOLLOW O_NONBLOCK O_CLOEXEC O_DIRECTORY O_SYNC geteuid getuid getegid getgid
        getgroups fchmod fchown chown lchown killpg getpgid setsid sched_getaffinity fork mkfifo
        pread preadv pwrite pwritev sendfile statvfs fstatvfs sync uname sysconf waitid wait3 wait4
        WEXITED WNOWAIT P_PID lockf posix_fadvise posix_fallocate getxattr forkpty'''),
    (signal, '''SIGHUP SIGKILL SIGPIPE SIGALRM SIGUSR1 SIGUSR2 SIGCHLD SIGQUIT SIGSTOP SIGCONT
        pthread_sigmask pthread_kill sigwait sigpending setitimer alarm pause siginterrupt'''),
    (select, "poll epoll"),
    (time, "tzset clock_gettime CLOCK_BOOTTIME CLOCK_MONOTONIC_RAW CLOCK_UPTIME_RAW"),
):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
ended = os.kill
subprocess.Popen.kill = lambda child: ended(child.pid, 9)
def kill(pid, number):
    raise AssertionError("on Windows this ends the process")
os.kill = kill
windows = types.ModuleType("msvcrt")
windows.LK_NBLCK, windows.LK_UNLCK, windows.locking = 2, 0, lambda handle, mode, size: None
sys.modules["msvcrt"] = windows
os.supports_dir_fd, os.supports_fd = set(), set()
from ldb.storage import folders
folders.WINDOWS_NAMES = True
from ldb.cli.main import main
for line in sys.stdin.read().splitlines():
    code = main(line.split("|"))
    print(f"\\n#{code}")
"""


REVERSED = "import json, sys; print(json.dumps([row[0] for row in json.load(sys.stdin)][::-1]))"


class Done(NamedTuple):
    """What a command did."""

    code: int
    printed: str


def run(folder: Path, environment: dict[str, str], lines: list[str]) -> tuple[list[Done], str]:
    """Run commands (words divided by |) on a system without POSIX; and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        input="\n".join(lines),
        cwd=folder,
        env={**environment, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = done.stdout.split("\n#")
    found = [
        Done(int(after.partition("\n")[0]), before.partition("\n")[2] if at else before)
        for at, (before, after) in enumerate(itertools.pairwise(parts))
    ]
    assert len(found) == len(lines), done.stdout + done.stderr
    return found, done.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for path, annotation in PETS.items():
        write(tmp_path / "pets" / path, path, annotation)
    return tmp_path / "pets"


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_without_posix(tmp_path: Path, data: Path, environment: dict[str, str]) -> None:
    write(tmp_path / "new" / "max.jpg", "max", {"class": "dog"})
    cats, others, outside = tmp_path / "cats", tmp_path / "others", tmp_path / "outside"
    for folder in (others / "sub", outside, tmp_path / "copies"):
        folder.mkdir(parents=True)
    (others / "cats").symlink_to(outside)
    (tmp_path / "reversed.py").write_text(REVERSED)
    (tmp_path / "endless.py").write_text("while True: print('x' * 9999)")
    lines = [
        f"init|{tmp_path / 'instance'}",
        f"add-storage|{data}",
        f"add-storage|-a|true|{tmp_path / 'copies'}",
        f"index|{data}|{tmp_path / 'new'}",
        f"stage|ds:cats|{cats}",
        f"-C|{cats}|add|ds:root|--query|class == 'cat'",
        f"-C|{cats}|instantiate",
        f"-C|{cats}|add|ds:root|--query|class == 'dog'",
        f"-C|{cats}|commit|-m|two",
        f"-C|{cats}|instantiate|-f|--link|hardlink",
        f"-C|{cats}|del|--query|class == 'dog'",
        f"-C|{cats}|instantiate|-f",
        f"-C|{cats}|status|--json",
        f"get|ds:cats|-t|{tmp_path / 'got'}|-m|coco",
        f"get|ds:root|-t|{others}|-f|--preserve-paths",
        "list|ds:cats",
        "diff|ds:root.v1|ds:root",
        "fsck",
        "verify|ds:cats",
        f"ds|export|ds:cats|{tmp_path / 'cats.tar'}|--with-data",
        f"list|ds:cats|--pipe|{sys.executable}|{tmp_path / 'reversed.py'}",
        f"list|ds:cats|--pipe|{sys.executable}|{tmp_path / 'endless.py'}",
    ]
    done, said = run(tmp_path, environment, lines)
    through_a_link, endless = 14, 21
    assert [at for at, each in enumerate(done) if each.code] == [through_a_link, endless], said
    assert "printed more than" in said
    there = [line for line in done[15].printed.splitlines() if line]
    assert [line for line in done[20].printed.splitlines() if line] == there[::-1]
    assert "cats/tom.jpg: a symbolic link is where a folder is needed" in said
    kept = [name for name in names(cats) if name[0] != "."]
    assert [name.partition("-")[0] for name in kept] == ["kit", "kit", "tom", "tom"]
    assert json.loads(done[12].printed)["removed"] == 3
    assert len(list((tmp_path / "copies").rglob("max.jpg"))) == 1
    assert names(outside) == []
