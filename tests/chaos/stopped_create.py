"""Run `create` again and again, each time stopped or failed one system call later.

    python -m tests.chaos.stopped_create BASE SCENARIO FAULT

FAULT is `kill` (SIGKILL before, after and, for a write, in the middle of the call) or the
name of an errno that the call gives instead of being done. Trial n works in `BASE/n`, in
a forked process, and is stopped at point n; the last trial gets through. Prints one
JSON list: for each trial its root, the calls made (`refused X` where the system refused
X) and what `create` said.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ldb.backends import noreplace
from ldb.backends.local import LocalBackend
from ldb.errors import LdbError

KEY = "refs/datasets/cats/7"
OTHER = "refs/datasets/cats/8"
VALUE = bytes(range(256)) * 400
OLD = b"old" * 1000

CALLS = ("mkdir", "open", "write", "chmod", "fsync", "close", "link", "replace", "unlink")
SCENARIOS = ("new store", "new folder", "new key", "taken", "replaced", "no links")


class Stopper:
    """Counts points and stops at the one whose number was given."""

    def __init__(self, at: int, fault: str, log: int) -> None:
        self.at = at
        self.fault = fault
        self.log = log
        self.passed = 0
        self.write = os.write

    def point(self) -> bool:
        self.passed += 1
        return self.passed - 1 == self.at

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def stopped(*args: Any, **kwargs: Any) -> Any:
            if self.point():
                self.stop(name)
            if name == "write" and self.fault == "kill" and self.point():
                call(args[0], args[1][: len(args[1]) // 2])
                self.stop(name)
            try:
                result = call(*args, **kwargs)
            except OSError:
                self.write(self.log, f"refused {name}\n".encode())
                raise
            self.write(self.log, f"{name}\n".encode())
            if self.fault == "kill" and self.point():
                self.stop(name)
            return result

        return stopped

    def stop(self, name: str) -> None:
        if self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        self.write(self.log, f"fault {name}\n".encode())
        number = getattr(errno, self.fault)
        raise OSError(number, os.strerror(number))


def prepare(root: str, scenario: str) -> None:
    backend = LocalBackend(root)
    if scenario == "new folder":
        backend.create("instance", b"{}")
    elif scenario != "new store":
        backend.create(OTHER, OLD)
    if scenario == "taken":
        backend.create(KEY, OLD)
    if scenario == "replaced":
        backend.create(KEY, VALUE)


def create(root: str, scenario: str, stopper: Stopper) -> str:
    backend = LocalBackend(root)
    for name in CALLS:
        setattr(os, name, stopper.wrap(name, getattr(os, name)))
    if scenario == "no links":
        # As a FAT or network file system answers.
        def no_links(source: str, target: str) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        os.link = no_links  # type: ignore[assignment]
        noreplace.rename_new = stopper.wrap("rename_new", noreplace.rename_new)
    try:
        return backend.create(KEY, VALUE, unconditional=scenario == "replaced").value
    except LdbError as error:
        return f"{type(error).__name__} {error}"


def trial(root: str, scenario: str, fault: str, at: int) -> tuple[list[str], str, bool]:
    """Calls done, what `create` said ("" when killed), whether it met no fault."""
    reader, log = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        stopper = Stopper(at, fault, log)
        said = create(root, scenario, stopper)
        stopper.write(log, f"{int(stopper.passed <= at)} {said}".encode())
        os._exit(0)
    os.close(log)
    with open(reader, "rb") as lines:
        *calls, last = lines.read().decode().split("\n")
    os.waitpid(child, 0)
    through, _, said = last.partition(" ")
    return calls, said, through == "1"


def main(base: str, scenario: str, fault: str) -> None:
    trials = []
    for at in itertools.count():
        root = os.path.join(base, str(at))
        prepare(root, scenario)
        calls, said, through = trial(root, scenario, fault, at)
        trials.append({"root": root, "calls": calls, "said": said})
        if through:
            break
    json.dump(trials, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
