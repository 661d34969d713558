"""Programs that are not LDB's: found, started, fed, read, and stopped with their children.

A program never gets a terminal, reads what it is given or leaves it, and may say so much and
no more. However a run ends (an exception, Ctrl-C), nothing that it started is left behind.
The only module that starts programs.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from ldb.errors import LdbError, NotFound

MAX_STDERR = 16 * 1024
"""Bytes of the end of its stderr that are kept."""

PATIENCE = 2.0
"""Seconds in which a program that was told to end may do so before it is killed."""

NOTICE = 0.2
"""Seconds after which a waiting thread looks up: where the system gives Ctrl-C to another thread
than the main one, nothing else wakes that."""

_PIECE = 64 * 1024


class ProgramFailed(LdbError):
    """A program could not be started, exited with an error, or did not do as it should."""

    def __init__(self, program: str, why: str, stderr: str = "", hint: str = "") -> None:
        said = f"; it said:\n{stderr.rstrip()}" if stderr.strip() else ""
        super().__init__(f"program {program}: {why}{said}", hint)
        self.program = program
        self.why = why
        self.stderr = stderr


@dataclass(frozen=True, slots=True)
class Done:
    """What a program that succeeded left."""

    stdout: bytes
    stderr: str
    """The last of it."""


def find_program(word: str, cwd: str, path: str) -> str:
    """The file that a word names, as a shell finds it; raises `NotFound`.

    A word with a `/` is a path, from `cwd`. Any other is looked for in the absolute folders of
    `path` (`PATH`), so that what happens to lie in a folder is not run because of its name.
    """
    if "/" in word:
        found = os.path.normpath(os.path.join(cwd, word))
        if not os.path.isfile(found):
            raise NotFound("program", word, "is the path right?")
        if not os.access(found, os.X_OK):
            raise ProgramFailed(word, "is not executable", hint=f"chmod +x {found}")
        return found
    for folder in path.split(os.pathsep):
        found = os.path.join(folder, word)
        if os.path.isabs(folder) and os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    raise NotFound("program", word, "it is in no folder of PATH; is it installed?")


class Programs:
    """Runs programs, from any number of threads; on leaving, none is left running."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __enter__(self) -> Programs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End whatever runs, and let nothing start any more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for child in running:
            _tell(child, signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        for child in running:
            _end(child, until)

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        cwd: str,
        most: int,
        name: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> Done:
        """Run to its end; raises `ProgramFailed` where that is no success.

        `most`: bytes that it may print. `name`: what messages call it.
        """
        name = name or argv[0]
        child = self._start(argv, cwd, name, environ)
        try:
            stdout, stderr = _converse(child, stdin, most, name)
            code = child.wait()
        except BaseException:
            _tell(child, signal.SIGTERM)
            _end(child, time.monotonic() + PATIENCE)
            raise
        finally:
            with self._lock:
                self._running.discard(child)
            _close(child)
        if code:
            raise ProgramFailed(name, _ending(code), stderr)
        return Done(stdout, stderr)

    def _start(
        self, argv: Sequence[str], cwd: str, name: str, environ: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise ProgramFailed(name, "was not started, because another one failed")
            try:
                child = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=cwd,
                    env=None if environ is None else dict(environ),
                    start_new_session=True,  # so that all that it starts can be ended with it
                )
            except (OSError, ValueError) as error:  # ValueError: a NUL in a word
                why = getattr(error, "strerror", None) or str(error)
                raise ProgramFailed(name, f"cannot be started: {why}") from None
            self._running.add(child)
        return child


def _converse(
    child: subprocess.Popen[bytes], stdin: bytes, most: int, name: str
) -> tuple[bytes, str]:
    """Feed a program and read what it says, both at once; its stdout and the end of its stderr."""
    assert child.stdin
    assert child.stdout
    assert child.stderr
    said: list[bytes] = []
    size, told, rest = 0, b"", memoryview(stdin)
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ)
        waiting.register(child.stderr, selectors.EVENT_READ)
        os.set_blocking(child.stdin.fileno(), False)
        waiting.register(child.stdin, selectors.EVENT_WRITE)
        while waiting.get_map():
            for key, _ in waiting.select(NOTICE):
                if key.fileobj is child.stdin:
                    rest = _feed(child.stdin.fileno(), rest)
                    if not rest:
                        waiting.unregister(child.stdin)
                        child.stdin.close()
                    continue
                piece = os.read(key.fd, _PIECE)
                if not piece:
                    waiting.unregister(key.fileobj)
                elif key.fileobj is child.stdout:
                    said.append(piece)
                    size += len(piece)
                else:
                    told = (told + piece)[-MAX_STDERR:]
            if size > most:
                stderr = told.decode("utf-8", "replace")
                raise ProgramFailed(name, f"printed more than {most:,} bytes", stderr)
    return b"".join(said), told.decode("utf-8", "replace")


def _feed(fd: int, rest: memoryview) -> memoryview:
    """Write what goes; what is left. A program that does not care to read is left alone."""
    if not rest:
        return rest
    try:
        return rest[os.write(fd, rest[:_PIECE]) :]
    except BlockingIOError:
        return rest
    except OSError:
        return rest[:0]


def _ending(code: int) -> str:
    if code > 0:
        return f"failed with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _tell(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _end(child: subprocess.Popen[bytes], until: float) -> None:
    """End a program that was told to, and all that it started, for certain by a time."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        _await_end(child, until)
        # Those that it started, and one that would not end.
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE)


def _await_end(child: subprocess.Popen[bytes], until: float) -> None:
    """Wait so long. Not reaped here: its number must stay its own until it has been killed.

    Raises `ProcessLookupError` where the thread that runs it has done that, all pipes closed.
    """
    while time.monotonic() < until:
        try:
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return
        except ChildProcessError:
            raise ProcessLookupError from None
        time.sleep(0.01)


def _close(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
