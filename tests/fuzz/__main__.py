"""`python -m tests.fuzz [TARGET …] [--seconds N | --cases N]`: long runs of the fuzz targets.

Tapes come from a random generator, or from atheris (`--atheris`, after `pip install atheris`),
which looks for those that reach new lines of code. Memory and CPU time of each input are
limited by the system. What is found is written to `--keep`, once for each place in the code;
exit code 1 then.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tests.fuzz.tape import Tape
from tests.fuzz.target import MEMORY, SECONDS, Target, accepts
from tests.fuzz.targets import TARGETS


class TooSlow(Exception):
    """One input took more CPU time than it may."""


class Run:
    """Counts what becomes of the inputs of one target."""

    def __init__(self, target: Target, keep: Path) -> None:
        self.target = target
        self.cases = self.accepted = 0
        self.slowest = 0.0
        self.found: dict[str, str] = {}
        self._keep = keep

    def one(self, raw: bytes) -> None:
        """Try one tape."""
        data = self.target.make(Tape(raw))
        self.cases += 1
        before = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            self.accepted += accepts(self.target, data)
        except (Exception, RecursionError) as error:  # noqa: BLE001  (that is what is looked for)
            self._note(error, raw, data)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self.slowest = max(self.slowest, time.process_time() - before)

    def _note(self, error: BaseException, raw: bytes, data: bytes) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [each for each in frames if "/ldb/" in each.filename or "/fuzz/" in each.filename]
        last = (ours or frames)[-1]
        place = f"{type(error).__name__} {Path(last.filename).name}:{last.lineno}"
        if place in self.found:
            return
        self.found[place] = str(error)[:200]
        self._keep.mkdir(parents=True, exist_ok=True)
        stem = self._keep / f"{self.target.name}-{len(self.found)}"
        stem.with_suffix(".tape").write_bytes(raw)
        stem.with_suffix(".input").write_bytes(data)
        stem.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))

    def summary(self) -> dict[str, object]:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return {
            "target": self.target.name,
            "cases": self.cases,
            "accepted": self.accepted,
            "slowest_s": round(self.slowest, 3),
            "peak_mb": peak,
            "found": self.found,
        }


def limit() -> None:
    """From now on the process may take `MEMORY` more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {SECONDS} s")

    signal.signal(signal.SIGVTALRM, stop)


def _tell(run: Run) -> None:
    sys.stdout.write(json.dumps(run.summary()) + "\n")
    sys.stdout.flush()


def random_tapes(run: Run, seed: int, goes_on: Callable[[], bool]) -> None:
    dice = random.Random(seed)
    while goes_on():
        run.one(dice.randbytes(int(dice.expovariate(1 / 40)) + 4))


def guided_tapes(run: Run, seconds: float, folder: Path) -> None:
    """Never returns: atheris ends the process, and the summary is printed at its exit."""
    import atexit

    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    folder.mkdir(parents=True, exist_ok=True)
    atexit.register(_tell, run)
    options = [f"-max_total_time={int(seconds)}", "-rss_limit_mb=0", "-verbosity=0", str(folder)]
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *options], run.one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    names = [each.name for each in TARGETS]
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names))
    parser.add_argument("--seconds", type=float, default=0, help="wall time of each target")
    parser.add_argument("--cases", type=int, default=0, help="instead: inputs of each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(".fuzz"), help="what is found")
    parser.add_argument("--atheris", action="store_true", help="tapes guided by coverage")
    given = parser.parse_args()
    unknown = set(given.targets) - set(names)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    found = 0
    for target in TARGETS:
        if given.targets and target.name not in given.targets:
            continue
        child = os.fork()  # so that no target has another's memory
        if not child:
            os._exit(_work(target, given))
        found |= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 1 if found else 0


def _work(target: Target, given: argparse.Namespace) -> int:
    run = Run(target, given.keep)
    run.one(b"")  # loads what is loaded on demand
    limit()
    if given.atheris:
        guided_tapes(run, given.seconds, given.keep / "corpus" / target.name)
    stop = time.monotonic() + given.seconds
    random_tapes(
        run,
        given.seed,
        lambda: run.cases < given.cases if given.cases else time.monotonic() < stop,
    )
    _tell(run)
    return 1 if run.found else 0


if __name__ == "__main__":
    sys.exit(main())
