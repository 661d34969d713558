"""Run a command again and again, each time killed or interrupted one step later.

    python -m tests.chaos.killed_command BASE SCENARIO SIGNAL

SIGNAL is `KILL` (before every call that changes a file, and amid every write) or `INT`
(before every such call, as Ctrl-C may come). Trial n starts from the same instance and
workspace and is stopped at point n; the last trial gets through. After each trial the
command is run once more. Prints one JSON list with what was found after each.

The clock stands still, so that two runs of a command make the same maps.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from ldb.backends.base import Backend
from ldb.backends.local import LocalBackend
from ldb.cli.main import main as ldb
from ldb.cli.table import TABLE
from ldb.history import head
from ldb.instance import exists, open_instance
from ldb.porcelain.fsck import fsck
from ldb.refs.name import INDEX, RefKind
from ldb.workspace import find, load_state

CALLS = ("mkdir", "write", "chmod", "fsync", "link", "replace", "rename", "unlink", "truncate")

SETUP: dict[str, list[str]] = {
    "init": [],
    "first index": ["init {instance}", "add-storage data"],
    "index again": ["init {instance}", "add-storage data", "index data/a"],
    "index in workers": ["init {instance}", "add-storage data", "index data/a"],
    "stage": ["init {instance}", "add-storage data", "index data", "stage ds:cats cats"],
}
SETUP["add"] = SETUP["stage"]
SETUP["commit"] = [*SETUP["stage"], "-C cats add --limit 6"]
SETUP["merge"] = [
    *SETUP["commit"],
    "-C cats commit",
    "stage ds:cats other",
    "-C cats del --limit 2",
    "-C other add ../data/b",
    "-C other commit",
]
SETUP["unindex"] = SETUP["stage"]
SETUP["rename"] = [*SETUP["commit"], "-C cats commit"]
SETUP["delete"] = SETUP["rename"]
SETUP["repack"] = SETUP["rename"]
SETUP["gc"] = [*SETUP["rename"], "repack"]
SETUP["merge datasets"] = [*SETUP["rename"], "-C cats del --limit 2", "-C cats commit ds:other"]
SETUP["split"] = SETUP["rename"]
SETUP["refresh"] = [
    *SETUP["index again"],
    "stage ds:cats cats",
    "-C cats add ds:root",
    "-C cats commit",
    "index data",
]
SETUP["import"] = [*SETUP["rename"], "ds export ds:cats cats.tar"]

COMMANDS = {
    "init": "init {instance}",
    "first index": "index data/a",
    "index again": "index --add-tags new data",
    "index in workers": "index --add-tags new data",
    "stage": "stage ds:dogs dogs",
    "add": "-C cats add --limit 6",
    "commit": "-C cats commit -m six",
    "merge": "-C cats commit -m both",
    "unindex": "unindex data/b/03.jpg",
    "rename": "ds rename ds:cats ds:tigers",
    "delete": "ds del ds:cats",
    "repack": "repack",
    "gc": "gc --prune --alone",
    "merge datasets": "merge ds:cats ds:other",
    "split": "split ds:cats a=.5 b=.5 --stratify n",
    "refresh": "refresh ds:cats",
    "import": "ds import cats.tar --as ds:theirs",
}


class Stopper:
    """Counts points and stops at the one whose number was given."""

    def __init__(self, at: int, kind: signal.Signals, fired: int) -> None:
        self.at = at
        self.kind = kind
        self.fired = fired
        self.passed = 0
        self.tell = os.write

    def point(self, name: str) -> None:
        self.passed += 1
        if self.passed - 1 == self.at:
            self.tell(self.fired, name.encode())
            os.kill(os.getpid(), self.kind)

    def install(self) -> None:
        """Count from now on."""
        for name in CALLS:
            setattr(os, name, self.wrap(name, getattr(os, name)))

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def stopped(*args: Any, **kwargs: Any) -> Any:
            self.point(f"before {name}")
            if name == "write" and self.kind is signal.SIGKILL and self.passed == self.at:
                call(args[0], args[1][: len(args[1]) // 2])
                self.point("amid write")
            return call(*args, **kwargs)

        return stopped


@dataclass
class Trial:
    """What one stopped run left behind, and what the next run made of it."""

    stopped: str
    """The point at which it was stopped; empty for the run that got through."""
    code: int
    """Exit code; -9 for a killed one."""
    said: str
    lost: list[str] = field(default_factory=list)
    """Files of the instance that were there before and are gone or changed."""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    versions_before: int = 0
    versions: int = 0
    again: int = 0
    """Exit code of the command, run once more."""
    said_again: str = ""
    problems_again: list[str] = field(default_factory=list)
    roots: dict[str, Any] = field(default_factory=dict)
    """Maps of the newest versions in the end, and the drafts."""


class Ground:
    """The folder that trials work in: `work`, made anew for each from `ready`."""

    stopper: type[Stopper] = Stopper

    def __init__(self, base: Path, scenario: str) -> None:
        self.base = base
        self.work = base / "work"
        self.scenario = scenario
        self._write_data()
        for command in SETUP[scenario]:
            code, said, _ = self.run(self.args(command))
            assert code == 0, (command, said)
        self.keep()

    @property
    def instance(self) -> str:
        """Where the instance is: a folder here."""
        return str(self.work / "instance")

    def args(self, command: str) -> list[str]:
        return command.format(instance=self.instance).split()

    def keep(self) -> None:
        """All trials start from what is there now."""
        shutil.copytree(self.work, self.base / "ready")
        self.before = self.files()
        self.versions = self.problems()[2]

    def _write_data(self) -> None:
        for folder, first, stop in (("a", 0, 10), ("b", 3, 14)):
            place = self.work / "data" / folder
            place.mkdir(parents=True)
            for number in range(first, stop):
                (place / f"{number:02}.jpg").write_bytes(b"image %d" % number)
                note = {"n": number, "in": folder}
                (place / f"{number:02}.json").write_text(json.dumps(note))

    def restore(self) -> None:
        shutil.rmtree(self.work)
        shutil.copytree(self.base / "ready", self.work)

    def files(self) -> dict[str, bytes]:
        instance = Path(self.instance)
        found = (path for path in instance.rglob("*") if path.is_file())
        return {str(path.relative_to(instance)): path.read_bytes() for path in found}

    def run(
        self, args: Sequence[str], at: int = -1, kind: signal.Signals = signal.SIGKILL
    ) -> tuple[int, str, str]:
        """Exit code, stderr and where it was stopped, once all its processes have ended."""
        reader, fired = os.pipe()
        log = self.base / "log"
        child = os.fork()
        if not child:
            os.close(reader)
            self._become(args, log, self.stopper(at, kind, fired) if at >= 0 else None)
        os.close(fired)
        if kind is signal.SIGSTOP and at >= 0:
            self._awaken(child)
        with open(reader, "rb") as lines:
            stopped = lines.read().decode()
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), log.read_text(), stopped

    def _awaken(self, child: int) -> None:
        """Once it is held, let others work, and let it go on."""
        state = os.waitid(os.P_PID, child, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if state is not None and state.si_code == os.CLD_STOPPED:
            self.meanwhile()
            os.kill(child, signal.SIGCONT)

    def meanwhile(self) -> None:
        """What others do while a command is held."""

    def _become(self, args: Sequence[str], log: Path, stopper: Stopper | None) -> None:
        os.chdir(self.work)
        os.environ["HOME"] = str(self.work / "home")
        os.environ["LDB_DIR"] = self.instance
        sys.stderr = open(log, "w", encoding="utf-8")  # noqa: SIM115
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        code = 70
        try:
            if stopper is not None:
                stopper.install()
            code = ldb(args)
        except BaseException:  # noqa: BLE001  (what a user would see as a traceback)
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    # -- looking -----------------------------------------------------------------------

    def workspaces(self) -> list[str]:
        return [folder for path in sorted(self.work.iterdir()) if (folder := find(str(path)))]

    def backend(self) -> Backend:
        return LocalBackend(self.instance)

    def problems(self) -> tuple[list[str], list[str], int]:
        """What fsck says of the instance with each workspace: problems, notes, versions."""
        backend = self.backend()
        if not exists(backend):
            return [], [], 0
        problems: list[str] = []
        notes: list[str] = []
        versions = 0
        for folder in self.workspaces() or [""]:
            report = fsck(backend, folder or None)
            problems += [f"{each.name}: {each.why}" for each in report.problems]
            notes += report.notes
            versions = report.checked.versions
        return problems, notes, versions

    def roots(self) -> dict[str, Any]:
        backend = self.backend()
        found: dict[str, Any] = {}
        if exists(backend):
            instance = open_instance(backend)
            for name in (*instance.refs.names(RefKind.DATASET), INDEX):
                newest = head(instance, name)
                maps = newest.commit.maps if newest else {}
                found[str(name)] = {each: str(root.root) for each, root in maps.items()}
        for folder in self.workspaces():
            state = load_state(folder)
            found[folder] = [state.dataset, str(state.root.root), state.dirty]
        return found


def trial(ground: Ground, at: int, kind: signal.Signals) -> Trial:
    ground.restore()
    args = ground.args(COMMANDS[ground.scenario])
    code, said, stopped = ground.run(args, at, kind)
    done = Trial(stopped, code, said, versions_before=ground.versions)
    after = ground.files()
    done.lost = [name for name, data in ground.before.items() if after.get(name) != data]
    done.problems, done.notes, done.versions = ground.problems()
    done.again, done.said_again, _ = ground.run(args)
    done.problems_again = ground.problems()[0]
    done.roots = ground.roots()
    return done


def stand_still() -> None:
    """Stop the clock, and load what commands need once, not in each of hundreds of processes."""
    now = time.time_ns() + 3600 * 10**9
    time.time_ns = lambda: now
    for row in TABLE:
        import_module(row.module)


def main(base: str, scenario: str, kind: str) -> None:
    stand_still()
    os.environ["TMPDIR"] = base  # what killed commands leave there goes with the test
    if scenario == "index in workers":
        import ldb.indexing.run
        import ldb.indexing.scan

        ldb.indexing.scan.BATCH = 4
        vars(ldb.indexing.run)["default_processes"] = lambda: 2
    run_trials(Ground(Path(base), scenario), signal.Signals[f"SIG{kind}"])


def run_trials(ground: Ground, kind: signal.Signals) -> None:
    """All of them; prints what was found."""
    trials = []
    for at in itertools.count():
        trials.append(asdict(trial(ground, at, kind)))
        if not trials[-1]["stopped"]:
            break
    json.dump(trials, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
