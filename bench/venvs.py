"""The peers' own virtual environments, made on demand and kept for the next run.

Each lies under `$BENCH_HOME/venvs/<name>` (default ~/.cache/ldb-bench), with a stamp of
what was asked for, so that a changed requirement makes it anew. Nothing is installed into
the environment that runs the bench.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.tool import Absent

REQUIREMENTS = {
    "ldb-alpha": ("ldb-alpha==0.7.0",),
    "dvc": ("dvc>=3.67,<4",),
    "datachain": ("datachain>=0.62",),
    "duckdb": ("duckdb>=2.0",),
    "pyarrow": ("pyarrow>=26",),
    "oxen": ("oxenai>=0.65",),
}


def home() -> Path:
    """Where environments are kept between runs."""
    return Path(os.environ.get("BENCH_HOME", Path.home() / ".cache/ldb-bench"))


def environment(name: str, install: bool = True) -> Path:
    """The `bin` folder of the environment of peer `name`; raises `Absent` with the reason."""
    wanted = " ".join(REQUIREMENTS[name])
    folder = home() / "venvs" / name
    stamp = folder / "bench-requirements"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder / "bin"
    if not install:
        raise Absent("not installed, and --no-install was given")
    print(f"installing {wanted} …", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _call(sys.executable, "-m", "venv", str(folder))
    _call(str(folder / "bin/pip"), "install", "--quiet", *REQUIREMENTS[name])
    stamp.write_text(wanted)
    return folder / "bin"


def _call(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Absent(f"could not be installed: {lines[-1]}")


def installed(name: str, package: str, install: bool = True) -> tuple[Path, str]:
    """The `bin` folder of a peer's environment and the version of its package."""
    folder = environment(name, install)
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run(
        [str(folder / "python"), "-c", code], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Absent(f"{package} does not import: {done.stderr.strip()[-200:]}")
    return folder, done.stdout.strip()
