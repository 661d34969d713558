"""A real Dask cluster on loopback: a scheduler and worker processes, each a process of its own.

`cluster` is one to be harmed. `shared` is the session's own, whichever worker of it asks first:
it runs below a small supervisor (this file as a program), which ends when the session has.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = str(Path(__file__).with_name("installed"))
"""Where workers find packages that the tests bring: `hues.py`."""
MODULES = f"{ROOT}{os.pathsep}{INSTALLED}"
HOST = "127.0.0.1"
PATIENCE = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class Cluster:
    """A scheduler and its workers."""

    port: int
    folder: Path
    environment: dict[str, str]
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"dask://{HOST}:{self.port}"

    @property
    def log(self) -> str:
        """All that its processes have said."""
        return (self.folder / "log").read_text()

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker of one thread; `wait` knows when it is there."""
        words = ["worker", f"tcp://{HOST}:{self.port}", "--no-nanny", "--nthreads", "1"]
        words += ["--host", HOST, "--no-dashboard", "--death-timeout", "60"]
        words += ["--local-directory", str(self.folder), "--memory-limit", "0"]
        self.workers.append(_start(words, self.folder, self.environment))
        return self.workers[-1]

    def wait(self) -> None:
        """Until every worker that was started, and runs, has registered."""
        until = time.monotonic() + PATIENCE
        running = [each for each in self.workers if each.poll() is None]
        while self.log.count("Registered to:") < len(self.workers):
            assert time.monotonic() < until, self.log
            assert all(each.poll() is None for each in running), self.log
            time.sleep(0.05)


@contextlib.contextmanager
def cluster(folder: Path, workers: int, **environment: str) -> Iterator[Cluster]:
    """A cluster of its own; it is killed at the end."""
    port = free_port()
    words = ["scheduler", "--host", HOST, "--port", str(port), "--dashboard-address", "127.0.0.1:0"]
    words += ["--no-show"]
    every = {**os.environ, "PYTHONPATH": MODULES, **environment}
    found = Cluster(port, folder, every, _start(words, folder, every))
    try:
        for _ in range(workers):
            found.add_worker()
        found.wait()
        yield found
    finally:
        for each in [*found.workers, found.scheduler]:
            kill(each)


def kill(process: subprocess.Popen[bytes]) -> None:
    """As kill -9 does, whether it still runs or not."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()


def _start(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    program = f"distributed.cli.dask_{words[0]}"
    with open(folder / "log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", program, *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def shared(folder: Path) -> str:
    """The URL of the session's cluster of two workers; all its processes give one folder."""
    folder.mkdir(exist_ok=True)
    note = folder / "url"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            session = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
            with open(folder / "supervisor", "wb") as log:
                supervisor = subprocess.Popen(
                    [sys.executable, "-m", "tests.engines.clusters", str(folder), str(session)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    start_new_session=True,
                )
            supervisor.returncode = 0  # nobody waits for it: it ends after us
            until = time.monotonic() + PATIENCE
            while not note.exists():
                assert time.monotonic() < until, (folder / "supervisor").read_text()
                time.sleep(0.05)
    return note.read_text()


def _supervise(folder: Path, session: int) -> None:
    with cluster(folder, 2) as found:
        part = folder / "url.part"
        part.write_text(found.url)
        part.rename(folder / "url")
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(session, 0)
                time.sleep(0.2)


if __name__ == "__main__":
    _supervise(Path(sys.argv[1]), int(sys.argv[2]))
