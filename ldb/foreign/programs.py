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
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ldb.errors import LdbError, NotFound
from ldb.system import WINDOWS

MAX_STDERR = 16 * 1024
"""Bytes of the end of its stderr that are kept."""

PATIENCE = 2.0
"""Seconds in which a program that was told to end may do so before it is killed."""

NOTICE = 0.2
"""Seconds after which a waiting thread looks up: where the system gives Ctrl-C to another thread
than the main one, nothing else wakes that."""

_PIECE = 64 * 1024

_GROUPS = hasattr(os, "killpg")
"""Whether all that a program starts can be ended with it as a group, and pipes waited for: not on
Windows. docs/design/030-windows-and-macos.md"""


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
    if is_path(word):
        found = _as_file(os.path.normpath(os.path.join(cwd, word)))
        if not os.path.isfile(found):
            raise NotFound("program", word, "is the path right?")
        if not os.access(found, os.X_OK):
            raise ProgramFailed(word, "is not executable", hint=f"chmod +x {found}")
        return _refuse_batch(found, word)
    for folder in path.split(os.pathsep):
        found = _as_file(os.path.join(folder, word))
        if os.path.isabs(folder) and os.path.isfile(found) and os.access(found, os.X_OK):
            return _refuse_batch(found, word)
    raise NotFound("program", word, "it is in no folder of PATH; is it installed?")


def is_path(word: str) -> bool:
    """Whether a word names a program by its path."""
    return "/" in word or os.sep in word


def _as_file(path: str) -> str:
    """On Windows a program's name may be given without its `.exe`."""
    return path if not WINDOWS or os.path.splitext(path)[1] else path + ".exe"


def _refuse_batch(found: str, word: str) -> str:
    # Windows hands what they are given to a shell, which takes some of it for commands.
    if WINDOWS and found.lower().endswith((".bat", ".cmd")):
        raise ProgramFailed(word, "is a batch file", hint="name the program that it starts")
    return found


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
            converse = _converse if _GROUPS else _converse_by_threads
            stdout, stderr = converse(child, stdin, most, name)
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
            script = WINDOWS and argv[0].lower().endswith(".py")  # which runs no first line
            try:
                child = subprocess.Popen(
                    [sys.executable, *argv] if script else list(argv),
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


def _converse_by_threads(
    child: subprocess.Popen[bytes], stdin: bytes, most: int, name: str
) -> tuple[bytes, str]:
    """The same where the system cannot wait for several pipes: a thread for each."""
    assert child.stdin
    assert child.stdout
    assert child.stderr
    into, out, err = child.stdin, child.stdout.fileno(), child.stderr.fileno()
    said, told = bytearray(), bytearray()

    def hear() -> None:
        while len(said) <= most and (piece := os.read(out, _PIECE)):
            said.extend(piece)

    def heed() -> None:
        while piece := os.read(err, _PIECE):
            told[:] = (told + piece)[-MAX_STDERR:]

    def feed() -> None:
        rest = memoryview(stdin)
        while rest:
            rest = _feed(into.fileno(), rest)
        with contextlib.suppress(OSError):
            into.close()

    # The one that listens first: it ends early where a program says too much.
    waiting = [threading.Thread(target=each, daemon=True) for each in (hear, heed, feed)]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        while thread.is_alive():
            thread.join(NOTICE)
        if len(said) > most:
            stderr = bytes(told).decode("utf-8", "replace")
            raise ProgramFailed(name, f"printed more than {most:,} bytes", stderr)
    return bytes(said), bytes(told).decode("utf-8", "replace")


def _kill_tree(child: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started, where there are no groups of processes."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired, AttributeError):
        quiet = subprocess.DEVNULL
        tool = [os.path.join(_system_folder(), "taskkill.exe"), "/T", "/F", "/PID", str(child.pid)]
        subprocess.run(tool, stdin=quiet, stdout=quiet, stderr=quiet, timeout=PATIENCE, check=False)
    with contextlib.suppress(OSError):
        child.kill()


def _system_folder() -> str:
    """Where Windows has its own programs, whatever `PATH` says."""
    import ctypes  # hardly a command ends a program

    libraries: Any = getattr(ctypes, "windll")  # noqa: B009  (absent elsewhere)
    found = ctypes.create_unicode_buffer(260)
    libraries.kernel32.GetSystemDirectoryW(found, len(found))
    return found.value


def _ending(code: int) -> str:
    if code > 0:
        return f"failed with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _tell(child: subprocess.Popen[bytes], number: int) -> None:
    if not _GROUPS:
        _kill_tree(child)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _end(child: subprocess.Popen[bytes], until: float) -> None:
    """End a program that was told to, and all that it started, for certain by a time."""
    if not _GROUPS:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
        return
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
