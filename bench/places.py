"""Where the bench works and saves, and the lock that keeps a second one away."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def work() -> Path:
    """Data and the tools' state. No part of the path may be hidden: ldb-alpha skips such."""
    default = Path(tempfile.gettempdir()) / f"ldb-bench-{os.getuid()}"
    return Path(os.environ.get("BENCH_WORK", default)).resolve()


@contextlib.contextmanager
def only_bench() -> Iterator[None]:
    """Hold the lock; exits with 1 where another bench has it."""
    work().mkdir(parents=True, exist_ok=True)
    with (work() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another bench runs in {work()}; wait, or set BENCH_WORK") from None
        yield
