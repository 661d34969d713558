"""Programs of others: fed, read, bounded, and ended with all that they started."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ldb.errors import NotFound
from ldb.foreign.programs import Done, ProgramFailed, Programs, find_program

MOST = 1 << 20


@pytest.fixture
def programs() -> Iterator[Programs]:
    with Programs() as running:
        yield running


def shell(programs: Programs, script: str, stdin: bytes = b"", most: int = MOST) -> Done:
    return programs.run(["/bin/sh", "-c", script], stdin, cwd="/", most=most, name="it")


def test_what_goes_in_and_comes_out(programs: Programs) -> None:
    data = os.urandom(3_000_000)  # more than a pipe holds, in both directions at once
    done = programs.run(["/bin/cat"], data, cwd="/", most=len(data))
    assert done == Done(data, "")


@pytest.mark.parametrize("script", ["exit 0", "exec 0<&-; sleep 0.05", "head -c 10 >/dev/null"])
def test_a_program_need_not_read(programs: Programs, script: str) -> None:
    assert shell(programs, script, b"x" * 1_000_000).stdout == b""


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo oh no >&2; exit 3", "program it: failed with exit code 3; it said:\noh no"),
        ("kill -9 $$", "program it: was ended by SIGKILL"),
        ("yes", "program it: printed more than 1,048,576 bytes"),
    ],
)
def test_failures_say_what_happened(programs: Programs, script: str, why: str) -> None:
    with pytest.raises(ProgramFailed) as caught:
        shell(programs, script)
    assert str(caught.value) == why


def test_only_the_end_of_what_it_complains_is_kept(programs: Programs) -> None:
    done = shell(programs, "head -c 100000 /dev/zero | tr '\\0' x >&2; echo END >&2")
    assert done.stderr.endswith("xEND\n")
    assert len(done.stderr) < 20_000


def test_what_cannot_be_started(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_text("no program\x00")
    path.chmod(0o755)
    with pytest.raises(ProgramFailed, match="cannot be started: Exec format error"):
        programs.run([str(path)], cwd="/", most=MOST)
    with pytest.raises(ProgramFailed, match="cannot be started"):
        programs.run(["/bin/echo", "a\0b"], cwd="/", most=MOST)


def gone(pid: int) -> bool:
    """Whether a process ends, or has: it may be left for others to reap."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


STUBBORN = """
trap '' TERM INT HUP
sleep 300 &
echo $$ $! > {path}.new; mv {path}.new {path}
sleep 300; sleep 300
"""


def wait_for(path: Path) -> list[int]:
    while not path.exists():
        time.sleep(0.005)
    return [int(word) for word in path.read_text().split()]


def test_stopping_ends_all_that_it_started(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    failed: list[Exception] = []
    programs = Programs()

    def run() -> None:
        try:
            shell(programs, STUBBORN.replace("trap '' TERM INT HUP", "").format(path=path))
        except ProgramFailed as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    pids = wait_for(path)
    programs.stop()
    thread.join()
    assert all(map(gone, pids))
    assert "SIGTERM" in str(failed[0])
    with pytest.raises(ProgramFailed, match="was not started"):
        shell(programs, "true")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_ends_all_that_it_started(tmp_path: Path) -> None:
    path = tmp_path / "pids"

    def interrupt() -> None:
        wait_for(path)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    script = STUBBORN.replace("trap '' TERM INT HUP", "").format(path=path)
    with pytest.raises(KeyboardInterrupt), Programs() as programs:
        shell(programs, script)
    thread.join()
    assert all(map(gone, wait_for(path)))


@pytest.mark.slow
def test_a_program_that_will_not_end_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "pids"

    def interrupt() -> None:
        wait_for(path)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), Programs() as programs:
        shell(programs, STUBBORN.format(path=path))
    thread.join()
    assert all(map(gone, wait_for(path)))


def test_programs_are_found_as_a_shell_does_it(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "it"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(ProgramFailed, match="is not executable"):
        find_program("bin/it", str(tmp_path), "")
    with pytest.raises(NotFound):
        find_program("it", str(folder), str(folder))
    program.chmod(0o755)
    assert find_program("bin/it", str(tmp_path), "") == str(program)
    assert find_program("../bin/it", str(folder), "") == str(program)
    assert find_program("it", "/", f"/nowhere:{folder}") == str(program)


@pytest.mark.parametrize("path", ["", ".", ":", "bin", ".:bin"])
def test_nothing_is_run_for_lying_in_the_folder_one_is_in(tmp_path: Path, path: str) -> None:
    for folder in (tmp_path, tmp_path / "bin"):
        folder.mkdir(exist_ok=True)
        (folder / "it").write_text("#!/bin/sh\n")
        (folder / "it").chmod(0o755)
    with pytest.raises(NotFound, match="program not found: it"):
        find_program("it", str(tmp_path), path)
