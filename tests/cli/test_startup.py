"""What commands load before they do anything: counted in modules, not in seconds.

A module costs 0.1 to 1 ms, and seconds depend on the machine; so the budget of a command is the
number of modules of ours that it loads, and a list of what it must do without. A budget is
today's count and about a tenth: one more module of ours fits, a library does not. Who breaks one
finds the culprit with `python -X importtime -m ldb.cli.main …`, and either imports it where it is
needed, or raises the budget and says why.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

NEVER = frozenset(
    (
        "adlfs", "asyncio", "botocore", "gcsfs", "google", "hypothesis", "importlib.metadata",
        "msgpack", "obstore", "pandas", "pkg_resources", "pyarrow", "pytest", "requests", "s3fs",
        "torch", "transformers", "unittest", "urllib.request",
    )
)  # fmt: skip
"""What no command over a local instance loads: half a second for s3fs, more for torch."""

STORE = frozenset(("fsspec", "msgspec", "orjson", "zstandard", "jmespath", "numpy"))
"""What only commands that touch an instance may load, each where it is used."""

LIST_MODULES = """
import sys
from ldb.cli.main import main
before = {before!r}
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(*sorted(set(sys.modules) - set(before)), file=sys.stderr)
sys.exit(code)
"""


@cache
def bare() -> tuple[str, ...]:
    """What Python loads to run nothing at all."""
    code = "import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return tuple(done.stdout.split())


def modules_after(environment: dict[str, str], folder: Path, *args: str) -> set[str]:
    """What a command has loaded at its end, beyond bare Python; it must succeed."""
    command = [sys.executable, "-c", LIST_MODULES.format(before=bare()), *args]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    """An environment with a small instance, and a workspace on it with a draft."""
    root = tmp_path_factory.mktemp("startup")
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "PYTHONPATH": str(ROOT),
        "HOME": str(root),
        "LDB_DIR": str(root / "instance"),
    }
    for number in range(3):
        (root / "files").mkdir(exist_ok=True)
        (root / "files" / f"{number}.png").write_bytes(b"%d" % number)
        (root / "files" / f"{number}.json").write_text(f'{{"number": {number}}}')
    folder = root / "workspace"
    folder.mkdir()
    for line in (
        f"init {root / 'instance'}",
        f"add-storage {root / 'files'}",
        f"index -m strict {root / 'files'}",
        "stage ds:some",
        "add ds:root",
        "commit",
    ):
        command = [sys.executable, "-m", "ldb.cli.main", *line.split()]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return environment, folder


def own_count(modules: set[str]) -> int:
    """Modules of ours: how many others split into, and which of them Python has loaded before,
    differs from version to version."""
    return sum(name.partition(".")[0] == "ldb" for name in modules)


BLOBS = "msgspec zstandard"
MAPS = f"{BLOBS} numpy"
QUERIES = f"{MAPS} jmespath orjson"


@pytest.mark.parametrize(
    ("line", "budget", "libraries"),
    [
        # Help of all commands comes from a table of names: none of them is opened.
        ("--help", 10, ""),
        ("--version", 10, ""),
        # Settings are plain files beside the instance.
        ("config list", 17, ""),
        # A draft's totals and a version's stand in commits, which need no map and no numpy;
        # this is what people type most.
        ("status", 51, BLOBS),
        ("status ds:some", 51, BLOBS),
        ("cat-file --help", 53, BLOBS),
        # Maps are numpy columns: from here on numpy's 0.1 s are part of the start.
        ("log", 69, MAPS),
        ("ds list", 68, MAPS),
        ("storage list", 67, MAPS),
        ("stage ds:other", 70, MAPS),
        ("commit --help", 69, MAPS),
        ("diff", 84, f"{MAPS} jmespath"),
        ("index -m strict ../files", 109, MAPS),
        # Help of one command opens that command, with what it imports.
        ("index --help", 99, MAPS),
        # Whatever selects loads both ways of evaluating, on columns and row by row; of code of
        # the users' own it loads one module that says what there may be (`query/plugins.py`).
        ("list --help", 146, QUERIES),
        ("list -s ds:root", 146, QUERIES),
        ("list ds:root --limit 1", 146, QUERIES),
        ("list -s ds:root --query number", 146, QUERIES),
        ("eval ds:root --query number --limit 1", 142, QUERIES),
        ("instantiate --help", 165, QUERIES),
    ],
)
def test_modules_of_a_command(
    place: tuple[dict[str, str], Path], line: str, budget: int, libraries: str
) -> None:
    modules = modules_after(*place, *line.split())
    tops = {name.partition(".")[0] for name in modules}
    assert sorted(modules & NEVER | tops & NEVER) == []
    assert sorted(tops & STORE - set(libraries.split())) == []
    assert own_count(modules) <= budget


def test_the_count_sees_what_it_is_there_for(place: tuple[dict[str, str], Path]) -> None:
    environment, folder = place
    hook = folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text("import asyncio, unittest, ldb.porcelain.index")
    heavy = {**environment, "PYTHONPATH": f"{hook}:{environment['PYTHONPATH']}"}
    before = own_count(modules_after(environment, folder, "--help"))
    modules = modules_after(heavy, folder, "--help")
    assert {"asyncio", "numpy", "unittest"} <= modules
    assert own_count(modules) > before + 30


def test_help_opens_no_command(place: tuple[dict[str, str], Path]) -> None:
    modules = modules_after(*place, "--help")
    packages = ("ldb.cli.porcelain", "ldb.cli.plumbing", "ldb.porcelain", "ldb.objects")
    assert [name for name in modules if name.startswith(packages)] == []
