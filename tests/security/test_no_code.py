"""Nothing that is read from an instance, a data set or a workspace is run as code."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.porcelain.fsck.samples import make_instance

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ldb"

MODULES = frozenset(
    [
        "pickle",
        "cPickle",
        "_pickle",
        "dill",
        "cloudpickle",
        "joblib",
        "marshal",
        "shelve",
        "yaml",
        "code",
        "codeop",
        "runpy",
        "pkgutil",
        "imp",
        "importlib",
        "importlib_metadata",
        "pkg_resources",
        "subprocess",
        "pty",
        "ctypes",
        "cffi",
        "zipimport",
        "dbm",
        "jinja2",
    ]
)
CALLS = frozenset(["eval", "exec", "compile", "__import__", "breakpoint", "entry_points"])
METHODS = frozenset(
    [
        "system",
        "popen",
        "execv",
        "execve",
        "execvp",
        "posix_spawn",
        "spawnv",
        "load_module",
        "exec_module",
        "read_pickle",
        "to_pickle",
        "allow_pickle",
    ]
)

ALLOWED = {
    ("backends/noreplace.py", "ctypes"),  # one function of the C library, by its name here
    ("cli/parsing.py", "importlib"),  # commands by a table in cli/main.py
    ("foreign/programs.py", "ctypes"),  # where Windows has its own programs
    ("clouds/opening.py", "importlib"),  # looks whether obstore is installed
    # What driver and workers of a cluster send each other: who reaches the scheduler can run
    # code on it whatever LDB does, and nothing of it comes out of an instance.
    ("engines/task.py", "pickle"),
    # The two doors for code of others. What goes through is the user's own, or trusted;
    # who opens them is `porcelain/plugins.py`: tests/cli/porcelain/test_plugins.py.
    ("foreign/functions.py", "compile"),
    ("foreign/functions.py", "exec"),
    ("foreign/programs.py", "subprocess"),
    ("formats/registry.py", "importlib"),  # formats by a table there
    # What it makes of a text are numbers, texts, lists and dicts: SafeLoader, see below.
    ("formats/boxes/yolo_names.py", "yaml"),
    ("formats/boxes/yolo_write.py", "yaml"),
    # Encoders: LDB's own by a table, others by what the user has installed.
    ("search/encoder.py", "importlib"),
    ("search/encoder.py", "entry_points"),
}
"""Each with its reason; whoever adds one says here what keeps others' bytes out of it."""


def uses(path: Path) -> Iterator[str]:
    """Names of modules, functions and methods in a file that could run code."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in CALLS:
                yield called.id
            if isinstance(called, ast.Attribute) and called.attr in METHODS:
                yield called.attr
            yield from (word.arg for word in node.keywords if word.arg in METHODS and word.arg)


def test_the_package_has_no_way_to_run_others_code() -> None:
    found = {
        (str(path.relative_to(PACKAGE)), name)
        for path in PACKAGE.rglob("*.py")
        for name in uses(path)
        if name in MODULES | CALLS | METHODS
    }
    assert found == ALLOWED


def test_yaml_and_torch_make_no_objects_of_what_they_read() -> None:
    """Of those who can be told to, none is: `weights_only`, `SafeLoader`, no remote code."""
    unsafe = {"unsafe_load", "full_load", "Loader", "FullLoader", "UnsafeLoader", "CLoader"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                assert node.attr not in unsafe, path
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            whose = node.func.value
            if node.func.attr == "load" and isinstance(whose, ast.Name) and whose.id == "torch":
                given = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert given.get("weights_only") == "True", path


def test_the_look_over_the_code_sees_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("import pickle\nfrom importlib import metadata\neval('1')\nos.system('x')\n")
    assert set(uses(path)) == {"pickle", "importlib", "eval", "system"}


TRAPS = ("ldb.py", "sitecustomize.py", "numpy.py", "json.py", "conftest.py", "setup.py",
         "functions.py", ".ldb_workspace/functions.py", ".ldb_workspace/hooks/x",
         "custom_code/ldb_user_functions/trap.py", "custom_code/ldb_user_filters/trap.py",
         "custom_code/ldb_user_filters/sort", "trap", "clip")  # fmt: skip


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A workspace whose folder is full of files that would run if anything looked for code."""
    place = make_instance(tmp_path)
    for trap in TRAPS:
        for folder in (place.cwd, place.instance.url):
            path = Path(folder, trap)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                "import os\nos.system('touch /tmp/ldb-was-here')\nraise SystemExit(99)\n"
            )
            path.chmod(0o755)
    for folder in (place.cwd, place.instance.url):  # as if a package with an encoder lay there
        info = Path(folder, "trap-1.0.dist-info")
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trap\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[ldb.encoders]\ntrap = functions:f\n")
    return Path(place.cwd)


def test_commands_load_only_what_is_installed(trapped: Path, tmp_path: Path) -> None:
    commands = [
        ["status"], ["list"], ["diff"], ["log", "--json"], ["stats"], ["fsck"], ["ds", "list"],
        ["list", "--query", "label == 'cat'"], ["eval", "--query", "label"],
        ["instantiate", "-t", str(tmp_path / "out")], ["index", str(tmp_path / "data")],
        ["add", "ds:dogs"], ["commit", "-m", "x"], ["storage", "list"],
        # These ask for code, are refused it, and run nothing of it on the way.
        ["list", "--query", "trap(label)"], ["add", "ds:root", "--file", "trap(type)"],
        ["eval", "--show", "trap(label)"], ["stats", "--by", "trap(label)"],
        ["list", "--sort", "trap"], ["list", "--sort", "trap x"],
        ["list", "--pipe", "trap"], ["list", "--pipe", "trap.py"], ["trust"], ["trust", "-v"],
    ]  # fmt: skip
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P" if sys.version_info >= (3, 11) else "-B",
         str(ROOT / "tests/security/audited.py"), json.dumps(commands)],
        cwd=trapped, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith('["audit"')]
    events = [json.loads(line)[1:] for line in lines]
    assert done.returncode == 0, done.stderr[-2000:]
    kinds = {event for event, _ in events}
    assert "import" in kinds
    assert not kinds & {"subprocess.Popen", "os.system", "os.exec", "os.spawn", "os.posix_spawn"}
    # Workers send results through pipes of their own as pickles, of these modules' classes.
    pickled = {what.partition(".")[0] for event, what in events if event == "pickle.find_class"}
    assert pickled <= {"ldb", "numpy", "builtins", "os", "posix", "collections", "_codecs"}
    mine = str(tmp_path)
    for event, what in events:
        assert mine not in str(what), (event, what)
    installed = {sysconfig.get_paths()[name] for name in ("stdlib", "platlib", "purelib")}
    ran = {what for event, what in events if event == "exec" and os.path.isabs(str(what))}
    assert all(str(each).startswith((*installed, str(ROOT))) for each in ran), ran
