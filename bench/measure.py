"""One measured command: wall time, CPU time, and memory of it and of its whole tree.

Wall is from before the fork to the return of wait4; CPU is what wait4 reports, so it
holds every descendant that was waited for (not daemons that outlive the command).
Memory is sampled from /proc every 20 ms: `parent_mb` is the high-water mark that the
kernel keeps for the command's own process, `tree_mb` the largest sum of resident sizes over
all its processes (pages shared by forked workers count once for each, so it errs upward).
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

SAMPLE_SECONDS = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEGABYTE = 1_000_000


class CommandFailed(Exception):
    """A measured or preparing command ended with something else than 0."""

    def __init__(self, argv: Sequence[str], code: int, text: str) -> None:
        shown = " ".join(argv)
        super().__init__(f"`{shown[:160]}` ended with {code}: {text.strip()[-400:]}")


@dataclass(frozen=True, slots=True)
class Step:
    """One process to run: a command line, where, and with what beside the plain environment."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: Path | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step, or several one after the other, used."""

    wall: float
    cpu: float
    parent_mb: float
    tree_mb: float

    @classmethod
    def together(cls, costs: Sequence[Cost]) -> Cost:
        """Times add up, memory is that of the largest."""
        return cls(
            sum(cost.wall for cost in costs),
            sum(cost.cpu for cost in costs),
            max((cost.parent_mb for cost in costs), default=0.0),
            max((cost.tree_mb for cost in costs), default=0.0),
        )


def measure(step: Step) -> tuple[Cost, str]:
    """Run `step` to its end; returns its cost and its stdout; raises `CommandFailed`."""
    with open(step.stdin or os.devnull, "rb") as source:
        begin = time.perf_counter()
        process = subprocess.Popen(
            list(step.argv),
            cwd=step.cwd,
            env=dict(step.env),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    assert process.stdout
    assert process.stderr
    memory = _MemorySampler(process.pid)
    output = [_Drain(process.stdout), _Drain(process.stderr)]
    for thread in (memory, *output):
        thread.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    memory.stop()
    process.returncode = os.waitstatus_to_exitcode(status)  # else Popen would wait again
    stdout, stderr = (drain.text() for drain in output)
    if process.returncode:
        raise CommandFailed(step.argv, process.returncode, stderr or stdout)
    cost = Cost(wall, usage.ru_utime + usage.ru_stime, memory.parent_mb, memory.tree_mb)
    return cost, stdout


class _Drain(threading.Thread):
    """Reads a pipe to its end, so that the command never waits for us."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._data = b""

    def run(self) -> None:
        with self._pipe:
            self._data = self._pipe.read()

    def text(self) -> str:
        # A daemon left behind may hold the pipe open: what it says later is not of interest.
        self.join(timeout=5)
        return self._data.decode(errors="replace")


class _MemorySampler(threading.Thread):
    """Watches the memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.parent_mb = 0.0
        self.tree_mb = 0.0

    def run(self) -> None:
        if not Path("/proc/self/statm").exists():
            return
        while not self._ended.is_set():
            self.parent_mb = max(self.parent_mb, _high_water_mb(self._pid))
            self.tree_mb = max(self.tree_mb, sum(map(_resident_mb, _tree(self._pid))))
            self._ended.wait(SAMPLE_SECONDS)

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self.tree_mb = max(self.tree_mb, self.parent_mb)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for member in found:  # grows while it is walked
        try:
            for task in os.listdir(f"/proc/{member}/task"):
                children = Path(f"/proc/{member}/task/{task}/children").read_text()
                found.extend(map(int, children.split()))
        except OSError:
            continue
    return found


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * _PAGE / _MEGABYTE


def _high_water_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / _MEGABYTE
    except OSError:
        pass
    return 0.0


def stored(folder: Path) -> tuple[int, int]:
    """Bytes (apparent sizes) and number of the files under `folder`."""
    size = number = 0
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    number += 1
                    size += entry.stat(follow_symlinks=False).st_size
    return size, number
